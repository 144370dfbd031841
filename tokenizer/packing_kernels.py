# mypy: allow-untyped-defs
"""Best-fit decreasing over counts of lengths."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def best_fit(by_length, context):
    """Contexts that documents need: ``by_length`` int64 [context], how many documents have each length.

    Equal lengths go together: all documents of a length that fit the fullest contexts are placed at once. The contexts
    with ``room`` left are counted by room; a tree over the rooms finds the least one that is enough.
    """
    leaves = 1
    while leaves <= context:
        leaves *= 2
    open_by_room = np.zeros(context + 1, np.int64)
    occupied = np.zeros(2 * leaves, np.uint8)  # a node: whether any room below it has a context
    contexts = 0
    for length in range(context - 1, 0, -1):
        left = by_length[length]
        while left > 0:
            room = _least(occupied, leaves, length)
            new = room < 0
            if new:
                room = context
            # What a context has left after one document is a better fit for the next than another of the same room, so
            # each takes as many as it holds, the last one what remains.
            each = room // length
            taken = max(left // each, 1) if new else min(max(left // each, 1), open_by_room[room])
            each = min(each, left)
            if new:
                contexts += taken
            else:
                _take(open_by_room, occupied, leaves, room, taken)
            _put(open_by_room, occupied, leaves, room - each * length, taken)
            left -= each * taken
    return contexts


@njit(nogil=True, cache=True)
def _put(open_by_room, occupied, leaves, room, count):
    open_by_room[room] += count
    node = leaves + room
    while node > 0 and not occupied[node]:
        occupied[node] = 1
        node //= 2


@njit(nogil=True, cache=True)
def _take(open_by_room, occupied, leaves, room, count):
    open_by_room[room] -= count
    if open_by_room[room]:
        return
    node = leaves + room
    occupied[node] = 0
    node //= 2
    while node > 0 and not (occupied[2 * node] or occupied[2 * node + 1]):
        occupied[node] = 0
        node //= 2


@njit(nogil=True, cache=True)
def _least(occupied, leaves, length):
    """The least occupied room that is at least ``length``, or -1."""
    node = leaves + length
    if occupied[node]:
        return length
    while node > 1:
        if node % 2 == 0 and occupied[node + 1]:
            node += 1
            while node < leaves:
                node = 2 * node if occupied[2 * node] else 2 * node + 1
            return node - leaves
        node //= 2
    return -1
