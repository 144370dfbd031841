# mypy: allow-untyped-defs
"""The merge loop of BPE training over distinct pieces.

All pieces lie behind each other in one symbol array with a wall (extent 0) before, between and after them. A token
that covers several positions has its symbol and its extent at the first of them and its extent again at the last, so
both neighbours are one step away. ``pair_at[p]`` is the index of the pair that starts at ``p``, or -1; it makes a stale
entry of a position list recognisable, and the total of a neighbouring pair reachable without hashing.

Every pair is born in exactly one step (when the younger of its two tokens is), so its list of positions is written
once, in ascending order, into one flat array. Totals only fall after that, so a heap whose entries are refreshed when
they come up finds the true maximum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class State(NamedTuple):
    """Everything the loop needs; the arrays of pairs and the heap grow, so each call returns a new one."""

    symbol: np.ndarray  # int32 [positions], token id at a token's first position
    extent: np.ndarray  # int32 [positions], its length at its first and last position; 0 at walls
    pair_at: np.ndarray  # int32 [positions]
    piece_of: np.ndarray  # int32 [positions]
    piece_counts: np.ndarray  # int64 [pieces]
    left: np.ndarray  # int32 [pairs], first token
    right: np.ndarray  # int32 [pairs], second token
    total: np.ndarray  # int64 [pairs], occurrences in the corpus now
    list_start: np.ndarray  # int64 [pairs]
    list_length: np.ndarray  # int64 [pairs]
    positions: np.ndarray  # int64 [list entries], ascending within each pair
    heap_count: np.ndarray  # int64 [heap], the count when the entry was last refreshed
    heap_key: np.ndarray  # uint64 [heap], left << 32 | right
    heap_pair: np.ndarray  # int32 [heap]
    pairs: int
    entries: int
    heap_size: int


@njit(nogil=True, cache=True)
def lay_out(data, offsets, byte_ids):
    """Spreads pieces (``data`` uint8, ``offsets`` int64) into ``symbol``, ``extent`` and ``piece_of`` with walls."""
    pieces = len(offsets) - 1
    size = offsets[pieces] - offsets[0] + pieces + 1
    symbol = np.full(size, -1, np.int32)
    extent = np.zeros(size, np.int32)
    piece_of = np.zeros(size, np.int32)
    position = 1
    for piece in range(pieces):
        for i in range(offsets[piece], offsets[piece + 1]):
            symbol[position] = byte_ids[data[i]]
            extent[position] = 1
            piece_of[position] = piece
            position += 1
        position += 1
    return symbol, extent, piece_of


@njit(nogil=True, cache=True)
def first_pairs(symbol, extent, piece_of, piece_counts):
    """Counts the pairs of bytes and lists their positions: the state before the first merge."""
    size = len(symbol)
    counts = np.zeros(65536, np.int64)
    lengths = np.zeros(65536, np.int64)
    for p in range(1, size - 1):
        if extent[p] and extent[p + 1]:
            key = symbol[p] << 8 | symbol[p + 1]
            counts[key] += piece_counts[piece_of[p]]
            lengths[key] += 1
    index = np.full(65536, -1, np.int32)
    pairs = 0
    for key in range(65536):
        if lengths[key]:
            index[key] = pairs
            pairs += 1
    left = np.empty(pairs, np.int32)
    right = np.empty(pairs, np.int32)
    count = np.empty(pairs, np.int64)
    list_start = np.empty(pairs, np.int64)
    list_length = np.zeros(pairs, np.int64)
    entries = 0
    for key in range(65536):
        pair = index[key]
        if pair >= 0:
            left[pair] = key >> 8
            right[pair] = key & 255
            count[pair] = counts[key]
            list_start[pair] = entries
            entries += lengths[key]
    positions = np.empty(entries, np.int64)
    pair_at = np.full(size, -1, np.int32)
    for p in range(1, size - 1):
        if extent[p] and extent[p + 1]:
            pair = index[symbol[p] << 8 | symbol[p + 1]]
            pair_at[p] = pair
            positions[list_start[pair] + list_length[pair]] = p
            list_length[pair] += 1
    return pair_at, left, right, count, list_start, list_length, positions


@njit(inline="always")
def _before(count, key, other_count, other_key):
    return count > other_count or (count == other_count and key < other_key)


@njit(nogil=True, cache=True)
def _sift_up(heap_count, heap_key, heap_pair, slot):
    count = heap_count[slot]
    key = heap_key[slot]
    pair = heap_pair[slot]
    while slot > 0:
        parent = (slot - 1) >> 2
        if not _before(count, key, heap_count[parent], heap_key[parent]):
            break
        heap_count[slot] = heap_count[parent]
        heap_key[slot] = heap_key[parent]
        heap_pair[slot] = heap_pair[parent]
        slot = parent
    heap_count[slot] = count
    heap_key[slot] = key
    heap_pair[slot] = pair


@njit(nogil=True, cache=True)
def _sift_down(heap_count, heap_key, heap_pair, size, slot):
    count = heap_count[slot]
    key = heap_key[slot]
    pair = heap_pair[slot]
    while True:
        child = 4 * slot + 1
        if child >= size:
            break
        best = child
        for other in range(child + 1, min(child + 4, size)):
            if _before(heap_count[other], heap_key[other], heap_count[best], heap_key[best]):
                best = other
        if not _before(heap_count[best], heap_key[best], count, key):
            break
        heap_count[slot] = heap_count[best]
        heap_key[slot] = heap_key[best]
        heap_pair[slot] = heap_pair[best]
        slot = best
    heap_count[slot] = count
    heap_key[slot] = key
    heap_pair[slot] = pair


@njit(nogil=True, cache=True)
def first_heap(left, right, count):
    """A heap over the first pairs: counts descending, then token ids ascending."""
    size = len(count)
    heap_count = count.copy()
    heap_key = np.empty(size, np.uint64)
    heap_pair = np.arange(size).astype(np.int32)
    for pair in range(size):
        heap_key[pair] = np.uint64(left[pair]) << np.uint64(32) | np.uint64(right[pair])
    for slot in range((size - 2) // 4, -1, -1):
        _sift_down(heap_count, heap_key, heap_pair, size, slot)
    return heap_count, heap_key, heap_pair


@njit(inline="always")
def _grown(array, used, capacity):
    out = np.empty(capacity, array.dtype)
    out[:used] = array[:used]
    return out


@njit(nogil=True, cache=True)
def merge_steps(state, steps, next_token, minimum_count, merged, merged_counts, done, left_slot, right_slot):
    """Performs up to ``steps`` merges.

    Args:
        state: where the training stands; its position arrays are changed in place.
        steps: at most this many merges.
        next_token: id of the first new token.
        minimum_count: pairs that occur less often are not merged.
        merged: int32 [vocabulary, 2], receives the merged pairs from row ``done`` on.
        merged_counts: int64 [vocabulary], receives their counts.
        left_slot, right_slot: int32 [vocabulary], scratch, all -1.

    Returns:
        The new state and the number of merges done; fewer than ``steps`` only when no pair is left.
    """
    symbol = state.symbol
    extent = state.extent
    pair_at = state.pair_at
    piece_of = state.piece_of
    piece_counts = state.piece_counts
    left = state.left
    right = state.right
    total = state.total
    list_start = state.list_start
    list_length = state.list_length
    positions = state.positions
    heap_count = state.heap_count
    heap_key = state.heap_key
    heap_pair = state.heap_pair
    pairs = state.pairs
    entries = state.entries
    heap_size = state.heap_size
    event_pair = np.empty(1024, np.int32)
    event_position = np.empty(1024, np.int64)
    finished = 0
    while finished < steps and heap_size > 0:
        pair = heap_pair[0]
        now = total[pair]
        if now != heap_count[0] and now > 0:
            heap_count[0] = now
            _sift_down(heap_count, heap_key, heap_pair, heap_size, 0)
            continue
        if now > 0 and now < minimum_count:
            break
        heap_size -= 1
        heap_count[0] = heap_count[heap_size]
        heap_key[0] = heap_key[heap_size]
        heap_pair[0] = heap_pair[heap_size]
        if heap_size:
            _sift_down(heap_count, heap_key, heap_pair, heap_size, 0)
        if now <= 0:
            continue
        token = np.int32(next_token + finished)
        merged[done + finished, 0] = left[pair]
        merged[done + finished, 1] = right[pair]
        merged_counts[done + finished] = now
        finished += 1
        total[pair] = 0
        # Room for the worst case: two new pairs and two list entries an occurrence.
        occurrences = list_length[pair]
        if len(event_pair) < 2 * occurrences:
            event_pair = np.empty(2 * occurrences, np.int32)
            event_position = np.empty(2 * occurrences, np.int64)
        if len(positions) < entries + 2 * occurrences:
            positions = _grown(positions, entries, entries + 2 * occurrences + len(positions) // 2)
        if len(left) < pairs + 2 * occurrences:
            capacity = pairs + 2 * occurrences + len(left) // 2
            left = _grown(left, pairs, capacity)
            right = _grown(right, pairs, capacity)
            total = _grown(total, pairs, capacity)
            list_start = _grown(list_start, pairs, capacity)
            list_length = _grown(list_length, pairs, capacity)
        events = 0
        first_new = pairs
        for entry in range(list_start[pair], list_start[pair] + occurrences):
            p = positions[entry]
            if pair_at[p] != pair:
                continue
            q = p + extent[p]
            r = q + extent[q]
            before = p - extent[p - 1]
            weight = piece_counts[piece_of[p]]
            if before != p:
                total[pair_at[before]] -= weight
            if extent[r]:
                total[pair_at[q]] -= weight
            pair_at[q] = -1
            symbol[p] = token
            extent[p] = r - p
            extent[r - 1] = r - p
            if before != p:
                neighbour = symbol[before]
                new = left_slot[neighbour]
                if new < 0:
                    new = np.int32(pairs)
                    left_slot[neighbour] = new
                    left[new] = neighbour
                    right[new] = token
                    total[new] = 0
                    list_length[new] = 0
                    pairs += 1
                total[new] += weight
                pair_at[before] = new
                event_pair[events] = new
                event_position[events] = before
                events += 1
            pair_at[p] = -1
            if extent[r]:
                neighbour = symbol[r]
                new = right_slot[neighbour]
                if new < 0:
                    new = np.int32(pairs)
                    right_slot[neighbour] = new
                    left[new] = token
                    right[new] = neighbour
                    total[new] = 0
                    list_length[new] = 0
                    pairs += 1
                total[new] += weight
                pair_at[p] = new
                event_pair[events] = new
                event_position[events] = p
                events += 1
        # Group the new occurrences by pair; those that a later occurrence of the same step replaced are dropped.
        kept = 0
        for event in range(events):
            new = event_pair[event]
            if pair_at[event_position[event]] == new:
                event_pair[kept] = new
                event_position[kept] = event_position[event]
                list_length[new] += 1
                kept += 1
        for new in range(first_new, pairs):
            list_start[new] = entries
            entries += list_length[new]
            list_length[new] = 0
        for event in range(kept):
            new = event_pair[event]
            positions[list_start[new] + list_length[new]] = event_position[event]
            list_length[new] += 1
        if len(heap_count) < heap_size + pairs - first_new:
            capacity = 2 * (heap_size + pairs - first_new)
            heap_count = _grown(heap_count, heap_size, capacity)
            heap_key = _grown(heap_key, heap_size, capacity)
            heap_pair = _grown(heap_pair, heap_size, capacity)
        for new in range(first_new, pairs):
            if right[new] == token:
                left_slot[left[new]] = -1
            if left[new] == token:
                right_slot[right[new]] = -1
            if total[new] > 0:
                heap_count[heap_size] = total[new]
                heap_key[heap_size] = np.uint64(left[new]) << np.uint64(32) | np.uint64(right[new])
                heap_pair[heap_size] = new
                _sift_up(heap_count, heap_key, heap_pair, heap_size)
                heap_size += 1
    return (
        State(
            symbol, extent, pair_at, piece_of, piece_counts, left, right, total, list_start, list_length, positions,
            heap_count, heap_key, heap_pair, pairs, entries, heap_size,
        ),
        finished,
    )  # fmt: skip
