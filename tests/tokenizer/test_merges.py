"""Merges are those of the trainer in `tokenizers`, pair for pair."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from tokenizer.counts import count_pieces
from tokenizer.merges import BYTE_OF_ID, ID_OF_BYTE, train
from tokenizer.pretokenizers import pretokenizer

PRESET = pretokenizer("deepseek-llm")


def trained_by_tokenizers(texts, vocabulary):
    document = json.loads(tokenizers.Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = PRESET.to_tokenizers()
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return [[model["vocab"][left], model["vocab"][right]] for left, right in model["merges"]]


def trained_slowly(words, merges):
    """The definition: recount all pairs after every merge, take the most frequent, of equals the smallest ids."""
    sequences = [([int(ID_OF_BYTE[byte]) for byte in word], count) for word, count in words]
    learned = []
    while len(learned) < merges:
        totals = {}
        for sequence, count in sequences:
            for pair in itertools.pairwise(sequence):
                totals[pair] = totals.get(pair, 0) + count
        if not totals:
            break
        best = min(totals, key=lambda pair: (-totals[pair], pair))
        token = 256 + len(learned)
        learned.append(list(best))
        for sequence, _ in sequences:
            i = 0
            while i + 1 < len(sequence):
                if (sequence[i], sequence[i + 1]) == best:
                    sequence[i : i + 2] = [token]
                i += 1
    return learned


def trained_here(texts, vocabulary):
    return train(count_pieces(pa.array(texts), PRESET), vocabulary).pairs.tolist()


@pytest.mark.parametrize("which", ["english", "chinese", "mixed"])
def test_merges_of_real_text(which, real_texts):
    han = [sum("\u4e00" <= character <= "\u9fff" for character in text) / max(len(text), 1) for text in real_texts]
    chosen = {
        "english": [text for text, share in zip(real_texts, han) if share < 0.01],
        "chinese": [text for text, share in zip(real_texts, han) if share > 0.2],
        "mixed": real_texts,
    }[which][:60]
    assert len(chosen) > 10
    assert trained_here(chosen, 3000) == trained_by_tokenizers(chosen, 3000)


@given(st.lists(st.text(st.sampled_from("ab "), max_size=24), min_size=1, max_size=6))
@settings(max_examples=150)
def test_merges_with_many_ties(texts):
    assert trained_here(texts, 300) == trained_by_tokenizers(texts, 300)


@given(st.dictionaries(st.binary(min_size=1, max_size=12), st.integers(1, 4), min_size=1, max_size=8))
@settings(max_examples=150)
def test_merges_are_those_of_the_definition(words):
    ordered = sorted(words.items())
    table = pa.table(
        {"piece": pa.array([piece for piece, _ in ordered], pa.large_binary()), "count": [n for _, n in ordered]}
    )
    learned = train(table, 256 + 30)
    assert learned.pairs.tolist() == trained_slowly(ordered, 30)
    assert (np.diff(learned.counts) <= 0).all()


def test_one_letter_again_and_again():
    texts = ["a" * 1000, "aaa " * 50]
    assert trained_here(texts, 290) == trained_by_tokenizers(texts, 290)


def test_counts_beyond_32_bits():
    table = pa.table({"piece": pa.array([b"ab", b"cd"], pa.large_binary()), "count": [2**31 + 5, 2**40]})
    learned = train(table, 258)
    assert learned.counts.tolist() == [2**40, 2**31 + 5]
    assert learned.tokens()[256:] == [b"cd", b"ab"]


def test_too_little_text():
    table = count_pieces(pa.array(["abc abc"]), PRESET)
    learned = train(table, 1000)
    assert learned.vocabulary_size == 256 + 3  # ab, abc and the space before it
    with pytest.raises(ValueError, match="vocabulary 1000 is more than this text holds: it has pairs for 259 tokens"):
        train(table, 1000, strict=True)
    with pytest.raises(ValueError, match="vocabulary 255 is below 256"):
        train(table, 255)
    assert train(table.slice(0, 0), 300).vocabulary_size == 256


def test_rare_pairs_can_be_left_alone():
    table = count_pieces(pa.array(["ab ab cd"]), PRESET)
    assert train(table, 300, minimum_count=2).tokens()[256:] == [b"ab"]


def test_progress_reaches_the_end():
    calls = []
    train(count_pieces(pa.array(["hello world " * 3]), PRESET), 262, lambda done, asked: calls.append((done, asked)))
    assert calls[-1] == (262, 262)


def test_byte_ids_are_those_of_the_byte_level_alphabet():
    assert sorted(BYTE_OF_ID.tolist()) == list(range(256))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for byte in range(128):
        [(character, _)] = level.pre_tokenize_str(chr(byte))
        assert alphabet.index(character) == ID_OF_BYTE[byte]
