"""Regular expressions turned into tables, and those left to `tokenizers`, cut as `tokenizers` does."""

import itertools
import json
import pickle
import random

import numpy as np
import pyarrow as pa
import pytest
from naughty import NAUGHTY, ends_in_tokenizers, in_tokenizers, piece_ends_of, pieces_of

from tokenizer import formats
from tokenizer.automaton import compile_patterns
from tokenizer.class_kernels import APART, KINDS, LOOK_AHEAD, TOGETHER
from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.merges import train
from tokenizer.pattern_syntax import UnsupportedPattern, parse
from tokenizer.patterns import UserPattern
from tokenizer.pretokenizers import PRETOKENIZERS, pretokenizer
from tokenizer.scanner_kernels import piece_ends
from tokenizer.spelling import isolated_splits

ALPHABET = "aabbB1 2 \n\r\t'sSl!é中\u017f\u3000"
CLASSES = (
    "a", "b", "'", " ", r"\s", r"\S", r"\p{L}", r"\P{L}", r"\p{N}", "[ab]", "[^a]", "[a-c1]", r"[\r\n]",
    r"[^\s\p{L}\p{N}]", r"[^\r\n\p{L}]", r"\x{4e2d}", r"[\p{L}\p{M}']", "(?i:s)", "(?i:'s|'ll)",
)  # fmt: skip
QUANTIFIERS = ("", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}")


def any_pattern(rng, depth=2):
    """An expression of up to three alternatives of up to three parts, of which groups go ``depth`` deep."""
    alternatives = []
    for _ in range(rng.randint(1, 3)):
        parts = []
        for _ in range(rng.randint(1, 3)):
            grouped = depth and rng.random() < 0.2
            part = f"(?:{any_pattern(rng, depth - 1)})" if grouped else rng.choice(CLASSES)
            parts.append(part + rng.choice(QUANTIFIERS))
        ahead = rng.choice(["", "", "", r"(?!\S)", r"(?!\s)", "(?![ab])", r"(?!\p{N})"])
        alternatives.append("".join(parts) + ahead)
    return "|".join(alternatives)


def scan(text, tables):
    data = np.frombuffer(text.encode(), np.uint8)
    return piece_ends(data, 0, len(data), *tables).tolist()


def run_on_tables_or_are_refused(rng, count, chain):
    """Compares ``count`` chains that the tables take, on generated texts."""
    compared = 0
    while compared < count:
        patterns = [*chain(rng), any_pattern(rng) + r"|\S|\s"]
        try:
            tables = compile_patterns(patterns)
        except UnsupportedPattern:
            continue
        compared += 1
        oracle = in_tokenizers(isolated_splits(patterns))
        for _ in range(15):
            text = "".join(rng.choices(ALPHABET, k=rng.randint(1, 40)))
            assert scan(text, tables) == ends_in_tokenizers(text, oracle), (patterns, ascii(text))


def no_chain(rng):
    return []


def some_chain(rng):
    steps = ("[ab]+", r"\p{N}{1,3}", r"\p{N}", r"[\r\n]", r"\s+", "中", "(?:a|'){1,2}", "[^a]{3}", "ab", r"a\s?")
    return rng.sample(steps, rng.randint(1, 2))


def test_generated_expressions():
    run_on_tables_or_are_refused(random.Random(1), 150, no_chain)


def test_generated_chains():
    run_on_tables_or_are_refused(random.Random(2), 80, some_chain)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_thousands_of_generated_expressions_and_chains(seed):
    run_on_tables_or_are_refused(random.Random(100 + seed), 1500, no_chain)
    run_on_tables_or_are_refused(random.Random(200 + seed), 500, some_chain)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("a+?", "lazy, possessive or double quantifier"),
        ("a++", "lazy, possessive or double quantifier"),
        ("a*{2}", "lazy, possessive or double quantifier"),
        (r"(?=a)", r"'?\(\?=a"),
        (r"(?<!a)b", r"\(\?<!"),
        (r"(?!ab)c", "look-ahead at more than one class"),
        (r"(?:(?!a))+", "may be empty|repeated"),
        (r"^a|\s$", "'\\^'"),
        (r"a$", r"'\$'"),
        (".", r"'\.'"),
        (r"\w+", r"\\w"),
        (r"\bx", r"\\b"),
        (r"\d", r"\\d"),
        (r"\p{Lu}", r"\\p\{Lu\}"),
        ("[[:alpha:]]", "inside a class"),
        ("[a&&b]", "inside a class"),
        ("[z-a]", "range"),
        ("[ab", "early end"),
        ("(a", "unclosed group"),
        ("a)", "unopened group"),
        ("(?i:st)", "ligature"),
        ("(?i:a+)", r"inside \(\?i"),
        ("(?i:é)", r"inside \(\?i"),
        ("a{100}", r"\{100\}"),
        ("a*", "empty text"),
        ("a|", "empty text"),
        ("(?:a?)+", "empty text"),
        ("ab|a", "does not match every text"),
        (r"[^\s]+", "does not match every text"),
        ("|".join(f"[{chr(97 + i)}{chr(98 + i)}]" for i in range(16)), "kinds of characters"),
        (r"(?:a|b){32}(?:a|c){32}|\S|\s", "states"),
    ],
)
def test_what_does_not_become_tables_is_refused_by_name(pattern, what):
    with pytest.raises(UnsupportedPattern, match=what):
        compile_patterns([pattern])


def test_a_chain_refuses_steps_that_look_ahead():
    with pytest.raises(UnsupportedPattern, match=r"'ab\?c' looks ahead"):
        compile_patterns(["ab?c", r"\S|\s"])


