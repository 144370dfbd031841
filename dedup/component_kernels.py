# mypy: allow-untyped-defs
"""Union-find and dense numbering.

Roots are linked towards the smaller node, and finding halves paths (Tarjan and van Leeuwen 1984), so nothing recurses
and a chain of millions of documents costs no more than a star.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dedup.radix_kernels import sort_by


@njit(nogil=True, cache=True)
def number(values):
    """Distinct ``values`` (uint64 [m]), ascending, and the position (int32 [m]) of each value among them.

    For at most 2³¹ values, which the caller sees to: half the memory of wider positions.
    """
    ordered, slots = sort_by(values, np.arange(len(values)).astype(np.int32))
    rows = np.empty(len(values), np.int32)
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
def union(nodes, left, right):
    """Parents (int64 [nodes]) after joining the ends of every edge (integers [p]), towards the smaller root."""
    parents = np.arange(nodes)
    for i in range(len(left)):
        a, b = find(parents, left[i]), find(parents, right[i])
        if a != b:
            parents[max(a, b)] = min(a, b)
    return parents


@njit(nogil=True, cache=True)
def roots(parents):
    """The root of every node. A parent is never larger than its child, so one ascending sweep finds all."""
    out = np.empty_like(parents)
    for i in range(len(parents)):
        out[i] = i if parents[i] == i else out[parents[i]]
    return out


@njit(nogil=True, cache=True)
def removed_by_joining(outside, positions, earlier, later, order, axis, minimum, within):
    """Documents removed with each dump as its pairs join clusters: int64 [axis].

    Of a cluster all but one go; all of them where one has a copy in another corpus; none below ``minimum`` documents.

    Args:
        outside: bool [n]; ``positions``: integers [n], the dump of each node; ``earlier``, ``later``: integers [p].
        order: integers [p], the edges in the order of the dump that completes them.
        within: whether only the edges inside a dump count.
    """
    parents = np.arange(len(outside))
    sizes = np.ones(len(outside), np.int64)
    gone = outside.copy()
    removed = np.zeros(axis, np.int64)
    for node in range(len(outside)):
        removed[positions[node]] += outside[node]
    for i in order:
        dump = positions[later[i]]
        if within and positions[earlier[i]] != dump:
            continue
        a, b = find(parents, earlier[i]), find(parents, later[i])
        if a == b:
            continue
        top, below = min(a, b), max(a, b)
        removed[dump] -= _removed(sizes[a], gone[a], minimum) + _removed(sizes[b], gone[b], minimum)
        parents[below] = top
        sizes[top] += sizes[below]
        gone[top] |= gone[below]
        removed[dump] += _removed(sizes[top], gone[top], minimum)
    return removed


@njit
def _removed(size, gone, minimum):
    if gone:
        return size
    return size - 1 if size >= minimum else 0
