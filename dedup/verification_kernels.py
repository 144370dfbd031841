# mypy: allow-untyped-defs
"""Comparing signatures value by value."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def _equal_values(minima, left, right):
    """How many values two rows of ``minima`` (uint32 [d, k]) share."""
    equal = np.uint32(0)
    for j in range(minima.shape[1]):
        equal += np.uint32(minima[left, j] == minima[right, j])
    return np.int64(equal)


@njit(nogil=True, cache=True)
def jaccard_of_pairs(left, right):
    """float32 [p]: the share of equal values of row i of both matrices (uint32 [p, k])."""
    out = np.empty(len(left), np.float32)
    for i in range(len(left)):
        equal = np.uint32(0)
        for j in range(left.shape[1]):
            equal += np.uint32(left[i, j] == right[i, j])
        out[i] = equal / left.shape[1]
    return out


@njit(nogil=True, cache=True)
def jaccard_of_rows(minima, left, right):
    """float32 [p]: the share of equal values of rows ``left[i]`` and ``right[i]`` (int64 [p])."""
    out = np.empty(len(left), np.float32)
    for i in range(len(left)):
        out[i] = _equal_values(minima, left[i], right[i]) / minima.shape[1]
    return out
