# mypy: allow-untyped-defs
"""Union-find and dense numbering."""

from __future__ import annotations

import numpy as np
from numba import njit

from dedup.radix_kernels import sort_by


@njit(nogil=True, cache=True)
def number(values):
    """Distinct ``values`` (uint64 [m]), ascending, and the position (int64 [m]) of each value among them."""
    ordered, slots = sort_by(values, np.arange(len(values)).astype(np.uint64))
    rows = np.empty(len(values), np.int64)
    used = 0
    for i in range(len(ordered)):
        if i == 0 or ordered[i] != ordered[used - 1]:
            ordered[used] = ordered[i]
            used += 1
        rows[slots[i]] = used - 1
    return ordered[:used].copy(), rows


@njit
def find(parents, node):
    """The root of ``node``; every second node on the way is moved to its grandparent."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@njit(nogil=True, cache=True)
def unite(parents, left, right):
    """Joins the edges' components in ``parents`` (int64 [d]), towards the smaller root; returns how many joined two."""
    joined = 0
    for i in range(len(left)):
        a, b = find(parents, left[i]), find(parents, right[i])
        if a != b:
            parents[max(a, b)] = min(a, b)
            joined += 1
    return joined


@njit(nogil=True, cache=True)
def union(nodes, left, right):
    """Parents (int64 [nodes]) after joining the ends of every edge (int64 [p]), and the number of real joins."""
    parents = np.arange(nodes)
    return parents, unite(parents, left, right)


@njit(nogil=True, cache=True)
def roots(parents):
    """The root of every node. A parent is never larger than its child, so one ascending sweep finds all."""
    out = np.empty_like(parents)
    for i in range(len(parents)):
        out[i] = i if parents[i] == i else out[parents[i]]
    return out
