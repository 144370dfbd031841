"""Merges are those of the trainer in `tokenizers`, pair for pair, whatever a generation watches."""

import itertools
import json
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from tokenizer import training
from tokenizer.counts import count_pieces
from tokenizer.merges import BYTE_OF_ID, ID_OF_BYTE, NO_MERGES, Merges, train
from tokenizer.pretokenizers import pretokenizer

PRESET = pretokenizer("deepseek-llm")


def trained_by_tokenizers(texts, vocabulary, **options):
    document = json.loads(tokenizers.Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = PRESET.to_tokenizers()
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, **options
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return [[model["vocab"][left], model["vocab"][right]] for left, right in model["merges"]]


def joined(sequence, pair, token):
    i = 0
    while i + 1 < len(sequence):
        if (sequence[i], sequence[i + 1]) == pair:
            sequence[i : i + 2] = [token]
        i += 1


def trained_slowly(words, merges, base=(), minimum=1, longest=10**9, may_make=lambda token: True):
    """The definition: recount all pairs after every merge, take the most frequent, of equals the smallest ids."""
    sequences = [([int(ID_OF_BYTE[byte]) for byte in word], count) for word, count in words if count]
    tokens = [bytes([byte]) for byte in BYTE_OF_ID]
    learned = []

    def learn(pair):
        for sequence, _ in sequences:
            joined(sequence, pair, len(tokens))
        tokens.append(tokens[pair[0]] + tokens[pair[1]])
        learned.append(list(pair))

    for pair in base:
        learn(tuple(pair))
    while len(learned) < merges:
        totals = {}
        for sequence, count in sequences:
            for pair in itertools.pairwise(sequence):
                totals[pair] = totals.get(pair, 0) + count
        spelled = {pair: tokens[pair[0]] + tokens[pair[1]] for pair in totals}
        totals = {
            pair: total
            for pair, total in totals.items()
            if total >= minimum and len(spelled[pair]) <= longest and may_make(spelled[pair])
        }
        if not totals:
            break
        learn(min(totals, key=lambda pair: (-totals[pair], pair)))
    return learned


def table_of(words):
    return pa.table({"piece": pa.array([word for word, _ in words], pa.large_binary()), "count": [n for _, n in words]})


def trained_here(texts, vocabulary, **options):
    return train(count_pieces(pa.array(texts), PRESET), vocabulary, **options).pairs.tolist()


@pytest.fixture
def short_generations(monkeypatch):
    """Generations that end early for every reason there is: no positions left, rare pairs, 16-bit ids at their end."""
    monkeypatch.setattr(training, "_NARROW_TOKENS", 400)
    monkeypatch.setattr(training, "_SPARE_POSITIONS", 16)
    monkeypatch.setattr(training, "_ROOM", 16)
    monkeypatch.setattr(training, "_FEWER_THAN_PIECES", 1 / 64)
    monkeypatch.setattr(training, "_WATCHED", 64)
    monkeypatch.setattr(training, "_SKETCH_BITS", (8, 10))
    monkeypatch.setattr(training, "_RARER", 2)


@pytest.fixture(scope="module")
def corpora(real_texts):
    han = [sum("\u4e00" <= character <= "\u9fff" for character in text) / max(len(text), 1) for text in real_texts]
    library = Path(sysconfig.get_paths()["stdlib"])
    return {
        "english": [text for text, share in zip(real_texts, han) if share < 0.01][:60],
        "chinese": [text for text, share in zip(real_texts, han) if share > 0.2][:60],
        "code": [path.read_text("utf-8") for path in sorted(library.glob("[a-f]*.py"))],
        "mixed": real_texts[::3],
    }


@pytest.mark.parametrize("which", ["english", "chinese", "code", "mixed"])
def test_merges_of_real_text(which, corpora):
    chosen = corpora[which]
    assert len(chosen) > 10
    assert trained_here(chosen, 3000) == trained_by_tokenizers(chosen, 3000)


@pytest.mark.parametrize("which", ["english", "chinese", "code", "mixed"])
def test_merges_of_short_generations(which, corpora, short_generations):
    assert trained_here(corpora[which], 2000) == trained_by_tokenizers(corpora[which], 2000)


@pytest.mark.parametrize("options", [{"min_frequency": 40}, {"max_token_length": 6}, {"max_token_length": 3}])
def test_options_are_those_of_tokenizers(options, corpora):
    """Its ``max_token_length`` is one more than the bytes of the longest token, but for pairs of bytes."""
    ours = {"minimum_count": options.get("min_frequency", 1)}
    if "max_token_length" in options:
        ours["longest"] = options["max_token_length"] - 1
    for chosen in (corpora["english"][:20], corpora["chinese"][:20]):
        learned = trained_here(chosen, 2500, **ours)
        assert learned == trained_by_tokenizers(chosen, 2500, **options)
        assert len(learned) > 200


@given(st.lists(st.text(st.sampled_from("ab "), max_size=24), min_size=1, max_size=6))
@settings(max_examples=150)
def test_merges_with_many_ties(texts):
    assert trained_here(texts, 300) == trained_by_tokenizers(texts, 300)


@given(st.integers(0, 10**9), st.sampled_from(["ab", "abcd", "中文字abc", "aé"]))
@settings(max_examples=25)
def test_ties_of_many_words(seed, letters):
    """Hundreds of words of the same few counts: nearly every step is a tie."""
    generator = np.random.default_rng(seed)
    texts = ["".join(generator.choice(list(letters), generator.integers(1, 12))) for _ in range(300)]
    assert trained_here(texts, 600) == trained_by_tokenizers(texts, 600)


WORDS = st.dictionaries(st.binary(min_size=1, max_size=12), st.integers(0, 4), min_size=1, max_size=8)
FEW_LETTERS = st.dictionaries(
    st.text(st.sampled_from("abc"), min_size=1, max_size=14).map(str.encode), st.integers(1, 9), min_size=1, max_size=12
)


@given(WORDS | FEW_LETTERS)
@settings(max_examples=150)
def test_merges_are_those_of_the_definition(words):
    ordered = sorted(words.items())
    learned = train(table_of(ordered), 256 + 30)
    assert learned.pairs.tolist() == trained_slowly(ordered, 30)
    assert (np.diff(learned.counts) <= 0).all()


@given(
    FEW_LETTERS,
    FEW_LETTERS,
    st.integers(0, 8),
    st.integers(1, 6),
    st.integers(2, 8),
    st.sets(st.text("abc", max_size=4)),
)
@settings(max_examples=150)
def test_options_are_those_of_the_definition(words, other, known, minimum, longest, forbidden):
    """A base learned elsewhere, rare pairs, long tokens and forbidden ones, all at once."""
    base = train(table_of(sorted(other.items())), 256 + known)

    def may_make(token):
        return token.decode() not in forbidden

    ordered = sorted(words.items())
    learned = train(
        table_of(ordered), 256 + 30, base=base, minimum_count=minimum, longest=longest, may_make=may_make
    ).pairs.tolist()
    assert learned == trained_slowly(ordered, 30, base.pairs.tolist(), minimum, longest, may_make)


def test_a_base_that_is_a_beginning_changes_nothing(corpora, short_generations):
    """So a training that was stopped anywhere ends with the same merges."""
    table = count_pieces(pa.array(corpora["mixed"]), PRESET)
    whole = train(table, 900)
    for stopped in (1, 100, 143, 144, 145, 643, 644):
        again = train(table, 900, base=Merges(whole.pairs[:stopped], whole.counts[:stopped]))
        assert again.pairs.tolist() == whole.pairs.tolist()
        assert again.counts.tolist() == whole.counts.tolist()


def test_a_long_piece_is_replayed_in_order():
    text = "ا" * 3000 + "اب" * 2000 + "ب" * 3001
    whole = train(table_of([(text.encode(), 1)]), 275)
    for stopped in (3, 11):
        again = train(table_of([(text.encode(), 1)]), 275, base=Merges(whole.pairs[:stopped], whole.counts[:stopped]))
        assert again.pairs.tolist() == whole.pairs.tolist()


def test_a_token_of_an_odd_base_is_not_made_twice():
    """In a base from elsewhere a token may not encode to itself; what it spells must not become a second token."""
    a, b, c = (int(ID_OF_BYTE[ord(letter)]) for letter in "abc")
    base = Merges(np.array([[a, b], [b, c], [a, 257]], np.int32), np.zeros(3, np.int64))  # abc, but ab c comes first
    learned = train(table_of([(b"abc", 5), (b"abcab", 2)]), 400, base=base)
    tokens = learned.tokens()
    assert len(tokens) == len(set(tokens))
    assert tokens[259:] == [b"cab", b"abcab"]


def test_one_letter_again_and_again():
    texts = ["a" * 1000, "aaa " * 50]
    assert trained_here(texts, 290) == trained_by_tokenizers(texts, 290)


def test_counts_beyond_32_bits():
    table = table_of([(b"ab", 2**31 + 5), (b"cd", 2**40)])
    learned = train(table, 258)
    assert learned.counts.tolist() == [2**40, 2**31 + 5]
    assert learned.tokens()[256:] == [b"cd", b"ab"]


def test_counts_up_to_63_bits(short_generations):
    """Totals may come close to the largest int64; where they would pass it, the counts are refused."""
    near = 2**63 - 1
    learned = train(table_of([(b"abab", 2**62 - 1), (b"abc", 1), (b"xy", near)]), 300)
    assert learned.tokens()[256:] == [b"ab", b"xy", b"abab", b"abc"]
    assert learned.counts.tolist() == [near, near, 2**62 - 1, 1]
    with pytest.raises(ValueError, match=r"add up to more than 2\^63 for one pair"):
        train(table_of([(b"abab", 2**62), (b"abc", 1)]), 300)


def test_too_little_text():
    table = count_pieces(pa.array(["abc abc"]), PRESET)
    learned = train(table, 1000)
    assert learned.vocabulary_size == 256 + 3  # ab, abc and the space before it
    with pytest.raises(ValueError, match="vocabulary 1000 is more than this text holds: it has pairs for 259 tokens"):
        train(table, 1000, strict=True)
    with pytest.raises(ValueError, match="vocabulary 255 is below 256"):
        train(table, 255)
    with pytest.raises(ValueError, match="vocabulary 258 is below the 259 tokens to begin with"):
        train(table, 258, base=learned)
    with pytest.raises(ValueError, match="count -1 of a piece is negative"):
        train(table_of([(b"ab", -1)]), 300)
    assert train(table.slice(0, 0), 300).vocabulary_size == 256
    assert train(table, 259, base=learned).pairs.tolist() == learned.pairs.tolist()


def test_rare_pairs_can_be_left_alone():
    table = count_pieces(pa.array(["ab ab cd"]), PRESET)
    assert train(table, 300, minimum_count=2).tokens()[256:] == [b"ab"]


def test_progress_and_checkpoints_reach_the_end():
    calls, kept = [], [NO_MERGES]
    table = count_pieces(pa.array(["hello world " * 3]), PRESET)
    learned = train(table, 262, lambda done, asked: calls.append((done, asked)), checkpoint=kept.append)
    assert calls[-1] == (262, 262)
    assert kept[-1].pairs.tolist() == learned.pairs.tolist()


def test_every_byte_is_a_token():
    learned = train(table_of([(bytes(range(256)), 3)]), 300)
    assert {token for token in learned.tokens() if len(token) == 1} == {bytes([byte]) for byte in range(256)}


def test_byte_ids_are_those_of_the_byte_level_alphabet():
    assert sorted(BYTE_OF_ID.tolist()) == list(range(256))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for byte in range(128):
        [(character, _)] = level.pre_tokenize_str(chr(byte))
        assert alphabet.index(character) == ID_OF_BYTE[byte]
