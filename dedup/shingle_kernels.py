# mypy: allow-untyped-defs
"""Shingles of UTF-8 text, hashed as their words are cut, and Jaccard similarities of sets of them.

The hash of a shingle is the polynomial of its word hashes modulo 2^64, which rolls: one word enters and one leaves for
two multiplications whatever n is. A last mix makes neighbours unrelated.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from text.hashing import mix64, power
from text.word_kernels import next_word

SHINGLE_FACTOR = np.uint64(0x9FB21C651E98DF25)


@njit(nogil=True, cache=True)
def distinct_shingles(data, offsets, table, ngram, seed):
    """The sorted, distinct shingle hashes of each document; see ``dedup.shingles.distinct_shingles``."""
    documents = len(offsets) - 1
    start, points = data.ctypes.data, table.ctypes.data
    leaving = power(SHINGLE_FACTOR, ngram)
    salt = mix64(seed + SHINGLE_FACTOR)
    ring = np.zeros(ngram, np.uint64)
    out_offsets = np.zeros(documents + 1, np.int64)
    out = np.empty(1024, np.uint64)
    used = 0
    for document in range(documents):
        position, stop = start + offsets[document], start + offsets[document + 1]
        ring[:] = 0
        slot = 0
        words = 0
        rolling = np.uint64(0)
        first = used
        while True:
            word, position, found = next_word(position, stop, points)
            if found:
                rolling = rolling * SHINGLE_FACTOR + word - ring[slot] * leaving
                ring[slot] = word
                slot = slot + 1 if slot + 1 < ngram else 0
                words += 1
            if words >= ngram if found else 0 < words < ngram:
                if used == len(out):
                    out = np.concatenate((out, np.empty(len(out), np.uint64)))
                out[used] = mix64(rolling ^ salt)
                used += 1
            if not found:
                break
        shingles = np.sort(out[first:used])
        used = first
        for i in range(len(shingles)):
            if i == 0 or shingles[i] != shingles[i - 1]:
                out[used] = shingles[i]
                used += 1
        out_offsets[document + 1] = used
    return out[:used].copy(), out_offsets


@njit(nogil=True, cache=True)
def jaccard_of_sorted(left, right):
    """Jaccard similarity of two ascending, distinct uint64 arrays; 0 when both are empty."""
    i = j = shared = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            shared += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    union = len(left) + len(right) - shared
    return shared / union if union else 0.0


@njit(nogil=True, cache=True)
def jaccard_of_rows(left, left_offsets, left_rows, right, right_offsets, right_rows):
    """float64 [p]: Jaccard similarity of sets ``left_rows[i]`` and ``right_rows[i]`` of two collections of sets."""
    out = np.empty(len(left_rows), np.float64)
    for p in range(len(left_rows)):
        i, i_stop = left_offsets[left_rows[p]], left_offsets[left_rows[p] + 1]
        j, j_stop = right_offsets[right_rows[p]], right_offsets[right_rows[p] + 1]
        both = (i_stop - i) + (j_stop - j)
        shared = 0
        while i < i_stop and j < j_stop:
            a, b = left[i], right[j]
            shared += a == b
            i += a <= b
            j += b <= a
        out[p] = shared / (both - shared) if both else 1.0
    return out
