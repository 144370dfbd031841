# mypy: allow-untyped-defs
"""Pieces in the order of their bytes: compared eight bytes at a time, and sorted where the first eight are equal."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from tokenizer.piece_kernels import word_at

_SMALL = 12  # groups up to this size are sorted by insertion


@intrinsic
def _reversed_bytes(typing_context, word):
    """A uint64 with its bytes in the other order."""

    def codegen(context, builder, signature, arguments):
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), codegen


@njit(inline="always")
def leading_word(data, start, stop):
    """Up to eight bytes from ``start`` as a uint64 that compares as they do; zeros stand behind the end."""
    return _reversed_bytes(word_at(data, start, stop - start)) if start < stop else np.uint64(0)


@njit(nogil=True, cache=True)
def precedes(data, start, stop, other_data, other_start, other_stop):
    """Whether the bytes ``data[start:stop]`` come before those of another piece."""
    while start < stop and other_start < other_stop:
        word = leading_word(data, start, stop)
        other = leading_word(other_data, other_start, other_stop)
        if word != other:
            return word < other
        start += 8
        other_start += 8
    # Equal up to a word in which one of them may end: zeros in the other are all that can tell them apart.
    return stop - start < other_stop - other_start


@njit(nogil=True, cache=True)
def leading_words(data, offsets):
    """uint64 [pieces]: ``leading_word`` of each piece."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(out)):
        out[i] = leading_word(data, offsets[i], offsets[i + 1])
    return out


@njit(inline="always")
def _less(data, offsets, i, j):
    return precedes(data, offsets[i] + 8, offsets[i + 1], data, offsets[j] + 8, offsets[j + 1])


@njit(nogil=True, cache=True)
def _sink(data, offsets, order, base, slot, size):
    item = order[base + slot]
    while True:
        child = 2 * slot + 1
        if child >= size:
            break
        if child + 1 < size and _less(data, offsets, order[base + child], order[base + child + 1]):
            child += 1
        if not _less(data, offsets, item, order[base + child]):
            break
        order[base + slot] = order[base + child]
        slot = child
    order[base + slot] = item


@njit(nogil=True, cache=True)
def sort_ties(data, offsets, words, order):
    """Sorts the runs of ``order`` (int64, pieces by their leading words) in which those words are equal, in place."""
    first = 0
    while first < len(order):
        last = first + 1
        while last < len(order) and words[order[last]] == words[order[first]]:
            last += 1
        size = last - first
        if size <= _SMALL:
            for i in range(first + 1, last):
                item = order[i]
                k = i
                while k > first and _less(data, offsets, item, order[k - 1]):
                    order[k] = order[k - 1]
                    k -= 1
                order[k] = item
        else:
            for slot in range(size // 2 - 1, -1, -1):
                _sink(data, offsets, order, first, slot, size)
            for end in range(size - 1, 0, -1):
                order[first], order[first + end] = order[first + end], order[first]
                _sink(data, offsets, order, first, 0, end)
        first = last
