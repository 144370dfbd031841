# mypy: allow-untyped-defs
"""Representatives within a bounded number of pairs, and what is removed on the way through the dumps."""

from __future__ import annotations

import numpy as np
from numba import njit

OUTSIDE = -1  # represented by a copy in another corpus
ABSENT = -2  # of a dump that does not take part


@njit(nogil=True, cache=True)
def by_later(nodes, earlier, later):
    """Edges (integers [p]) grouped by their second node: offsets int64 [nodes + 1], the first nodes [p]."""
    offsets = np.zeros(nodes + 1, np.int64)
    for i in range(len(later)):
        offsets[later[i] + 1] += 1
    for node in range(nodes):
        offsets[node + 1] += offsets[node]
    grouped = np.empty_like(earlier)
    for i in range(len(later) - 1, -1, -1):  # fills every group from its end, so that offsets end as starts
        slot = offsets[later[i] + 1] - 1
        offsets[later[i] + 1] = slot
        grouped[slot] = earlier[i]
    for node in range(nodes):
        offsets[node] = offsets[node + 1]
    offsets[nodes] = len(later)
    return offsets, grouped


@njit(nogil=True, cache=True)
def represent(offsets, earlier, outside, dumps, last, limit):
    """The representative of every node among the nodes before it: int64 [n], itself if it stays, OUTSIDE or ABSENT.

    Args:
        offsets, earlier: of ``by_later``.
        outside: bool [n], documents with a copy in another corpus, which counts as one pair away.
        dumps: int64 [n]; only nodes of dumps up to ``last`` take part.
        limit: pairs that may lie between a document and what represents it.
    """
    nodes = len(outside)
    representative = np.full(nodes, ABSENT, np.int64)
    distance = np.zeros(nodes, np.int32)
    for node in range(nodes):
        if dumps[node] > last:
            continue
        best, nearest = node, limit + 1
        if outside[node]:
            best, nearest = OUTSIDE, 1
        for i in range(offsets[node], offsets[node + 1]):
            other = earlier[i]
            if representative[other] == ABSENT:
                continue
            away = distance[other] + 1
            if away > limit:
                continue
            if away < nearest or (away == nearest and representative[other] < best):
                best, nearest = representative[other], away
        representative[node] = best
        distance[node] = 0 if best == node else nearest
    return representative


@njit(nogil=True, cache=True)
def cover(offsets, neighbours, order, outside, dumps, last, limit):
    """The representative of every node where each one that stays takes all within ``limit`` pairs: int64 [n].

    A node's distance to the nearest one that stays only falls, so that no edge is walked more than ``limit`` times.

    Args:
        offsets, neighbours: the edges at each node, from both ends.
        order: int64 [n], nodes in the order of preference.
        outside, dumps, last: as for ``represent``.
    """
    nodes = len(outside)
    representative = np.full(nodes, ABSENT, np.int64)
    distance = np.full(nodes, limit + 1, np.int32)
    queue = np.empty(nodes, np.int64)
    for turn in range(-1, nodes):  # first those outside, all at once; then one that stays after another
        stop = 0
        if turn < 0:
            for node in range(nodes):
                if outside[node] and dumps[node] <= last:
                    distance[node], representative[node] = 1, OUTSIDE
                    queue[stop] = node
                    stop += 1
        else:
            node = order[turn]
            if dumps[node] > last or distance[node] <= limit:
                continue
            distance[node], representative[node] = 0, node
            queue[0] = node
            stop = 1
        start = 0
        while start < stop:
            node = queue[start]
            start += 1
            away = distance[node] + 1
            if away > limit:
                break  # the queue is in the order of distance
            for i in range(offsets[node], offsets[node + 1]):
                other = neighbours[i]
                if dumps[other] <= last and away < distance[other]:
                    distance[other], representative[other] = away, representative[node]
                    queue[stop] = other
                    stop += 1
    return representative


@njit(nogil=True, cache=True)
def distances(offsets, neighbours, groups, stays, outside):
    """Pairs between every node and the one that stays for it, breadth-first within its group: int32 [n].

    0 for what stays, 1 for what has a copy in another corpus; -1 where nothing that stays can be reached.

    Args:
        offsets, neighbours: the edges at each node, from both ends.
        groups: integers [n]; no path leads from one to another.
        stays, outside: bool [n]; of one group, only nodes of one of the two kinds are true.
    """
    distance = np.full(len(groups), -1, np.int32)
    queue = np.empty(len(groups), np.int64)
    start = stop = 0
    for node in range(len(groups)):
        if stays[node] or outside[node]:
            distance[node] = 1 if outside[node] else 0
            queue[stop] = node
            stop += 1
    while start < stop:
        node = queue[start]
        start += 1
        for i in range(offsets[node], offsets[node + 1]):
            other = neighbours[i]
            if distance[other] < 0 and groups[other] == groups[node]:
                distance[other] = distance[node] + 1
                queue[stop] = other
                stop += 1
    return distance


@njit(nogil=True, cache=True)
def removed_as_documents_come(representative, dumps, axis, minimum):
    """Documents removed with each dump (int64 [axis]), where no later document changes what an earlier one is.

    ``representative``: of ``represent``, for nodes of dump positions (int64 [n]) that never fall.
    """
    sizes = np.zeros(len(representative), np.int64)
    removed = np.zeros(axis, np.int64)
    for node in range(len(representative)):
        top = representative[node]
        if top == OUTSIDE:
            removed[dumps[node]] += 1
            continue
        sizes[top] += 1
        if sizes[top] == minimum:
            removed[dumps[node]] += minimum - 1
        elif sizes[top] > minimum:
            removed[dumps[node]] += 1
    return removed
