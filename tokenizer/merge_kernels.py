# mypy: allow-untyped-defs
"""The merge loop of BPE training over the layout and the pairs of ``pair_kernels``.

Every pair is born in exactly one step (when the younger of its two tokens is), so its list of positions is written
once, in ascending order. Totals only fall after that, so a heap whose entries are refreshed when they come up finds the
true maximum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from tokenizer.pair_kernels import WALL, enter_pair, find_pair

# Why ``merge_steps`` came back: it did what was asked; no watched pair reaches the threshold; no room for the pairs,
# or for the positions, that the next step may bring.
DONE, NO_PAIRS, PAIRS_FULL, POSITIONS_FULL = range(4)
# Slots of ``sizes_in_use``.
PAIRS, POSITIONS, HEAP = range(3)
# Columns of ``neighbours``, one cache line a token: the weight of the pairs with it that a step takes away on the left
# and on the right, the weight and the number of those it makes, and the new pairs themselves.
_LOST_LEFT, _LOST_RIGHT, _LEFT, _RIGHT, _LEFT_LENGTH, _RIGHT_LENGTH, _LEFT_PAIR, _RIGHT_PAIR = range(8)
NEIGHBOUR_COLUMNS = 8


class Heap(NamedTuple):
    """Watched pairs by total, of equals the smallest ids first; four children a node."""

    total: np.ndarray  # int64, when the entry was last refreshed
    key: np.ndarray  # uint64, left << 32 | right
    pair: np.ndarray  # int32


class Scratch(NamedTuple):
    """What a step needs and leaves as it found it."""

    neighbours: np.ndarray  # int64 [vocabulary, NEIGHBOUR_COLUMNS], zeros
    touched: np.ndarray  # int32 [4, vocabulary]


@njit(inline="always")
def _before(count, key, other_count, other_key):
    return count > other_count or (count == other_count and key < other_key)


@njit(inline="always")
def _key(left, right):
    return np.uint64(left) << np.uint64(32) | np.uint64(right)


@njit(nogil=True, cache=True)
def _sift_up(heap_total, heap_key, heap_pair, slot):
    count = heap_total[slot]
    key = heap_key[slot]
    pair = heap_pair[slot]
    while slot > 0:
        parent = (slot - 1) >> 2
        if not _before(count, key, heap_total[parent], heap_key[parent]):
            break
        heap_total[slot] = heap_total[parent]
        heap_key[slot] = heap_key[parent]
        heap_pair[slot] = heap_pair[parent]
        slot = parent
    heap_total[slot] = count
    heap_key[slot] = key
    heap_pair[slot] = pair


@njit(nogil=True, cache=True)
def _sift_down(heap_total, heap_key, heap_pair, size, slot):
    count = heap_total[slot]
    key = heap_key[slot]
    pair = heap_pair[slot]
    while True:
        child = 4 * slot + 1
        if child >= size:
            break
        best = child
        for other in range(child + 1, min(child + 4, size)):
            if _before(heap_total[other], heap_key[other], heap_total[best], heap_key[best]):
                best = other
        if not _before(heap_total[best], heap_key[best], count, key):
            break
        heap_total[slot] = heap_total[best]
        heap_key[slot] = heap_key[best]
        heap_pair[slot] = heap_pair[best]
        slot = best
    heap_total[slot] = count
    heap_key[slot] = key
    heap_pair[slot] = pair


@njit(nogil=True, cache=True)
def fill_heap(left, right, total, heap_total, heap_key, heap_pair, size):
    """Makes a heap of the first ``size`` pairs."""
    for pair in range(size):
        heap_total[pair] = total[pair]
        heap_key[pair] = _key(left[pair], right[pair])
        heap_pair[pair] = pair
    for slot in range((size - 2) // 4, -1, -1):
        _sift_down(heap_total, heap_key, heap_pair, size, slot)


@njit(inline="always")
def _drop_top(heap_total, heap_key, heap_pair, size):
    size -= 1
    heap_total[0] = heap_total[size]
    heap_key[0] = heap_key[size]
    heap_pair[0] = heap_pair[size]
    if size:
        _sift_down(heap_total, heap_key, heap_pair, size, 0)
    return size


@njit(inline="always")
def _settle(heap_total, heap_key, heap_pair, size, total, threshold):
    """Refreshes the top until it is true; returns the size, 0 when no pair reaches the threshold."""
    while size:
        now = total[heap_pair[0]]
        if now < threshold:
            size = _drop_top(heap_total, heap_key, heap_pair, size)
        elif now != heap_total[0]:
            heap_total[0] = now
            _sift_down(heap_total, heap_key, heap_pair, size, 0)
        else:
            break
    return size


@njit(nogil=True, cache=True)
def next_pair(pairs, heap, in_use, threshold):
    """The pair that would be merged next, or -1."""
    in_use[HEAP] = _settle(heap.total, heap.key, heap.pair, in_use[HEAP], pairs.total, threshold)
    return np.int64(heap.pair[0]) if in_use[HEAP] else np.int64(-1)


@njit(nogil=True, cache=True)
def drop_next(heap, in_use):
    """Takes the next pair out of the heap: it will not be merged."""
    in_use[HEAP] = _drop_top(heap.total, heap.key, heap.pair, in_use[HEAP])


@njit(inline="always")
def _range_of(range_end, i, cell):
    """The range of a cell that does not lie before range ``i``."""
    if cell < range_end[i]:
        return i
    step = 1
    while i + step < len(range_end) and range_end[i + step] <= cell:
        i += step
        step <<= 1
    high = min(i + step, len(range_end) - 1)
    low = i + 1
    while low < high:
        middle = (low + high) >> 1
        if range_end[middle] <= cell:
            low = middle + 1
        else:
            high = middle
    return low


@njit(inline="always")
def _token_before(symbols, cell):
    """The token that ends before a token's first cell, or WALL."""
    value = np.int64(symbols[cell - 1])
    return value if value >= WALL else -value - 2


