# mypy: allow-untyped-defs
"""Bitmaps of text, a bit a byte: made 64 bytes at a time, walked from one set bit to the next.

``range_mask`` is what the processor does with its widest registers; the walks read a plane (uint64 words, the lowest
bit first) by address, see ``raw_memory``. Planes end with a set bit, so that a search needs no bound but its own.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.cpython.unsafe.numbers import leading_zeros, trailing_zeros
from numba.extending import intrinsic

from text.raw_memory import read_uint64

ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)
WINDOW = 57  # bits of a window, wherever it begins


@intrinsic
def range_mask(typingctx, address, low, high):
    """Bit i of the result (uint64) is set where ``low <= byte <= high`` at ``address + i``; reads 64 bytes."""

    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.IntType(8), 64)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), [ir.Constant(ir.IntType(32), 0)] * 64)

        def everywhere(value):
            byte = builder.trunc(value, ir.IntType(8))
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), byte, ir.Constant(ir.IntType(32), 0))
            return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)

        pointer = builder.inttoptr(arguments[0], vector.as_pointer())
        above = builder.sub(builder.load(pointer, align=1), everywhere(arguments[1]))
        width = everywhere(builder.sub(arguments[2], arguments[1]))
        return builder.bitcast(builder.icmp_unsigned("<=", above, width), ir.IntType(64))

    return types.uint64(types.int64, types.int64, types.int64), generate


@intrinsic
def ones(typingctx, word):
    """How many bits of a uint64 are set, int64."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@njit
def first_bits(count):
    """A uint64 with the lowest ``count`` bits set, 0 to 64."""
    return ALL >> np.uint64(64 - count) if count else np.uint64(0)


@njit
def lowest(word):
    """The position of the lowest set bit of a uint64 that is not 0."""
    return np.int64(trailing_zeros(word))


@njit
def highest(word):
    """The position of the highest set bit of a uint64 that is not 0."""
    return 63 - np.int64(leading_zeros(word))


@njit
def window(plane, position):
    """The bits of a plane from ``position`` on, of which the lowest WINDOW are sure to be there."""
    return read_uint64(plane + (position >> 3)) >> np.uint64(position & 7)


@njit
def is_set(plane, position):
    """Whether a bit of a plane is set."""
    return (read_uint64(plane + (position >> 6 << 3)) >> np.uint64(position & 63)) & ONE != 0


@njit
def next_bit(plane, position, stop):
    """The first set bit of a plane at ``position`` or behind, or ``stop`` if there is none before it."""
    if position >= stop:
        return stop
    word = read_uint64(plane + (position >> 6 << 3)) & (ALL << np.uint64(position & 63))
    block = position & ~63
    while word == 0:
        block += 64
        if block >= stop:
            return stop
        word = read_uint64(plane + (block >> 3))
    return min(block + lowest(word), stop)


@njit
def count_bits(plane, start, stop):
    """How many bits of a plane are set from ``start`` to ``stop``."""
    if start >= stop:
        return 0
    block, last = start & ~63, (stop - 1) & ~63
    head = ALL << np.uint64(start & 63)
    tail = ALL >> np.uint64(63 - ((stop - 1) & 63))
    if block == last:
        return ones(read_uint64(plane + (block >> 3)) & head & tail)
    count = ones(read_uint64(plane + (block >> 3)) & head)
    block += 64
    while block < last:
        count += ones(read_uint64(plane + (block >> 3)))
        block += 64
    return count + ones(read_uint64(plane + (last >> 3)) & tail)
