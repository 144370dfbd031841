# mypy: allow-untyped-defs
"""Adding sorted streams of counts together: the k-way merge, one batch of each stream in memory."""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.order_kernels import leading_word, precedes

# Why ``add_streams`` came back, where not with the number of a stream that has run dry.
FINISHED, OUT_OF_ROOM, BEYOND_INT64 = -1, -2, -3
_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)


@njit(inline="always")
def _first(data, offsets, at, words, one, other):
    """Whether the head of stream ``one`` comes before that of ``other``; equals in order of the streams."""
    if words[one] != words[other]:
        return words[one] < words[other]
    one_start, one_stop = offsets[one, at[one]], offsets[one, at[one] + 1]
    start, stop = offsets[other, at[other]], offsets[other, at[other] + 1]
    if precedes(data, one_start, one_stop, data, start, stop):
        return True
    return one < other and not precedes(data, start, stop, data, one_start, one_stop)


@njit(nogil=True, cache=True)
def _sink(data, offsets, at, words, heap, size):
    stream = heap[0]
    slot = 0
    while True:
        child = 2 * slot + 1
        if child >= size:
            break
        if child + 1 < size and _first(data, offsets, at, words, heap[child + 1], heap[child]):
            child += 1
        if not _first(data, offsets, at, words, heap[child], stream):
            break
        heap[slot] = heap[child]
        slot = child
    heap[slot] = stream


@njit(nogil=True, cache=True)
def enter_stream(data, offsets, at, words, heap, size, stream):
    """Puts a stream whose batch is new into the heap of ``size`` streams."""
    words[stream] = leading_word(data, offsets[stream, at[stream]], offsets[stream, at[stream] + 1])
    slot = size
    while slot > 0:
        parent = (slot - 1) >> 1
        if not _first(data, offsets, at, words, stream, heap[parent]):
            break
        heap[slot] = heap[parent]
        slot = parent
    heap[slot] = stream


@njit(nogil=True, cache=True)
def add_streams(data, offsets, counts, factors, at, rows, words, heap, used, out_data, out_offsets, out_counts):
    """Takes pieces from the streams in order and sums the counts of equal ones, times the factor of each stream.

    Args:
        data: uint8, the bytes of all batches.
        offsets, counts: int64 [streams, rows + 1] and [streams, rows]: the batch of each stream, places in ``data``.
        factors: int64 [streams].
        at, rows: int64 [streams], the next row of each batch and how many it has.
        words: uint64 [streams], the leading word of each head.
        heap: int64 [streams], those that have a head.
        used: int64 [2], the streams in the heap and the rows of the output; the last of them may still grow.
        out_data, out_offsets, out_counts: the output.

    Returns:
        A stream that has run dry and is out of the heap, or FINISHED, OUT_OF_ROOM or BEYOND_INT64.
    """
    size = used[0]
    out = used[1]
    status = np.int64(FINISHED)
    while size:
        stream = heap[0]
        row = at[stream]
        start = offsets[stream, row]
        stop = offsets[stream, row + 1]
        length = stop - start
        same = out > 0 and out_offsets[out] - out_offsets[out - 1] == length
        if same:
            before = out_offsets[out - 1]
            for i in range(length):
                if out_data[before + i] != data[start + i]:
                    same = False
                    break
        if not same:
            if out == len(out_counts) or out_offsets[out] + length > len(out_data):
                status = OUT_OF_ROOM
                break
            before = out_offsets[out]
            for i in range(length):
                out_data[before + i] = data[start + i]
            out_offsets[out + 1] = before + length
            out_counts[out] = 0
            out += 1
        factor = factors[stream]
        if factor and counts[stream, row] > (_LARGEST - out_counts[out - 1]) // factor:
            status = BEYOND_INT64
            break
        out_counts[out - 1] += factor * counts[stream, row]
        at[stream] = row + 1
        if row + 1 == rows[stream]:
            size -= 1
            heap[0] = heap[size]
            if size:
                _sink(data, offsets, at, words, heap, size)
            status = stream
            break
        words[stream] = leading_word(data, stop, offsets[stream, row + 2])
        _sink(data, offsets, at, words, heap, size)
    used[0] = size
    used[1] = out
    return status
