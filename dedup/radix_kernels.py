# mypy: allow-untyped-defs
"""Sorting pairs of uint64 in linear time: the grouping behind buckets, distinct pairs and dense numbering.

Least significant digit first, 11 bits a pass; a digit in which all values agree costs no pass, so keys of one dump or
hashes of one partition sort faster. The order is total and stable, hence the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BITS = 11
_DIGITS = 6  # 6 * 11 >= 64
_SIZE = 1 << _BITS
_MASK = np.uint64(_SIZE - 1)


@njit
def _scatter(by, along, by_out, along_out, shift, starts):
    """Moves both arrays into the order of one digit of ``by``; ``starts`` int64 [2048] is consumed."""
    for i in range(len(by)):
        digit = (by[i] >> shift) & _MASK
        slot = starts[digit]
        starts[digit] = slot + 1
        by_out[slot] = by[i]
        along_out[slot] = along[i]


@njit(nogil=True, cache=True)
def sort_by(by, along):
    """Stable sort of two uint64 arrays of one length by the first; returns both in order, inputs untouched."""
    n = len(by)
    ordered = True
    for i in range(1, n):
        if by[i] < by[i - 1]:
            ordered = False
            break
    by, along = by.copy(), along.copy()
    if ordered:
        return by, along
    counts = np.zeros((_DIGITS, _SIZE), np.int64)
    for i in range(n):
        value = by[i]
        for digit in range(_DIGITS):
            counts[digit, value & _MASK] += 1
            value >>= np.uint64(_BITS)
    by_out, along_out = np.empty_like(by), np.empty_like(along)
    for digit in range(_DIGITS):
        shift = np.uint64(_BITS * digit)
        if counts[digit, (by[0] >> shift) & _MASK] == n:
            continue
        total = 0
        for value in range(_SIZE):
            size = counts[digit, value]
            counts[digit, value] = total
            total += size
        _scatter(by, along, by_out, along_out, shift, counts[digit])
        by, by_out = by_out, by
        along, along_out = along_out, along
    return by, along


@njit(nogil=True, cache=True)
def sort_pairs(major, minor):
    """Sorts pairs of uint64 by ``major``, ties by ``minor``; returns both columns in order."""
    minor, major = sort_by(minor, major)
    return sort_by(major, minor)
