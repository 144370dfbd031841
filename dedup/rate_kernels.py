# mypy: allow-untyped-defs
"""Counting clusters by the dumps they reach."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def overlap(clusters, positions, dumps):
    """See ``dedup.rates.overlap``; rows sorted by cluster (uint64 [n]) and dump position (int64 [n])."""
    matrix = np.zeros((dumps, dumps), np.int64)
    reached = np.empty(dumps, np.int64)
    members = np.empty(dumps, np.int64)
    start = 0
    while start < len(clusters):
        count = 0
        stop = start
        while stop < len(clusters) and clusters[stop] == clusters[start]:
            if stop == start or positions[stop] != positions[stop - 1]:
                reached[count] = positions[stop]
                members[count] = 0
                count += 1
            members[count - 1] += 1
            stop += 1
        for i in range(count):
            for j in range(count):
                if i != j or members[i] > 1:
                    matrix[reached[i], reached[j]] += members[i]
        start = stop
    return matrix
