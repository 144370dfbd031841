# mypy: allow-untyped-defs
"""One document per cluster, given each one's root (int64 [n], the position of the cluster's smallest key)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def last_of_each(roots):
    """Marks (bool [n]) the last position of every root."""
    last = np.full(len(roots), -1, np.int64)
    for i in range(len(roots)):
        last[roots[i]] = i
    kept = np.zeros(len(roots), np.bool_)
    for root in range(len(roots)):
        if last[root] >= 0:
            kept[last[root]] = True
    return kept


@njit(nogil=True, cache=True)
def best_of_each(roots, scores):
    """Marks (bool [n]) the highest score (float64 [n]) of every root, the first among equals; NaN is the lowest."""
    best = np.full(len(roots), -1, np.int64)
    for i in range(len(roots)):
        holder = best[roots[i]]
        if holder < 0 or scores[i] > scores[holder] or (np.isnan(scores[holder]) and not np.isnan(scores[i])):
            best[roots[i]] = i
    kept = np.zeros(len(roots), np.bool_)
    for root in range(len(roots)):
        if best[root] >= 0:
            kept[best[root]] = True
    return kept


@njit(nogil=True, cache=True)
def first_of_each(labels, count):
    """The first position that has the label of each position: int64 [n], for labels (int64 [n]) in [0, count)."""
    first = np.full(count, -1, np.int64)
    out = np.empty(len(labels), np.int64)
    for i in range(len(labels)):
        if first[labels[i]] < 0:
            first[labels[i]] = i
        out[i] = first[labels[i]]
    return out
