# mypy: allow-untyped-defs
"""Pieces as machine words: loading, hashing and comparing them eight bytes at a time.

The hashes here only place pieces in tables; no output depends on them.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)


@intrinsic
def _unaligned_word(typing_context, data, position):
    """Loads ``data[position:position + 8]`` as one little-endian uint64; numba has no expression for it."""

    def codegen(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [arguments[1]])
        pointer = builder.bitcast(pointer, ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(data, types.int64), codegen


@intrinsic
def trailing_zeros(typing_context, word):
    """Number of zero bits below the lowest one bit of a uint64 other than 0, as int64."""

    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@njit(inline="always")
def word_at(data, start, length):
    """The first ``min(length, 8)`` bytes from ``start`` as a little-endian uint64, zero-padded; ``length`` > 0."""
    if length >= 8:
        return _unaligned_word(data, np.int64(start))
    if start + 8 <= len(data):
        return _unaligned_word(data, np.int64(start)) & ((np.uint64(1) << np.uint64(8 * length)) - np.uint64(1))
    word = np.uint64(0)
    for i in range(length):
        word |= np.uint64(data[start + i]) << np.uint64(8 * i)
    return word


@njit(inline="always")
def key_of(data, start, length):
    """The ``length`` (1-15) bytes from ``start`` as two words: bytes 0-7; bytes 8-14 below the length."""
    size = np.uint64(length) << np.uint64(56)
    if start + 16 > len(data):
        low = word_at(data, start, length)
        return low, size | (word_at(data, start + 8, length - 8) if length > 8 else np.uint64(0))
    bits = 8 * length
    low = _unaligned_word(data, np.int64(start)) & (_ALL >> np.uint64(max(64 - bits, 0)))
    mask = _ALL >> np.uint64(128 - bits) if length > 8 else np.uint64(0)
    return low, size | (_unaligned_word(data, np.int64(start + 8)) & mask)


@njit(inline="always")
def hash_words(low, high):
    """Mixes two uint64 to one: enough to spread the keys of a table."""
    value = (low ^ (low >> np.uint64(32))) * _M1
    value = (value ^ high) * _M2
    value ^= value >> np.uint64(29)
    value *= _M1
    return value ^ (value >> np.uint64(32))


@njit(inline="always")
def hash_piece(data, start, stop):
    """Hashes ``data[start:stop]`` to uint64."""
    value = np.uint64(stop - start)
    while start < stop:
        value = hash_words(word_at(data, start, stop - start), value)
        start += 8
    return value


@njit(inline="always")
def same_piece(data, left, right, length):
    """Whether ``length`` bytes from ``left`` equal those from ``right``."""
    position = 0
    while position < length:
        if word_at(data, left + position, length - position) != word_at(data, right + position, length - position):
            return False
        position += 8
    return True
