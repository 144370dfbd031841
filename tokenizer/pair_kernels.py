# mypy: allow-untyped-defs
"""Where BPE training stands: pieces laid out as tokens, and the pairs of neighbours that are worth watching.

**Layout.** All pieces lie behind each other in one array ``symbols`` of cells with a wall between them. A token covers
``spans[token]`` cells; the first holds its id, the last (where that is another cell) its id as ``-id - 2``, and those
between them and walls hold -1. So both neighbours of a token are one load away, and two loads tell whether a listed
pair still stands where it stood. Pieces are laid out in order of their counts, so that ``range_end`` and
``range_count``, a row a distinct count, tell how often a cell occurs in the corpus.

**Pairs.** Only pairs that occur at least ``threshold`` times are watched. The total of a pair never rises after the
step that made the younger of its tokens, so those left out cannot be next before all others have fallen below.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

WALL = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)


class Layout(NamedTuple):
    """The text, as distinct pieces of tokens."""

    symbols: np.ndarray  # int16 or int32 [cells]
    spans: np.ndarray  # int32 [vocabulary], cells a token covers
    sizes: np.ndarray  # int32 [vocabulary], bytes of a token
    range_end: np.ndarray  # int64 [distinct counts], the first cell behind the pieces of a count
    range_count: np.ndarray  # int64 [distinct counts], descending


class Pairs(NamedTuple):
    """The pairs watched, in slots up to a number kept outside."""

    left: np.ndarray  # int32, the first token
    right: np.ndarray  # int32, the second
    total: np.ndarray  # int64, occurrences in the corpus now; 0 once merged
    start: np.ndarray  # int64, where its cells begin in ``positions``
    length: np.ndarray  # int64, how many there are, those included where it stands no longer
    slots: np.ndarray  # int32, a hash table: index + 1, 0 where free


@njit(nogil=True, cache=True)
def place_pieces(data, offsets, counts, range_count, cursor, symbols, byte_ids):
    """Writes pieces into ``symbols`` (filled with walls before), each at the cursor of its count, and moves that on.

    Args:
        data, offsets, counts: a batch of pieces.
        range_count: int64, descending: the distinct counts of all pieces.
        cursor: int64, the first free cell for each of them.
        byte_ids: the token of each byte.
    """
    for piece in range(len(counts)):
        start = offsets[piece]
        stop = offsets[piece + 1]
        if stop - start < 2 or counts[piece] == 0:
            continue  # has no pair
        low = 0
        high = len(range_count)
        while low < high:
            middle = (low + high) >> 1
            if range_count[middle] > counts[piece]:
                low = middle + 1
            else:
                high = middle
        cell = cursor[low]
        for i in range(start, stop):
            symbols[cell] = byte_ids[data[i]]
            cell += 1
        cursor[low] = cell + 1


@njit(nogil=True, cache=True)
def close_up(symbols, spans, range_end):
    """Moves the tokens together, one cell each, and drops pieces that are one token by now; returns the cells left.

    ``range_end`` moves along. The caller sets the spans of all tokens to 1 and cuts the array.
    """
    out = 1
    cell = 1
    for i in range(len(range_end)):
        while cell < range_end[i]:
            first = out
            while symbols[cell] != WALL:
                symbols[out] = symbols[cell]
                cell += spans[symbols[cell]]
                out += 1
            cell += 1
            if out - first == 1:
                out = first
            elif out > first:
                symbols[out] = WALL
                out += 1
        range_end[i] = out
    return out


@njit(inline="always")
def _hash(left, right):
    value = (np.uint64(left) << np.uint64(32) | np.uint64(right)) * _MIX
    return np.int64((value ^ (value >> np.uint64(29))) >> np.uint64(8))


@njit(inline="always")
def find_pair(left, right, slots, first, second):
    """The index of a pair, or -1."""
    mask = len(slots) - 1
    slot = _hash(first, second) & mask
    pair = np.int64(slots[slot]) - 1
    while pair >= 0 and (left[pair] != first or right[pair] != second):
        slot = (slot + 1) & mask
        pair = np.int64(slots[slot]) - 1
    return pair


@njit(inline="always")
def enter_pair(slots, first, second, pair):
    """Puts a pair that is not there into the hash table."""
    mask = len(slots) - 1
    slot = _hash(first, second) & mask
    while slots[slot]:
        slot = (slot + 1) & mask
    slots[slot] = pair + 1


@njit(nogil=True, cache=True)
def fill_slots(left, right, pairs, slots):
    """Enters the first ``pairs`` pairs into an empty hash table."""
    for pair in range(pairs):
        enter_pair(slots, left[pair], right[pair], pair)


@njit(inline="always")
def _plus(total, weight):
    """A sum that stays at the largest int64 instead of wrapping around."""
    return total + weight if total <= _LARGEST - weight else _LARGEST


@njit(nogil=True, cache=True)
def sketch_totals(symbols, spans, range_end, range_count, sketch):
    """Adds up the totals of all pairs by hash: what a pair finds there is at least its total."""
    mask = len(sketch) - 1
    cell = 1
    for i in range(len(range_end)):
        weight = range_count[i]
        while cell < range_end[i]:
            token = symbols[cell]
            if token == WALL:
                cell += 1
                continue
            cell += spans[token]
            if symbols[cell] != WALL:
                slot = _hash(token, symbols[cell]) & mask
                sketch[slot] = _plus(sketch[slot], weight)


@njit(nogil=True, cache=True)
def _tally_on(
    symbols, spans, sizes, range_end, range_count, longest, sketch, threshold, left, right, total, length, slots, at
):
    """Tallies from where ``at`` (int64 [4]: range, cell, pairs, beyond int64) says until the pairs may be full."""
    mask = len(sketch) - 1
    room = len(left)
    first_range, cell, pairs, beyond = at
    for i in range(first_range, len(range_end)):
        weight = range_count[i]
        while cell < range_end[i]:
            token = symbols[cell]
            if token == WALL:
                cell += 1
                continue
            if pairs == room:
                at[0], at[1], at[2], at[3] = i, cell, pairs, beyond
                return False
            cell += spans[token]
            other = symbols[cell]
            if other == WALL or sketch[_hash(token, other) & mask] < threshold:
                continue
            if np.int64(sizes[token]) + sizes[other] > longest:
                continue
            pair = find_pair(left, right, slots, token, other)
            if pair < 0:
                pair = pairs
                pairs += 1
                left[pair] = token
                right[pair] = other
                total[pair] = 0
                length[pair] = 0
                enter_pair(slots, token, other, pair)
            if total[pair] > _LARGEST - weight:
                beyond = 1
            total[pair] = _plus(total[pair], weight)
            length[pair] += 1
    at[2], at[3] = pairs, beyond
    return True


@njit(nogil=True, cache=True)
def tally_pairs(symbols, spans, sizes, range_end, range_count, longest, sketch, threshold):
    """Totals of the pairs whose sketch reaches a threshold and whose token would have at most ``longest`` bytes.

    Returns:
        ``left``, ``right`` int32, ``total``, ``length`` int64, one a pair, and whether a total is beyond int64.
    """
    size = 1 << 16
    left = np.empty(size, np.int32)
    right = np.empty(size, np.int32)
    total = np.empty(size, np.int64)
    length = np.empty(size, np.int64)
    slots = np.zeros(2 * size, np.int32)
    at = np.array([0, 1, 0, 0])
    while not _tally_on(
        symbols, spans, sizes, range_end, range_count, longest, sketch, threshold, left, right, total, length, slots, at
    ):
        size *= 2
        left = _grown(left, size)
        right = _grown(right, size)
        total = _grown(total, size)
        length = _grown(length, size)
        slots = np.zeros(2 * size, np.int32)
        fill_slots(left, right, at[2], slots)
    pairs = at[2]
    return left[:pairs].copy(), right[:pairs].copy(), total[:pairs].copy(), length[:pairs].copy(), at[3] != 0


@njit(inline="always")
def _grown(array, size):
    out = np.empty(size, array.dtype)
    out[: len(array)] = array
    return out


@njit(nogil=True, cache=True)
def list_positions(symbols, spans, left, right, slots, start, length, positions):
    """Lists the cells of all watched pairs, ascending; ``length`` is 0 before and their number afterwards."""
    cell = 1
    while cell < len(symbols):
        token = symbols[cell]
        if token == WALL:
            cell += 1
            continue
        here = cell
        cell += spans[token]
        if symbols[cell] != WALL:
            pair = find_pair(left, right, slots, token, symbols[cell])
            if pair >= 0:
                positions[start[pair] + length[pair]] = here
                length[pair] += 1
