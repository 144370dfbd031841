# mypy: allow-untyped-defs
"""Counting the distinct pieces of a batch of documents in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.piece_kernels import hash_piece, same_piece
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces, next_mark


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
    capacity = 1 << 12
    slots = np.zeros(2 * capacity, np.int64)  # piece index + 1, 0 is free
    mask = np.uint64(2 * capacity - 1)
    hashes = np.empty(capacity, np.uint64)
    starts = np.empty(capacity, np.int64)
    lengths = np.empty(capacity, np.int64)
    counts = np.empty(capacity, np.int64)
    size = 0
    marks = np.empty(MARK_PADDING, np.uint8)
    for row in range(len(offsets) - 1):
        weight = weights[row]
        if weight == 0:
            continue
        start = offsets[row]
        stop = offsets[row + 1]
        if len(marks) < stop - start + MARK_PADDING:
            marks = np.empty(2 * (stop - start) + MARK_PADDING, np.uint8)
        mark_pieces(data, start, stop, kinds, windows, classes, marks)
        base = start
        while start < stop:
            end = base + next_mark(marks, start - base + 1)
            length = end - start
            value = hash_piece(data, start, end)
            slot = value & mask
            while True:
                piece = slots[slot] - 1
                if piece < 0:
                    break
                if (
                    hashes[piece] == value
                    and lengths[piece] == length
                    and same_piece(data, starts[piece], start, length)
                ):
                    break
                slot = (slot + np.uint64(1)) & mask
            if piece >= 0:
                counts[piece] += weight
            else:
                if size == capacity:
                    capacity *= 2
                    hashes = np.concatenate((hashes, np.empty_like(hashes)))
                    starts = np.concatenate((starts, np.empty_like(starts)))
                    lengths = np.concatenate((lengths, np.empty_like(lengths)))
                    counts = np.concatenate((counts, np.empty_like(counts)))
                    slots = np.zeros(2 * capacity, np.int64)
                    mask = np.uint64(2 * capacity - 1)
                    for i in range(size):
                        slot = hashes[i] & mask
                        while slots[slot] != 0:
                            slot = (slot + np.uint64(1)) & mask
                        slots[slot] = i + 1
                    slot = value & mask
                    while slots[slot] != 0:
                        slot = (slot + np.uint64(1)) & mask
                slots[slot] = size + 1
                hashes[size] = value
                starts[size] = start
                lengths[size] = length
                counts[size] = weight
                size += 1
            start = end
    return starts[:size].copy(), lengths[:size].copy(), counts[:size].copy()


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