def test_parse_reads_what_it_takes_to_the_end():
    assert len(parse("a|b|c").parts) == 3
    with pytest.raises(UnsupportedPattern, match="character 3 of"):
        parse("a|b)")


def test_equal_expressions_give_equal_tables():
    one, two = compile_patterns([r"[a-c]+|[^a-c]"]), compile_patterns([r"(?:[abc])+|[^abc]"])
    assert all(np.array_equal(left, right) for left, right in zip(one, two))


# Expressions of tokenizers in use: the tables take the first four, `tokenizers` runs the others.
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
FAST = [QWEN2, r" ?\S+|\s+", r"\s?[^\s]|\s", r"\p{L}+|\P{L}+"]
SLOW = [O200K, r"\w+", r"\d{1,3}(?=(?:\d{3})*\b)", r"(?<=\s)\S+|$", "."]


@pytest.mark.parametrize("pattern", [*FAST, *SLOW])
def test_users_expressions_cut_as_tokenizers(pattern, sentences):
    own = pretokenizer({"regex": pattern})
    assert (own.tables is None) == bool(own.slow_because) == (pattern in SLOW)
    oracle = in_tokenizers(own.to_tokenizers())
    rng = random.Random(3)
    generated = ["".join(rng.choices(ALPHABET, k=30)) for _ in range(300)]
    for text in [*NAUGHTY, *sentences, *generated]:
        assert piece_ends_of(text, own) == ends_in_tokenizers(text, oracle), ascii(text)


@pytest.mark.parametrize(
    "choice", [*PRETOKENIZERS, *({"regex": pattern} for pattern in (QWEN2, O200K, r"\w+"))], ids=str
)
def test_every_choice_counts_trains_encodes_and_loads(choice, sentences, tmp_path, as_hugging_face):
    own = pretokenizer(choice)
    texts = pa.array([*sentences, "", None, *NAUGHTY], pa.large_string())
    counts = count_pieces(texts, own)
    plain = [text or "" for text in texts.to_pylist()]
    pieces = sorted({piece.encode() for text in plain for piece in pieces_of(text, own)})
    assert counts["piece"].to_pylist() == pieces
    sliced = count_pieces(texts.slice(3, 5), own)
    assert sliced.equals(count_pieces(pa.array(plain[3:8], pa.large_string()), own))

    trained = Tokenizer(own, train(counts, 500))
    formats.save(trained, tmp_path)
    loaded = formats.load(tmp_path)
    assert loaded.hash == trained.hash and loaded.pretokenizer.name == own.name
    theirs = as_hugging_face(loaded)
    encoder = pickle.loads(pickle.dumps(Encoder(loaded)))
    encoded = encoder.encode(texts)
    bounds = itertools.pairwise(encoded.offsets.tolist())
    assert [encoded.tokens[a:b].tolist() for a, b in bounds] == [theirs.encode(text).ids for text in plain]
    assert encoder.decode_batch(*encoded).to_pylist() == [text.encode() for text in plain]


def look_ups(text, tables):
    """The marks of a text and how many look-ups they took: the walk of ``pattern_kernels`` in plain Python."""
    kinds = [*tables.kinds[[ord(character) for character in text]].tolist(), 0]
    steps = tables.classes[KINDS + 1 :].tolist()
    going_on, anew = steps[: len(steps) // 2], steps[len(steps) // 2 :]
    entry, marks, taken = 0, [], 0
    for i, (kind, following) in enumerate(itertools.pairwise(kinds)):
        state = entry & 63
        entry = int(tables.windows[kind << 12 | following << 8 | entry])
        taken += 1
        if entry >> 6 == LOOK_AHEAD:
            ahead = first = going_on[state << 4 | kind] >> 1
            entry = APART << 6 | anew[state << 4 | kind]
            for later in kinds[i + 1 :]:
                taken += 1
                step = going_on[ahead << 4 | later]
                ahead = step >> 1
                if step & 1:
                    entry = TOGETHER << 6 | first
                if step & 1 or not ahead:
                    break
        marks.append(entry >> 6)
    return marks, taken


@pytest.mark.parametrize("name", ["deepseek-v3", "gpt2", "gpt4"])
def test_looking_ahead_is_linear(name):
    tables = PRETOKENIZERS[name].tables
    units = ["a", " ", "\n", "'", "7", "!", "\0", "中", "\t", "'l", "\r\n"]
    for chosen in itertools.product(units, repeat=3):
        for text in ("".join(chosen) * 60, "".join(unit * 60 for unit in chosen) * 2):
            marks, taken = look_ups(text, tables)
            assert taken <= 3 * len(text), ascii(text[:12])
        starts = [0, *np.cumsum([len(piece) for piece in pieces_of(text, PRETOKENIZERS[name])]).tolist()[:-1]]
        assert np.flatnonzero(marks).tolist() == starts


def test_users_expressions_have_fingerprints_of_their_own():
    one, two = UserPattern(r"\w+"), UserPattern(r"\w+|\s")
    assert one.fingerprint == UserPattern(r"\w+").fingerprint != two.fingerprint
    assert one.name == r"regex \w+"
    assert json.dumps(one.to_tokenizers())


def test_what_is_no_expression_is_one_line():
    with pytest.raises(ValueError, match=r"^regex '\(a' is none that `tokenizers` reads: .*[^\n]$") as refusal:
        pretokenizer({"regex": "(a"})
    assert "\n" not in str(refusal.value)
