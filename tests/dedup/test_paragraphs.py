"""Paragraphs against a plain-Python reading of text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_words import MASK, mix, without, word_hash, words_of

from dedup.paragraph_kernels import PARAGRAPH_SEED, STEP
from dedup.paragraphs import groups, paragraphs, without_lines

LINES = st.sampled_from(
    ["", " ", "\t\r", "\u3000\u00a0", "...", "one", "One!", "two words", "Two, WORDS", "three short words",
     "汉字两个", "汉 字 两 个。", "naïve façade – здесь", "a" * 40, "word " * 12]
)  # fmt: skip
TEXTS = st.one_of(st.lists(LINES, max_size=9).map("\n".join), st.text(st.characters(exclude_categories=["Cs"])))


def paragraph_hash(words: list[str]) -> int:
    value = int(PARAGRAPH_SEED)
    for word in words:
        value = mix(((value ^ word_hash(word)) + int(STEP)) & MASK)
    return value


def paragraphs_of(texts: list[str], minimum: int) -> list[tuple[int, int, int, int, bool]]:
    found = []
    for row, text in enumerate(texts):
        words = [words_of(line) for line in text.split("\n")]
        others = any(0 < len(each) < minimum for each in words)
        found += [
            (row, number, paragraph_hash(words[number]), len(line.encode()), others)
            for number, line in enumerate(text.split("\n"))
            if len(words[number]) >= minimum
        ]
    return found


@given(st.lists(TEXTS, max_size=5), st.integers(1, 13), st.booleans())
def test_paragraphs_equal_plain_python(texts, minimum, large):
    found = paragraphs(pa.array(texts, pa.large_string() if large else pa.string()), minimum)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == paragraphs_of(texts, minimum)
    assert [column.dtype for column in found] == ["int64", "uint32", "uint64", "uint32", "bool"]


def test_real_text(snapshots):
    sample = snapshots.texts[::60]
    for minimum in (1, 10):
        found = paragraphs(sample, minimum)
        assert list(zip(*(column.tolist() for column in found), strict=True)) == paragraphs_of(
            sample.to_pylist(), minimum
        )


def test_different_paragraphs_have_different_hashes_and_equal_words_the_same(snapshots):
    texts = snapshots.texts.to_pylist()
    words = {tuple(words_of(line)) for text in texts[::7] for line in text.split("\n")} - {()}
    hashes = {paragraph_hash(list(each)) for each in words}
    assert len(hashes) == len(words) > 5000
    same = paragraphs(
        pa.array(["The quick, brown FOX!", "the\tquick — brown\u3000fox", "the quick fox brown"]), 1
    ).hashes
    assert same[0] == same[1] != same[2]


def test_a_paragraph_has_a_word():
    with pytest.raises(ValueError, match="minimum_words = 0"):
        paragraphs(pa.array(["a"]), 0)


@given(st.lists(st.tuples(TEXTS, st.sets(st.integers(0, 12))), max_size=5))
def test_texts_without_lines_equal_plain_python(documents):
    texts = [text for text, _ in documents]
    dropped = [{line for line in lines if line <= text.count("\n")} for text, lines in documents]
    rows = np.repeat(np.arange(len(texts)), [len(lines) for lines in dropped])
    lines = np.array([line for lines in dropped for line in sorted(lines)], np.uint32)
    edited = without_lines(pa.array(texts, pa.string()), rows, lines)
    assert edited.to_pylist() == [without(text, gone) for text, gone in zip(texts, dropped, strict=True)]
    edited.validate(full=True)


@pytest.mark.parametrize(
    ("text", "dropped", "left"),
    [
        ("a\nb\nc", {1}, "a\nc"),
        ("a\n\nb\n\nc\n", {2}, "a\n\nc\n"),
        ("a\n\nb\n\nc\n", {4}, "a\n\nb"),
        ("a\n\nb\n\nc\n", {0}, "b\n\nc\n"),
        ("\n\na\n \n", {2}, ""),
        ("a\n\nb", {0, 2}, ""),
        ("a\n\n\nb", set(), "a\n\n\nb"),
    ],
)
def test_no_gap_stays_behind(text, dropped, left):
    texts = pa.array(["before", text, "behind"]).slice(1)
    edited = without_lines(texts, np.zeros(len(dropped), np.int64), np.array(sorted(dropped), np.uint32))
    assert edited.to_pylist() == [left, "behind"]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 2**33)), max_size=40))
def test_groups_equal_plain_python(rows):
    hashes = np.array([value << 60 | value for value, _ in rows], np.uint64)
    found = groups(hashes, np.array([count for _, count in rows], np.int64))
    places: dict[int, list[int]] = {}
    for place, value in enumerate(hashes.tolist()):
        places.setdefault(value, []).append(place)
    assert found.hashes.tolist() == sorted(places)
    assert found.first.tolist() == [places[value][0] for value in sorted(places)]
    assert found.copies.tolist() == [sum(rows[place][1] for place in places[value]) for value in sorted(places)]
    assert found.repeats.tolist() == [place != places[value][0] for place, value in enumerate(hashes.tolist())]
