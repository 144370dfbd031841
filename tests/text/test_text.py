"""text/: the views, the decoder and the hashes against what plain Python says."""

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from text.arrow_buffers import text_array, text_buffers
from text.code_points import DIGIT, LETTER, NUMBER, PUNCTUATION, SPACE, UPPER, code_points
from text.hashing import below, hash_bytes, hash_texts, keyed_hash
from text.utf8_kernels import decode

FROZEN_TEXTS = [14339430525631324142, 14012659470848302303, 14925593892960497611, 2400046601530596805]
FROZEN_KEYS = [2968406379843219658, 15546829976024162702, 15754460497757378964]


@njit
def _decode_all(data):
    out = []
    position = 0
    while position < len(data):
        point, position = decode(data, position)
        out.append(point)
    return out


@given(st.text(min_size=1))
def test_decode_walks_every_code_point(string):
    data = np.frombuffer(string.encode("utf-8", "ignore"), np.uint8)
    if len(data):
        assert "".join(map(chr, _decode_all(data))) == string.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_buffers_of_slices_nulls_and_chunks(kind):
    strings = ["zero", None, "", "größer", "漢字"]
    whole = pa.array(strings, kind)
    for column in [whole, whole[1:], whole[2:4], whole[:0], pa.chunked_array([whole[:2], whole[2:]])]:
        data, offsets = text_buffers(column)
        read = [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)]
        assert read == [s or "" for s in column.to_pylist()]
        assert text_array(data, offsets).to_pylist() == read
    assert text_buffers(pa.chunked_array([], kind))[1].tolist() == [0]


def test_tables_agree_with_unicodedata():
    flags, fold = code_points()
    names = {"L": LETTER, "N": NUMBER, "P": PUNCTUATION}
    for point in range(0x110000):
        character = chr(point)
        category = unicodedata.category(character)
        if category == "Cn":  # assigned in a later Unicode than this Python's
            continue
        for major, flag in names.items():
            assert bool(flags[point] & flag) == (category[0] == major), hex(point)
        assert bool(flags[point] & DIGIT) == (category == "Nd"), hex(point)
        assert bool(flags[point] & SPACE) == character.isspace(), hex(point)
        assert bool(flags[point] & UPPER) == character.isupper(), hex(point)
        if len(character.lower()) == 1:
            assert chr(fold[point]) == character.lower(), hex(point)


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 9))
def test_hash_bytes_depends_on_content_alone(left, right, pad):
    a = np.frombuffer(b"x" * pad + left, np.uint8)
    b = np.frombuffer(right, np.uint8)
    same = hash_bytes(a, pad, len(a), 7) == hash_bytes(b, 0, len(b), 7)
    assert same == (left == right)


def test_hash_values_are_frozen():
    """These decide outputs: a change here is a change of format."""
    data, offsets = text_buffers(pa.array(["", "a", "gristmill!", "漢字"]))
    assert hash_texts(data, offsets, 1).tolist() == FROZEN_TEXTS
    assert keyed_hash(np.array([0, 1, 2**63], np.uint64), 1).tolist() == FROZEN_KEYS


def test_keyed_hash_is_uniform_and_samples_nest():
    hashes = keyed_hash(np.arange(200_000, dtype=np.uint64), 3)
    counts = np.bincount((hashes >> np.uint64(56)).astype(np.int64), minlength=256)
    assert abs(counts - counts.mean()).max() < 6 * np.sqrt(counts.mean())
    tenth, fifth = below(hashes, 0.1), below(hashes, 0.2)
    assert abs(tenth.mean() - 0.1) < 0.004 and not (tenth & ~fifth).any()
    assert below(hashes, 1.0).all() and not below(hashes, 0.0).any()
