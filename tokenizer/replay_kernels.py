# mypy: allow-untyped-defs
"""Applying merges that are known already to pieces laid out as bytes: where further training begins."""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.pair_kernels import WALL, find_pair

_CELL_BITS = 38


@njit(nogil=True, cache=True)
def _push(heap, size, key):
    slot = size
    while slot > 0:
        parent = (slot - 1) >> 1
        if heap[parent] <= key:
            break
        heap[slot] = heap[parent]
        slot = parent
    heap[slot] = key


@njit(nogil=True, cache=True)
def _pop(heap, size):
    """Takes out the smallest of ``size`` keys, which lies at 0 before."""
    key = heap[size - 1]
    slot = 0
    while True:
        child = 2 * slot + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[slot] = heap[child]
        slot = child
    heap[slot] = key


@njit(nogil=True, cache=True)
def replay_merges(symbols, spans, left, right, slots):
    """Applies merges in place, the one learned first first and from left to right, O(n log n) a piece.

    Args:
        symbols: the layout of ``pair_kernels``, every token a byte.
        spans: int32 [vocabulary], bytes of every token.
        left, right: int32 [merges]; merge i makes token 256 + i.
        slots: the hash table over them, see ``pair_kernels.fill_slots``.
    """
    heap = np.empty(1 << 10, np.int64)
    start = 1
    while start < len(symbols):
        stop = start
        while symbols[stop] != WALL:
            stop += 1
        if len(heap) < 3 * (stop - start):  # a merge takes out one pair and makes two at most
            heap = np.empty(6 * (stop - start), np.int64)
        size = 0
        for cell in range(start, stop - 1):
            rank = find_pair(left, right, slots, symbols[cell], symbols[cell + 1])
            if rank >= 0:
                _push(heap, size, rank << _CELL_BITS | (cell - start))
                size += 1
        while size:
            key = heap[0]
            _pop(heap, size)
            size -= 1
            rank = key >> _CELL_BITS
            cell = start + (key & ((1 << _CELL_BITS) - 1))
            middle = cell + spans[left[rank]]
            if symbols[cell] != left[rank] or symbols[middle] != right[rank]:
                continue
            token = 256 + rank
            end = cell + spans[token]
            symbols[middle] = WALL
            symbols[cell] = token
            symbols[end - 1] = -token - 2
            before = np.int64(symbols[cell - 1])
            if before < WALL:
                before = -before - 2
            if before != WALL:
                rank = find_pair(left, right, slots, before, token)
                if rank >= 0:
                    _push(heap, size, rank << _CELL_BITS | (cell - spans[before] - start))
                    size += 1
            if symbols[end] != WALL:
                rank = find_pair(left, right, slots, token, symbols[end])
                if rank >= 0:
                    _push(heap, size, rank << _CELL_BITS | (cell - start))
                    size += 1
        start = stop + 1
