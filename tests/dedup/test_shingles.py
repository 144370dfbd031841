"""Words, shingles and their sets against plain Python."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_words import MASK, mix, word_hash, words_of

from dedup.shingle_kernels import SHINGLE_FACTOR
from dedup.shingles import distinct_shingles, exact_jaccard
from text.arrow_buffers import text_array

MIXED = st.text(
    st.one_of(
        st.sampled_from("aBz09 _-@[`{/:\n\x00\x7f"),
        st.sampled_from("éßǅЖжΩकิ漢語のｶกไ。，　½²\u0301\u200b🦀𝒜𠀀İ"),
        st.characters(exclude_categories=["Cs"]),
    )
)


def shingle_hashes(words: list[str], ngram: int, seed: int) -> list[int]:
    """One hash per run of ``ngram`` words; one of all words if there are fewer; none without words."""
    salt = mix(seed + int(SHINGLE_FACTOR) & MASK)
    shingles = [words[i : i + ngram] for i in range(max(1, len(words) - ngram + 1))] if words else []
    out = []
    for shingle in shingles:
        value = 0
        for word in shingle:
            value = (value * int(SHINGLE_FACTOR) + word_hash(word)) & MASK
        out.append(mix(value ^ salt))
    return out


@given(st.lists(MIXED, max_size=5), st.integers(1, 7), st.integers(0, MASK), st.booleans())
def test_shingles_equal_plain_python(texts, ngram, seed, large):
    shingles, offsets = distinct_shingles(pa.array(texts, pa.large_string() if large else pa.string()), ngram, seed)
    found = [shingles[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert found == [sorted(set(shingle_hashes(words_of(text), ngram, seed))) for text in texts]


@pytest.mark.parametrize("length", range(1, 20))
@pytest.mark.parametrize("tail", ["", " ", "é", "漢", ".x"])
def test_words_of_every_length_end_where_they_end(length, tail):
    """Word ends fall on every place of the eight bytes that are read at once, at the end of the buffer too."""
    text = "A" * length + tail
    for texts in ([text], [text, "tail of the next document"]):
        shingles, offsets = distinct_shingles(pa.array(texts), 1)
        assert shingles[: offsets[1]].tolist() == sorted(set(shingle_hashes(words_of(text), 1, 1)))


def test_real_text(snapshots):
    sample = snapshots.texts[::60]
    shingles, offsets = distinct_shingles(sample, 5)
    for text, (a, b) in zip(sample.to_pylist(), itertools.pairwise(offsets), strict=True):
        assert shingles[a:b].tolist() == sorted(set(shingle_hashes(words_of(text), 5, 1)))


def test_case_space_and_punctuation_do_not_count():
    shingles, offsets = distinct_shingles(
        pa.array(["The quick, brown FOX!\n", "the\tquick — brown fox", "漢字", "漢 字。"]), 2
    )
    sets = [shingles[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert sets[0] == sets[1] and len(sets[0]) == 3
    assert sets[2] == sets[3] and len(sets[2]) == 1


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_exact_jaccard(left, right):
    union = len(left | right)
    found = exact_jaccard(np.array(sorted(left), np.uint64), np.array(sorted(right), np.uint64))
    assert found == (len(left & right) / union if union else 0.0)


def test_a_shingle_has_words():
    with pytest.raises(ValueError, match="ngram = 0"):
        distinct_shingles(pa.array(["a"]), 0)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
def test_invalid_bytes_are_read_as_something_and_never_beyond_the_document(chunks):
    """Columns hold valid text by contract; a broken one must not read another document or the table's neighbour."""
    offsets = np.cumsum([0, *map(len, chunks)])
    column = text_array(np.frombuffer(b"".join(chunks) + b"\xf7\xbf\xbf\xbf", np.uint8), offsets)
    shingles, bounds = distinct_shingles(column, 2)
    for chunk, (a, b) in zip(chunks, itertools.pairwise(bounds), strict=True):
        alone, _ = distinct_shingles(text_array(np.frombuffer(chunk, np.uint8), np.array([0, len(chunk)])), 2)
        assert shingles[a:b].tolist() == alone.tolist()
