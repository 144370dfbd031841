# mypy: allow-untyped-defs
"""Counting the distinct pieces of a batch of documents in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.piece_kernels import hash_piece, same_piece
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces, next_mark

# Columns of the table's rows, int64: where the piece starts in the text, its bytes, its count, its hash.
_START, _LENGTH, _COUNT, _HASH = range(4)


@njit(nogil=True, cache=True)
def _grown(rows, size):
    """A table of twice the rows, and the slots over them: row + 1 by hash, 0 where free."""
    more = np.empty((2 * len(rows), 4), np.int64)
    more[:size] = rows[:size]
    slots = np.zeros(4 * len(rows), np.int64)
    mask = len(slots) - 1
    for row in range(size):
        slot = more[row, _HASH] & mask
        while slots[slot] != 0:
            slot = (slot + 1) & mask
        slots[slot] = row + 1
    return more, slots


@njit(nogil=True, cache=True)
def _count_document(data, start, stop, weight, marks, rows, slots, size):
    """Counts the pieces of a marked document; returns the rows in use. There is room for a new row a piece."""
    mask = len(slots) - 1
    base = start
    while start < stop:
        end = base + next_mark(marks, start - base + 1)
        length = end - start
        value = np.int64(hash_piece(data, start, end))
        slot = value & mask
        row = slots[slot] - 1
        while row >= 0 and not (
            rows[row, _HASH] == value
            and rows[row, _LENGTH] == length
            and same_piece(data, rows[row, _START], start, length)
        ):
            slot = (slot + 1) & mask
            row = slots[slot] - 1
        if row >= 0:
            rows[row, _COUNT] += weight
        else:
            slots[slot] = size + 1
            rows[size, _START] = start
            rows[size, _LENGTH] = length
            rows[size, _COUNT] = weight
            rows[size, _HASH] = value
            size += 1
        start = end
    return size


@njit(nogil=True, cache=True)
def count_distinct(data, offsets, weights, kinds, windows, classes):
    """Finds the distinct pieces of all documents and how often each occurs.

    Args:
        data, offsets: a text column, see ``text_buffers``.
        weights: int64 [rows], how often each document counts; 0 skips it.
        kinds, windows, classes: a pre-tokenizer's ``ScannerTables``.

    Returns:
        ``starts`` int64, ``lengths`` int64 and ``counts`` int64, one a distinct piece, in order of first occurrence;
        ``starts`` are positions in ``data``.
    """
    rows, slots = _grown(np.empty((1 << 11, 4), np.int64), 0)
    size = 0
    marks = np.empty(MARK_PADDING, np.uint8)
    for document in range(len(offsets) - 1):
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
        while len(rows) < size + pieces:
            rows, slots = _grown(rows, size)
        size = _count_document(data, start, stop, weights[document], marks, rows, slots, size)
    return rows[:size, _START].copy(), rows[:size, _LENGTH].copy(), rows[:size, _COUNT].copy()


@njit(nogil=True, cache=True)
def gather_pieces(data, starts, lengths):
    """Copies the pieces ``data[starts:starts + lengths]`` behind each other; returns bytes uint8 and offsets int64."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    for i in range(len(starts)):
        offsets[i + 1] = offsets[i] + lengths[i]
    out = np.empty(offsets[-1], np.uint8)
    for i in range(len(starts)):
        for k in range(lengths[i]):
            out[offsets[i] + k] = data[starts[i] + k]
    return out, offsets


@njit(nogil=True, cache=True)
def sum_equal_neighbours(data, offsets, counts):
    """Sums the counts of equal pieces that lie next to each other.

    Returns:
        ``first`` int64, the index of the first piece of each run of equals, and ``sums`` int64.
    """
    first = np.empty(len(counts), np.int64)
    sums = np.empty(len(counts), np.int64)
    size = 0
    for i in range(len(counts)):
        start = offsets[i]
        length = offsets[i + 1] - start
        if size > 0:
            before = first[size - 1]
            if offsets[before + 1] - offsets[before] == length and same_piece(data, offsets[before], start, length):
                sums[size - 1] += counts[i]
                continue
        first[size] = i
        sums[size] = counts[i]
        size += 1
    return first[:size].copy(), sums[:size].copy()
