# mypy: allow-untyped-defs
"""What a thread remembers of the pieces it has encoded, in bounded memory.

Short pieces of few tokens, nearly all of a text, lie in ``words``: sets of two entries, one cache line a set, so that a
hit costs one line and no branch that could be guessed wrong. Every other piece is a record in ``ring``, which new
records overwrite from the oldest on; ``slots`` finds them by hash. Both compare all bytes: a hit is never a guess, and
what is remembered decides the time only, never the tokens.

All kernels here take addresses, see ``raw_memory``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from text.raw_memory import (
    read_int64,
    read_uint8,
    read_uint32,
    read_uint64,
    write_int64,
    write_uint8,
    write_uint32,
    write_uint64,
)

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_ZERO = np.uint64(0)

WORD_BYTES = 15  # an entry of ``words``: bytes 0-7; bytes 8-14 and the length; tokens 1, 2 and their number; 3 and 4
WORD_TOKENS = 4
_SET = 64
_ENTRY = 32

# A slot is the virtual position of a record in the ring, in words of eight bytes ever written, above 16 bits of hash.
# Eight slots, a line, are searched together.
_TAG = np.uint64(0xFFFF)
_TAG_BITS = np.uint64(16)
_SLOTS_A_LINE = 8
_LARGEST = 8  # a record takes at most this part of the ring

# Fields of ``state``, int64: where the ring is written next, in words ever written; pieces that were not among the
# words; those of them found in the ring; tokens tried by longest match; entries taken from the heap of merges.
FIELDS = ("head", "word_misses", "ring_hits", "attempts", "heap_steps")
HEAD, WORD_MISSES, RING_HITS, ATTEMPTS, HEAP_STEPS = range(len(FIELDS))


class WordCache(NamedTuple):
    """Where the memory of one thread lies."""

    words: int  # address of uint64 [8 * power of two], on a cache line
    words_shift: int  # makes a hash the number of a set
    slots: int  # address of uint64 [8 * power of two], on a cache line
    slots_shift: int
    ring: int  # address of uint64 [ring_words]
    ring_words: int  # a power of two
    state: int  # address of int64 [len(FIELDS)]
    key_masks: int  # address of ``key_masks()``


@njit(inline="always")
def hash_key(low, high):
    """The hash of a short piece; its upper bits are the good ones."""
    value = low * _M1 ^ high * _M2
    value ^= value >> np.uint64(32)
    return value * _M1


@njit(inline="always")
def key_at(address, length, end, masks):
    """The ``length`` (1-15) bytes at ``address`` as two words: bytes 0-7; bytes 8-14 below the length.

    ``end`` is where readable memory ends; ``masks`` the address of ``key_masks()``.
    """
    size = np.uint64(length) << np.uint64(56)
    if address + 16 <= end:
        mask = masks + 16 * length
        low = read_uint64(address) & read_uint64(mask)
        high = read_uint64(address + 8) & read_uint64(mask + 8)
    else:
        low = _ZERO
        high = _ZERO
        for i in range(min(length, 8)):
            low |= np.uint64(read_uint8(address + i)) << np.uint64(8 * i)
        for i in range(8, length):
            high |= np.uint64(read_uint8(address + i)) << np.uint64(8 * (i - 8))
    return low, high | size


def key_masks() -> np.ndarray:
    """uint64 [16, 2]: the bits of the first eight and the next eight bytes that a piece of each length has."""
    bits = 8 * np.arange(16)
    return np.array([[(1 << min(b, 64)) - 1, (1 << max(b - 64, 0)) - 1] for b in bits.tolist()], np.uint64)


@njit(inline="always")
def set_of(words, shift, low, high):
    """Address of the set of a short piece."""
    return words + np.int64(hash_key(low, high) >> np.uint64(shift)) * _SET


@njit(inline="always")
def remember_word(place, low, high, tokens, count):
    """Puts a short piece and its ``count`` tokens (uint32 at ``tokens``) into its set, in place of the older entry."""
    for offset in range(0, _ENTRY, 8):
        write_uint64(place + _ENTRY + offset, read_uint64(place + offset))
    write_uint64(place, low)
    write_uint64(place + 8, high)
    first = np.uint64(count) << np.uint64(61)
    second = _ZERO
    for i in range(min(count, 2)):
        first |= np.uint64(read_uint32(tokens + 4 * i)) << np.uint64(32 * i)
    for i in range(2, count):
        second |= np.uint64(read_uint32(tokens + 4 * i)) << np.uint64(32 * (i - 2))
    write_uint64(place + 16, first)
    write_uint64(place + 24, second)


@njit(inline="always")
def _hash_bytes(address, length):
    value = np.uint64(length) * _M2
    position = 0
    while position + 8 <= length:
        value = (value ^ read_uint64(address + position)) * _M1
        value ^= value >> np.uint64(29)
        position += 8
    if length >= 8:
        value = (value ^ read_uint64(address + length - 8)) * _M1
    else:
        while position < length:
            value = (value ^ np.uint64(read_uint8(address + position))) * _M1
            position += 1
    value ^= value >> np.uint64(32)
    return value * _M2


@njit(inline="always")
def _same_bytes(left, right, length):
    position = 0
    while position + 8 <= length:
        if read_uint64(left + position) != read_uint64(right + position):
            return False
        position += 8
    if length >= 8:
        return read_uint64(left + length - 8) == read_uint64(right + length - 8)
    while position < length:
        if read_uint8(left + position) != read_uint8(right + position):
            return False
        position += 1
    return True


@njit(inline="always")
def _line_of(cache, value):
    shift = np.uint64(cache.slots_shift)
    return cache.slots + np.int64(value >> shift) * 8 * _SLOTS_A_LINE


@njit(inline="always")
def recall_record(cache, address, length, value, out):
    """Writes the tokens of the piece at ``address`` to ``out``; returns how many, -1 where it is not remembered."""
    line = _line_of(cache, value)
    tag = value & _TAG
    words = cache.ring_words
    oldest = read_int64(cache.state + 8 * HEAD) - words
    ring = cache.ring
    for k in range(_SLOTS_A_LINE):
        slot = read_uint64(line + 8 * k)
        if slot & _TAG == tag:
            position = np.int64(slot >> _TAG_BITS)
            if position >= oldest:
                record = ring + (position & (words - 1)) * 8
                header = read_uint64(record)
                if np.int64(header >> np.uint64(32)) == length and _same_bytes(record + 8, address, length):
                    count = np.int64(header & np.uint64(0xFFFFFFFF))
                    tokens = record + 8 + (length + 7) // 8 * 8
                    for i in range(0, 4 * count, 8):
                        write_uint64(out + i, read_uint64(tokens + i))
                    return count
    return -1


@njit(inline="always")
def remember_record(cache, address, length, value, tokens, count):
    """Adds a piece and its ``count`` tokens (uint32 at ``tokens``) to the ring, over the oldest records there."""
    state = cache.state
    words = cache.ring_words
    text_words = (length + 7) // 8
    size = 1 + text_words + (count + 1) // 2
    if size > words // _LARGEST:
        return
    head = read_int64(state + 8 * HEAD)
    if (head & (words - 1)) + size > words:  # a record lies in one stretch
        head += words - (head & (words - 1))
    record = cache.ring + (head & (words - 1)) * 8
    write_uint64(record, np.uint64(length) << np.uint64(32) | np.uint64(count))
    position = 0
    while position + 8 <= length:
        write_uint64(record + 8 + position, read_uint64(address + position))
        position += 8
    while position < length:
        write_uint8(record + 8 + position, read_uint8(address + position))
        position += 1
    for i in range(count):
        write_uint32(record + 8 + 8 * text_words + 4 * i, read_uint32(tokens + 4 * i))
    # Into the slot that has waited longest.
    line = _line_of(cache, value)
    chosen = line
    for k in range(1, _SLOTS_A_LINE):
        if read_uint64(line + 8 * k) >> _TAG_BITS < read_uint64(chosen) >> _TAG_BITS:
            chosen = line + 8 * k
    write_uint64(chosen, np.uint64(head) << _TAG_BITS | (value & _TAG))
    write_int64(state + 8 * HEAD, head + size)


@njit(inline="always")
def hash_record(address, length):
    """The hash of a piece for ``slots``."""
    return _hash_bytes(address, length)