@njit(nogil=True, cache=True)
def merge_steps(
    layout, pairs, positions, heap, scratch, in_use, threshold, longest, merged, merged_counts, done, limit
):
    """Merges the next pairs, in place, until ``merged`` has ``limit`` rows or something is missing.

    Args:
        layout, pairs, positions, heap: where the training stands; ``in_use`` int64 [3] tells how much of them is used.
        scratch: see ``Scratch``.
        threshold: pairs that occur less often are not watched.
        longest: bytes of the longest token.
        merged: int32 [merges, 2], receives the merged pairs from row ``done`` on; row i makes token 256 + i.
        merged_counts: int64 [merges], receives their totals.

    Returns:
        The rows of ``merged`` now, and one of DONE, NO_PAIRS, PAIRS_FULL and POSITIONS_FULL.
    """
    symbols, spans, sizes, range_end, range_count = layout
    left, right, total, list_start, list_length, slots = pairs
    heap_total, heap_key, heap_pair = heap
    neighbours, touched = scratch
    size = in_use[PAIRS]
    entries = in_use[POSITIONS]
    heap_size = in_use[HEAP]
    status = DONE
    while done < limit:
        heap_size = _settle(heap_total, heap_key, heap_pair, heap_size, total, threshold)
        if heap_size == 0:
            status = NO_PAIRS
            break
        pair = heap_pair[0]
        occurrences = list_length[pair]
        if entries + 2 * occurrences > len(positions):
            status = POSITIONS_FULL
            break
        if size + 2 * min(occurrences, done + 257) > len(left):
            status = PAIRS_FULL
            break
        heap_size = _drop_top(heap_total, heap_key, heap_pair, heap_size)
        first = np.int64(left[pair])
        second = np.int64(right[pair])
        token = np.int64(256 + done)
        span = np.int64(spans[first]) + spans[second]
        spans[token] = span
        sizes[token] = sizes[first] + sizes[second]
        merged[done, 0] = first
        merged[done, 1] = second
        merged_counts[done] = total[pair]
        done += 1
        begin = list_start[pair]
        kept = begin
        lost_left = 0
        lost_right = 0
        new_left = 0
        new_right = 0
        where = 0
        # What stands behind an occurrence is known for good when the next occurrence is seen not to start there.
        waiting = np.int64(WALL)
        waiting_at = np.int64(-1)
        waiting_weight = np.int64(0)
        for entry in range(begin, begin + occurrences):
            cell = np.int64(positions[entry])
            middle = cell + spans[first]
            if symbols[cell] != first or symbols[middle] != second:
                continue
            end = cell + span
            where = _range_of(range_end, where, cell)
            weight = range_count[where]
            before = _token_before(symbols, cell)
            behind = np.int64(symbols[end])
            if before != WALL:
                if before != token:
                    if neighbours[before, _LOST_LEFT] == 0:
                        touched[0, lost_left] = before
                        lost_left += 1
                    neighbours[before, _LOST_LEFT] += weight
                if neighbours[before, _LEFT] == 0:
                    touched[2, new_left] = before
                    new_left += 1
                neighbours[before, _LEFT] += weight
                neighbours[before, _LEFT_LENGTH] += 1
            if waiting != WALL and waiting_at != cell:
                if neighbours[waiting, _RIGHT] == 0:
                    touched[3, new_right] = waiting
                    new_right += 1
                neighbours[waiting, _RIGHT] += waiting_weight
                neighbours[waiting, _RIGHT_LENGTH] += 1
            if behind != WALL:
                if neighbours[behind, _LOST_RIGHT] == 0:
                    touched[1, lost_right] = behind
                    lost_right += 1
                neighbours[behind, _LOST_RIGHT] += weight
            waiting = behind
            waiting_at = end
            waiting_weight = weight
            symbols[middle] = WALL
            symbols[cell] = token
            symbols[end - 1] = -token - 2
            positions[kept] = cell
            kept += 1
        if waiting != WALL:
            if neighbours[waiting, _RIGHT] == 0:
                touched[3, new_right] = waiting
                new_right += 1
            neighbours[waiting, _RIGHT] += waiting_weight
            neighbours[waiting, _RIGHT_LENGTH] += 1

        for i in range(lost_left):
            other = touched[0, i]
            gone = find_pair(left, right, slots, other, first)
            if gone >= 0:
                total[gone] -= neighbours[other, _LOST_LEFT]
            neighbours[other, _LOST_LEFT] = 0
        for i in range(lost_right):
            other = touched[1, i]
            gone = find_pair(left, right, slots, second, other)
            if gone >= 0:
                total[gone] -= neighbours[other, _LOST_RIGHT]
            neighbours[other, _LOST_RIGHT] = 0
        total[pair] = 0

        born = size
        for side in range(2):
            for i in range(new_right if side else new_left):
                other = np.int64(touched[2 + side, i])
                weight = neighbours[other, _LEFT + side]
                length = neighbours[other, _LEFT_LENGTH + side]
                neighbours[other, _LEFT + side] = 0
                neighbours[other, _LEFT_LENGTH + side] = 0
                if weight < threshold or np.int64(sizes[token]) + sizes[other] > longest:
                    continue
                new_first = token if side else other
                new_second = other if side else token
                left[size] = new_first
                right[size] = new_second
                total[size] = weight
                list_start[size] = entries
                list_length[size] = 0
                entries += length
                enter_pair(slots, new_first, new_second, size)
                neighbours[other, _LEFT_PAIR + side] = size + 1
                heap_total[heap_size] = weight
                heap_key[heap_size] = _key(new_first, new_second)
                heap_pair[heap_size] = size
                _sift_up(heap_total, heap_key, heap_pair, heap_size)
                heap_size += 1
                size += 1
        if size == born:
            continue
        for entry in range(begin, kept):
            cell = np.int64(positions[entry])
            before = _token_before(symbols, cell)
            behind = np.int64(symbols[cell + span])
            if before != WALL:
                new = neighbours[before, _LEFT_PAIR] - 1
                if new >= 0:
                    positions[list_start[new] + list_length[new]] = cell - spans[before]
                    list_length[new] += 1
            if behind != WALL and behind != token:
                new = neighbours[behind, _RIGHT_PAIR] - 1
                if new >= 0:
                    positions[list_start[new] + list_length[new]] = cell
                    list_length[new] += 1
        for new in range(born, size):
            other = right[new] if left[new] == token else left[new]
            neighbours[other, _LEFT_PAIR] = 0
            neighbours[other, _RIGHT_PAIR] = 0
    in_use[PAIRS] = size
    in_use[POSITIONS] = entries
    in_use[HEAP] = heap_size
    return done, status
