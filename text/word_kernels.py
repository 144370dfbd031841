# mypy: allow-untyped-defs
"""Words of UTF-8 text in one walk: decode, fold, cut, hash.

The hash of a word multiplies in the UTF-8 bytes of its folded form, eight at a time as a little-endian integer, and
mixes at the end. ASCII is cut and folded eight bytes at a time without looking at one (the branch that ends a word is
what a byte-wise walk waits for); everything else goes code point by code point through the table.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from text.hashing import mix64
from text.raw_memory import load_eight, read_uint32

IN_WORD = np.uint32(1 << 30)
ALONE = np.uint32(1 << 31)
POINT = np.uint32((1 << 21) - 1)
WORD_SEED = np.uint64(0xCBF29CE484222325)
WORD_FACTOR = np.uint64(0xD6E8FEB86659FD93)

_TOP_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_LOWER_CASE = np.uint64(0x2020202020202020)
_FROM_A = np.uint64(0x0101010101010101 * (0x80 - ord("a")))  # adding it sets a byte's top bit from "a" on
_PAST_Z = np.uint64(0x0101010101010101 * (0x80 - ord("z") - 1))
_FROM_0 = np.uint64(0x0101010101010101 * (0x80 - ord("0")))
_PAST_9 = np.uint64(0x0101010101010101 * (0x80 - ord("9") - 1))
_ONE = np.uint64(1)
_SIX = np.uint64(0x3F)
_WHOLE_BYTES = np.uint64(0x38)
_NOT_ASCII = np.uint64(0x80)
_CONTINUATION = np.uint64(0x80)


@njit
def _decode(eight):
    """The code point (int64) that the lowest bytes of ``eight`` encode, none of them ASCII, and its bytes."""
    lead = np.int64(eight & np.uint64(0xFF))
    second = np.int64(eight >> np.uint64(8)) & 0x3F
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | second, 2
    third = np.int64(eight >> np.uint64(16)) & 0x3F
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | second << 6 | third, 3
    point = (lead & 0x07) << 18 | second << 12 | third << 6 | np.int64(eight >> np.uint64(24)) & 0x3F
    return min(point, 0x10FFFF), 4  # invalid text may give wrong words, but never a read outside the table


@njit
def _ascii_word_bytes(eight):
    """Sets the top bit of each byte that is an ASCII letter or digit; all other bits are 0."""
    low = eight & _LOW_BITS
    lowered = low | _LOWER_CASE
    letters = (lowered + _FROM_A) & ~(lowered + _PAST_Z)
    digits = (low + _FROM_0) & ~(low + _PAST_9)
    return (letters | digits) & ~eight & _TOP_BITS


@njit
def _utf8(point):
    """A code point (uint64) as UTF-8 bytes in a little-endian uint64, and how many."""
    if point < 0x80:
        return point, 1
    last = (point & _SIX) | _CONTINUATION
    point >>= np.uint64(6)
    if point < 0x20:
        return (point | np.uint64(0xC0)) | last << np.uint64(8), 2
    third = (point & _SIX) | _CONTINUATION
    point >>= np.uint64(6)
    if point < 0x10:
        return (point | np.uint64(0xE0)) | third << np.uint64(8) | last << np.uint64(16), 3
    second = (point & _SIX) | _CONTINUATION
    point >>= np.uint64(6)
    return (point | np.uint64(0xF0)) | second << np.uint64(8) | third << np.uint64(16) | last << np.uint64(24), 4


@njit
def _word_by_code_points(position, stop, table):
    """Hashes the word that starts at ``position``; returns its hash and the address behind it."""
    value = WORD_SEED
    chunk = np.uint64(0)
    filled = 0
    while position < stop:
        eight = load_eight(position, stop)
        point, size = np.int64(eight & np.uint64(0x7F)), 1
        if eight & _NOT_ASCII:
            point, size = _decode(eight)
        entry = read_uint32(table + 4 * point)
        if not entry & IN_WORD:
            break
        position += size
        encoded, size = _utf8(np.uint64(entry & POINT))
        chunk |= encoded << np.uint64(8 * filled)
        filled += size
        if filled >= 8:
            value = (value ^ chunk) * WORD_FACTOR
            filled -= 8
            chunk = encoded >> np.uint64(8 * (size - filled)) if filled else np.uint64(0)
    if filled:
        value = (value ^ chunk) * WORD_FACTOR
    return mix64(value), position


@njit
def next_word(position, stop, table):
    """Finds the next word between two addresses of valid UTF-8.

    Args:
        position, stop: int64 addresses of bytes.
        table: int64 address of ``text.words.word_table``.

    Returns:
        Its hash (uint64), the address behind it, and whether there was one.
    """
    while position < stop:
        eight = load_eight(position, stop)
        wanted = _ascii_word_bytes(eight) | (eight & _TOP_BITS)
        if wanted == 0:
            position += 8
            continue
        position += np.int64(trailing_zeros(wanted)) >> 3
        eight = load_eight(position, stop)
        if not eight & _NOT_ASCII:
            value = WORD_SEED
            start = position
            ends = ~_ascii_word_bytes(eight) & _TOP_BITS
            while ends == 0:
                value = (value ^ (eight | _LOWER_CASE)) * WORD_FACTOR
                position += 8
                eight = load_eight(position, stop)
                ends = ~_ascii_word_bytes(eight) & _TOP_BITS
            bits = np.uint64(trailing_zeros(ends)) & _WHOLE_BYTES
            position += np.int64(bits >> np.uint64(3))
            if not (eight >> bits) & _NOT_ASCII:
                if bits:
                    value = (value ^ ((eight | _LOWER_CASE) & ((_ONE << bits) - _ONE))) * WORD_FACTOR
                return mix64(value), position, True
            # The next character may belong to the word: let the table decide, from the start.
            value, position = _word_by_code_points(start, stop, table)
            return value, position, True
        point, size = _decode(eight)
        entry = read_uint32(table + 4 * point)
        if entry & ALONE:
            encoded, _ = _utf8(np.uint64(entry & POINT))
            return mix64((WORD_SEED ^ encoded) * WORD_FACTOR), position + size, True
        if entry & IN_WORD:
            value, position = _word_by_code_points(position, stop, table)
            return value, position, True
        position += size
    return np.uint64(0), position, False


@njit
def word_start(position, stop, table):
    """Address of the first byte of the word that ``next_word`` would find from here; ``stop`` where there is none."""
    while position < stop:
        eight = load_eight(position, stop)
        point, size = np.int64(eight & np.uint64(0x7F)), 1
        if eight & _NOT_ASCII:
            point, size = _decode(eight)
        if read_uint32(table + 4 * point):
            return position
        position += size
    return stop
