# mypy: allow-untyped-defs
"""Cutting MinHash values to 16 bits and comparing them."""

from __future__ import annotations

import numpy as np
from numba import njit

from text.hashing import mix64

_FACTOR = np.uint32(0x9E3779B1)
_TOP_HALF = np.uint32(16)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def digests(minima):
    """uint16 [n, k]: the upper half of each value (uint32 [n, k]) times an odd constant."""
    out = np.empty(minima.shape, np.uint16)
    for i in range(minima.shape[0]):
        for j in range(minima.shape[1]):
            out[i, j] = np.uint16(np.uint32(minima[i, j] * _FACTOR) >> _TOP_HALF)
    return out


@njit(nogil=True, cache=True)
def equal_values(left, left_rows, right, right_rows, values):
    """int32 [p]: equal ones among the first ``values`` of ``left[left_rows[i]]`` and ``right[right_rows[i]]``."""
    out = np.empty(len(left_rows), np.int32)
    for i in range(len(left_rows)):
        a, b = left_rows[i], right_rows[i]
        equal = np.uint32(0)
        for j in range(values):
            equal += np.uint32(left[a, j] == right[b, j])
        out[i] = equal
    return out


@njit(nogil=True, cache=True)
def shared_buckets(left, left_rows, right, right_rows, bands, rows):
    """The pair and the bucket of every band in which a pair agrees; see ``dedup.digests.shared_buckets``."""
    pairs = np.empty(bands * len(left_rows), np.int64)
    buckets = np.empty(bands * len(left_rows), np.uint64)
    found = 0
    for i in range(len(left_rows)):
        a, b = left_rows[i], right_rows[i]
        for band in range(bands):
            value = mix64(np.uint64(band + 1) * _GOLDEN)
            shared = True
            for j in range(band * rows, band * rows + rows):
                if left[a, j] != right[b, j]:
                    shared = False
                    break
                value = mix64((value ^ np.uint64(left[a, j])) + _GOLDEN)
            if shared:
                pairs[found], buckets[found] = i, value
                found += 1
    return pairs[:found].copy(), buckets[:found].copy()
