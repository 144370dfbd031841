# mypy: allow-untyped-defs
"""Counting pieces in one table that many batches of documents go through."""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.piece_kernels import hash_piece, word_at
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces, next_mark

# Columns of ``rows``, int64: where the piece starts in ``arena``, where the next one will; its count. A row's piece
# ends where that of the row behind it starts.
START, COUNT = range(2)
# What ``used`` holds, int64: rows and bytes of the arena in use.
ROWS, BYTES = range(2)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH_BITS = np.uint64(32)


@njit(inline="always")
def _same(arena, at, data, start, length):
    position = 0
    while position < length:
        if word_at(arena, at + position, length - position) != word_at(data, start + position, length - position):
            return False
        position += 8
    return True


@njit(nogil=True, cache=True)
def _count_document(data, base, stop, weight, marks, rows, slots, arena, used):
    """Counts the pieces of a marked document. There is room for a row and a copy of each piece."""
    mask = np.uint64(len(slots) - 1)
    size = used[ROWS]
    filled = used[BYTES]
    start = base
    while start < stop:
        end = base + next_mark(marks, start - base + 1)
        length = end - start
        value = hash_piece(data, start, end) >> _HIGH_BITS
        slot = value & mask
        while True:
            entry = slots[slot]
            if entry == 0:
                slots[slot] = value << _HIGH_BITS | np.uint64(size + 1)
                rows[size, START] = filled
                rows[size, COUNT] = weight
                for i in range(length):
                    arena[filled + i] = data[start + i]
                filled += length
                size += 1
                rows[size, START] = filled
                break
            if entry >> _HIGH_BITS == value:
                row = np.int64(entry & _LOW) - 1
                at = rows[row, START]
                if rows[row + 1, START] - at == length and _same(arena, at, data, start, length):
                    rows[row, COUNT] += weight
                    break
            slot = (slot + np.uint64(1)) & mask
        start = end
    used[ROWS] = size
    used[BYTES] = filled


@njit(nogil=True, cache=True)
def count_documents(data, offsets, weights, kinds, windows, classes, first, rows, slots, arena, used):
    """Counts documents from number ``first`` on, as long as the table has room.

    Args:
        data, offsets: a text column, see ``text_buffers``.
        weights: int64 [documents], how often each counts; 0 skips it.
        kinds, windows, classes: a pre-tokenizer's ``ScannerTables``.
        rows: int64 [room + 1, 2], see START and COUNT.
        slots: uint64, a power of two and at least twice the room for rows: hash << 32 | row + 1, 0 where free.
        arena: uint8, the pieces of all rows.
        used: int64 [2], see ROWS and BYTES.

    Returns:
        The first document that was not counted, and how many rows and bytes it may need; or the number of documents.
    """
    marks = np.empty(MARK_PADDING, np.uint8)
    for document in range(first, len(weights)):
        start = offsets[document]
        stop = offsets[document + 1]
        if weights[document] == 0:
            continue
        if len(marks) < stop - start + MARK_PADDING:
            marks = np.empty(2 * (stop - start) + MARK_PADDING, np.uint8)
        mark_pieces(data, start, stop, kinds, windows, classes, marks)
        pieces = 0
        for i in range(stop - start):
            pieces += marks[i]
        if used[ROWS] + pieces >= len(rows) or used[BYTES] + stop - start > len(arena):
            return document, pieces, stop - start
        _count_document(data, start, stop, weights[document], marks, rows, slots, arena, used)
    return len(weights), 0, 0


@njit(nogil=True, cache=True)
def rehash(old, slots):
    """Enters the entries of an old hash table into a larger, empty one."""
    mask = np.uint64(len(slots) - 1)
    for i in range(len(old)):
        if old[i]:
            slot = (old[i] >> _HIGH_BITS) & mask
            while slots[slot]:
                slot = (slot + np.uint64(1)) & mask
            slots[slot] = old[i]


@njit(nogil=True, cache=True)
def take_pieces(arena, rows, order):
    """The pieces of some rows behind each other: bytes uint8, offsets int64 and counts int64."""
    offsets = np.zeros(len(order) + 1, np.int64)
    counts = np.empty(len(order), np.int64)
    for i in range(len(order)):
        row = order[i]
        offsets[i + 1] = offsets[i] + rows[row + 1, START] - rows[row, START]
        counts[i] = rows[row, COUNT]
    out = np.empty(offsets[-1], np.uint8)
    for i in range(len(order)):
        at = rows[order[i], START]
        for k in range(offsets[i + 1] - offsets[i]):
            out[offsets[i] + k] = arena[at + k]
    return out, offsets, counts
