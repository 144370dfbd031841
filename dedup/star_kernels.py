# mypy: allow-untyped-defs
"""Large-star and small-star over adjacency rows sorted by node and neighbour."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def large_star(nodes, neighbours):
    """See ``dedup.star_rounds.large_star``; rows (uint64 [m] each) sorted, repetitions allowed."""
    ends, centres = np.empty_like(nodes), np.empty_like(nodes)
    moved = np.zeros(len(nodes), np.bool_)
    used = 0
    for i in range(len(nodes)):
        node, neighbour = nodes[i], neighbours[i]
        if i == 0 or node != nodes[i - 1]:
            smallest = min(node, neighbour)  # rows are sorted: the first neighbour is the smallest
        elif neighbour == neighbours[i - 1]:
            continue
        if neighbour > node:
            ends[used], centres[used], moved[used] = neighbour, smallest, smallest != node
            used += 1
    return ends[:used].copy(), centres[:used].copy(), moved[:used].copy()


@njit(nogil=True, cache=True)
def small_star(nodes, neighbours):
    """See ``dedup.star_rounds.small_star``; rows (uint64 [m] each) sorted, repetitions allowed."""
    ends, centres = np.empty_like(nodes), np.empty_like(nodes)
    used = 0
    moved = 0
    for i in range(len(nodes)):
        if i == 0 or nodes[i] != nodes[i - 1]:
            smallest = neighbours[i]
            ends[used] = nodes[i]
        elif neighbours[i] == neighbours[i - 1]:
            continue
        else:
            ends[used] = neighbours[i]
            moved += 1
        centres[used] = smallest
        used += 1
    return ends[:used].copy(), centres[:used].copy(), moved
