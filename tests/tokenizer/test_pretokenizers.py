"""The scanner cuts every text exactly where the seven steps in `tokenizers` cut it."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from tokenizer.pretokenizers import PRETOKENIZERS, from_tokenizers, pretokenizer
from tokenizer.class_kernels import NUMBER, SPACE
from tokenizer.scanner_kernels import piece_ends

EVERY_POINT = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]


def in_tokenizers(preset):
    """The preset's pre-tokenizer as `tokenizers` runs it."""
    document = json.loads(Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = preset.to_tokenizers()
    return Tokenizer.from_str(json.dumps(document)).pre_tokenizer


ORACLES = {name: in_tokenizers(preset) for name, preset in PRETOKENIZERS.items()}
AWKWARD = st.sampled_from(list(" \t\n\r\u3000\u2003\u00a0aZéßю中か한م!-،。7½②\U0001f642\u0301"))


def scanned(text, preset):
    """Byte ends of the pieces, from the scanner."""
    data = np.frombuffer(text.encode(), np.uint8)
    return piece_ends(data, 0, len(data), *preset.tables).tolist()


def expected(text, name):
    """Byte ends of the pieces, from `tokenizers`, whose byte-level pieces have one character a byte."""
    return list(itertools.accumulate(len(piece) for piece, _ in ORACLES[name].pre_tokenize_str(text)))


def representatives(preset):
    """Three code points of every kind: the first, one in the middle, the last."""
    kinds = preset.tables.kinds
    chosen = []
    for kind in range(kinds.max() + 1):
        points = [point for point in np.flatnonzero(kinds == kind).tolist() if not 0xD800 <= point < 0xE000]
        chosen.append([chr(points[i]) for i in (0, len(points) // 2, -1)])
    return chosen


@pytest.mark.parametrize("name", PRETOKENIZERS)
def test_every_code_point(name):
    preset = PRETOKENIZERS[name]
    kinds = preset.tables.kinds
    plain = kinds[0x627]  # an Arabic letter, which is in no class: whatever is in one is cut off it
    classed = [point for point in EVERY_POINT if kinds[point] != plain]
    contexts = [("\u0627", "", EVERY_POINT), ("a", "b", classed), (" ", "é", classed), ("7 ", "-", classed)]
    for before, behind, points in contexts:
        for start in range(0, len(points), 128):
            text = "".join(f"{before}{chr(point)}{behind}" for point in points[start : start + 128])
            assert scanned(text, preset) == expected(text, name), hex(points[start])


@pytest.mark.parametrize("name", PRETOKENIZERS)
def test_all_sequences_of_kinds(name):
    preset = PRETOKENIZERS[name]
    chosen = representatives(preset)
    for text in map("".join, itertools.product(itertools.chain.from_iterable(chosen), repeat=2)):
        assert scanned(text, preset) == expected(text, name), ascii(text)
    for text in map("".join, itertools.product([kind[0] for kind in chosen], repeat=3)):
        assert scanned(text, preset) == expected(text, name), ascii(text)


@pytest.mark.parametrize("name", PRETOKENIZERS)
def test_white_space_before_everything(name):
    """Runs of white space are the only place where the scanner looks ahead."""
    preset = PRETOKENIZERS[name]
    for text in map("".join, itertools.product(" \t\u3000\u2003aé!م中7\n\U0001f642", repeat=4)):
        assert scanned(text, preset) == expected(text, name), ascii(text)


@pytest.mark.parametrize("name", PRETOKENIZERS)
@given(text=st.text(max_size=60) | st.text(AWKWARD, max_size=40))
@settings(max_examples=3000)
def test_any_text(name, text):
    assert scanned(text, PRETOKENIZERS[name]) == expected(text, name)


@pytest.mark.parametrize("name", PRETOKENIZERS)
def test_real_text(name, real_texts, shared_data):
    naughty = (shared_data / "text" / "naughty-strings.txt").read_text("utf-8").split("\n")
    for text in [*real_texts[::3], *naughty]:
        assert scanned(text, PRETOKENIZERS[name]) == expected(text, name)


def test_published_json_is_what_the_preset_writes(shared_data, deepseek):
    published = json.loads((shared_data / "text" / "deepseek-llm-pre_tokenizer.json").read_text())
    assert deepseek.to_tokenizers() == published
    assert from_tokenizers(published) is deepseek


def test_known_quirks(deepseek):
    def pieces(text):
        ends = [0, *scanned(text, deepseek)]
        return [text.encode()[a:b].decode() for a, b in itertools.pairwise(ends)]

    assert pieces("Führer naïve") == ["F", "ü", "hrer", " na", "ï", "ve"]
    assert pieces("a 12\n\nb  c") == ["a", " ", "1", "2", "\n", "\n", "b", " ", " c"]
    assert pieces("我 ok，好") == ["我", " ok", "，", "好"]


def test_frozen_sets_are_those_of_tokenizers(deepseek):
    kinds, _, classes = deepseek.tables
    bits = classes[kinds]
    white = pre_tokenizers.Split(Regex(r"\s"), "isolated")
    digits = pre_tokenizers.Digits(individual_digits=True)
    for point in EVERY_POINT:
        character = chr(point)
        if character not in "\r\n":
            assert bool(bits[point] & SPACE) == (len(white.pre_tokenize_str(character * 2)) == 2), hex(point)
        assert bool(bits[point] & NUMBER) == (len(digits.pre_tokenize_str(character * 2)) == 2), hex(point)


def test_fingerprint_is_of_the_pieces_not_the_name(deepseek):
    assert deepseek.fingerprint == "d4a75588111ddbe716f0fb2f73a2e927170bb3351b78aa1f74e91ee0402d95ff"


def test_unknown_names_and_patterns_are_refused():
    with pytest.raises(ValueError, match=r"'deepseek-lm' is unknown: did you mean 'deepseek-llm'"):
        pretokenizer("deepseek-lm")
    with pytest.raises(ValueError, match=r"pre_tokenizer \(Whitespace\) is none that this reader runs"):
        from_tokenizers({"type": "Whitespace"})
