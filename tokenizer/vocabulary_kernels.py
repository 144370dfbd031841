# mypy: allow-untyped-defs
"""The vocabulary as tables: tries for the longest token at a position, and which token two tokens merge to.

Tokens are ranks here: 0-255 the bytes, then the merges in order. The tables are laid out for few cache misses, and for
misses that need not wait for each other, which is what pieces without a cache entry cost. A trie over characters
answers for text; where an edge lies in its table follows from the text alone, so the processor fetches the next edges
while it still waits for the first. The trie over bytes behind it answers where a token ends inside a character. A bit
filter answers most questions for a merge that does not exist.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from text.raw_memory import read_int32, read_uint8, read_uint64
from tokenizer.limits import NODE_BITS, RANK_BITS

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_BITS = np.uint64(RANK_BITS)
_LOW = np.uint64((1 << RANK_BITS) - 1)
SPLITS = 1 << NODE_BITS
_VALUE_BITS = np.uint64(NODE_BITS + 1)
_VALUE = np.uint64((1 << (NODE_BITS + 1)) - 1)
# Columns of ``token_rows``, half a cache line a token: its bytes; the longest other token it starts with (-1 for
# none); its right spine: the last token in it, the last in that one, and so on, SPINE of them; its left spine. A spine
# ends with -1 behind the last token that is the left (right) side of any merge: below it nothing merges across.
SIZE, SHORTER, RIGHT, LEFT = 0, 1, 2, 5
SPINE = 3
TOKEN_COLUMNS = 8
ROW = 4 * TOKEN_COLUMNS


@njit(inline="always")
def _mixed(left, right):
    key = np.uint64(left) << _BITS | np.uint64(right)
    mixed = key * _MULTIPLIER
    return key, mixed ^ (mixed >> np.uint64(32))


@njit(inline="always")
def merge_of(left, right, merges, mask, merge_filter, filter_mask):
    """The rank that ``left`` and ``right`` merge to, or -1. The tables are those of ``merge_tables``, by address."""
    key, mixed = _mixed(left, right)
    bit = mixed & np.uint64(filter_mask)
    merged = -1
    if read_uint64(merge_filter + np.int64(bit >> np.uint64(6)) * 8) >> (bit & np.uint64(63)) & np.uint64(1):
        slot = np.int64(mixed) & mask
        while True:
            entry = read_uint64(merges + 8 * slot)
            if entry == _FREE:
                break
            if entry >> _BITS == key:
                merged = np.int64(entry & _LOW)
                break
            slot = (slot + 1) & mask
    return merged


@njit(nogil=True, cache=True)
def merge_tables(pairs):
    """The merges (int32 [merges, 2]) for ``merge_of``.

    Returns:
        ``merges`` uint64 [power of two], open addressing, left rank · right rank · merged rank in 21 bits each; and
        ``merge_filter`` uint64 [power of two], a bit set for every pair that merges (and for a tenth of the others).
    """
    size = 1024
    while size < 2 * len(pairs):
        size *= 2
    merges = np.full(size, _FREE, np.uint64)
    merge_filter = np.zeros(size // 16, np.uint64)
    mask = np.uint64(size - 1)
    for i in range(len(pairs)):
        key, mixed = _mixed(pairs[i, 0], pairs[i, 1])
        bit = mixed & np.uint64(64 * len(merge_filter) - 1)
        merge_filter[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = mixed & mask
        while merges[slot] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        merges[slot] = key << _BITS | np.uint64(256 + i)
    return merges, merge_filter


@njit(nogil=True, cache=True)
def token_rows(sizes, shorter, pairs):
    """int32 [tokens, TOKEN_COLUMNS]: see the columns above."""
    tokens = len(sizes)
    goes_left = np.zeros(tokens, np.bool_)
    goes_right = np.zeros(tokens, np.bool_)
    for i in range(len(pairs)):
        goes_left[pairs[i, 0]] = True
        goes_right[pairs[i, 1]] = True
    rows = np.full((tokens, TOKEN_COLUMNS), -1, np.int32)
    # How far down each spine can still merge, in steps below the token; 0 where nothing below it can.
    reach = np.zeros((tokens, 2), np.int32)
    for token in range(tokens):
        rows[token, SIZE] = sizes[token]
        rows[token, SHORTER] = shorter[token]
        if token < 256:
            continue
        for side in range(2):
            half = pairs[token - 256, 1 - side]
            able = goes_left[half] if side == 0 else goes_right[half]
            reach[token, side] = reach[half, side] + 1 if reach[half, side] or able else 0
            column = RIGHT if side == 0 else LEFT
            for step in range(min(reach[token, side], SPINE)):
                rows[token, column + step] = half
                if half >= 256:
                    half = pairs[half - 256, 1 - side]
    return rows


@njit(inline="always")
def child_of(node, byte, edges, mask):
    """The trie node behind ``node`` and ``byte``, or -1. ``edges``: address of the table of ``build_trie``."""
    key = np.uint64(node) << np.uint64(8) | np.uint64(byte)
    slot = np.int64((key * _MULTIPLIER) >> np.uint64(32)) & mask
    while True:
        entry = read_uint64(edges + 8 * slot)
        if entry == _FREE:
            return -1
        if entry >> np.uint64(32) == key:
            return np.int64(entry & np.uint64(0xFFFFFFFF))
        slot = (slot + 1) & mask


@njit(nogil=True, cache=True)
def build_trie(data, offsets):
    """Builds the trie over the bytes of all tokens.

    Args:
        data, offsets: uint8 and int64, the bytes of each token by rank.

    Returns:
        ``edges`` uint64 [power of two]: node · byte · next node. A node below the number of tokens is the token that
        ends there, any other only leads on. ``shorter`` int32 [tokens], the longest other token that each token starts
        with, -1 for a byte. ``paths`` int32 [bytes], the node behind each byte of ``data``. The node before any byte.
    """
    tokens = len(offsets) - 1
    total = offsets[tokens]
    size = 1024
    while size < 3 * total:
        size *= 2
    # Pass 1 numbers nodes as they come; pass 2 renames those that end a token.
    edges = np.full(size, _FREE, np.uint64)
    mask = np.uint64(size - 1)
    token_at = np.full(total + 2, -1, np.int32)  # node 0 is the empty prefix
    paths = np.empty(total, np.int32)
    nodes = 1
    for token in range(tokens):
        node = 0
        for position in range(offsets[token], offsets[token + 1]):
            key = np.uint64(node) << np.uint64(8) | np.uint64(data[position])
            slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
            while edges[slot] != _FREE and edges[slot] >> np.uint64(32) != key:
                slot = (slot + np.uint64(1)) & mask
            if edges[slot] == _FREE:
                edges[slot] = key << np.uint64(32) | np.uint64(nodes)
                nodes += 1
            node = np.int64(edges[slot] & np.uint64(0xFFFFFFFF))
            paths[position] = node
        token_at[node] = token
    name = np.empty(nodes, np.int32)
    other = tokens
    for node in range(nodes):
        if token_at[node] >= 0:
            name[node] = token_at[node]
        else:
            name[node] = other
            other += 1
    smaller = 1024
    while smaller < 2 * nodes:
        smaller *= 2
    renamed = np.full(smaller, _FREE, np.uint64)
    mask = np.uint64(smaller - 1)
    for entry in edges:
        if entry != _FREE:
            node = name[np.int64(entry >> np.uint64(40))]
            byte = entry >> np.uint64(32) & np.uint64(255)
            key = np.uint64(node) << np.uint64(8) | byte
            slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
            while renamed[slot] != _FREE:
                slot = (slot + np.uint64(1)) & mask
            renamed[slot] = key << np.uint64(32) | np.uint64(name[np.int64(entry & np.uint64(0xFFFFFFFF))])
    shorter = np.full(tokens, -1, np.int32)
    for position in range(total):
        paths[position] = name[paths[position]]
    for token in range(tokens):
        for position in range(offsets[token], offsets[token + 1] - 1):
            if paths[position] < tokens:
                shorter[token] = paths[position]
    return renamed, shorter, paths, name[0]


@njit(inline="always")
def character_at(address):
    """The code point and the bytes of the character at ``address``; (-1, 0) where none of 1-3 bytes begins."""
    lead = np.int64(read_uint8(address))
    if lead >> 4 == 14:
        second = np.int64(read_uint8(address + 1) & 63)
        return (lead & 15) << 12 | second << 6 | np.int64(read_uint8(address + 2) & 63), 3
    if lead < 0x80:
        return lead, 1
    if lead >> 5 == 6:
        return (lead & 31) << 6 | np.int64(read_uint8(address + 1) & 63), 2
    return -1, 0


@njit(inline="always")
def extended(prefix, point):
    """The hash of a text from that of the text without its last character; 0 for the empty text."""
    return (prefix + np.uint64(point) + np.uint64(1)) * _MULTIPLIER


@njit(inline="always")
def character_child(node, point, prefix, characters, shift, mask):
    """As ``child_of`` for a whole character: the node, with ``SPLITS`` or-ed where it applies, or -1.

    ``prefix`` is the hash of the whole text behind ``node`` and ``point``.
    """
    key = np.uint64(node) << np.uint64(16) | np.uint64(point)
    slot = np.int64(prefix >> np.uint64(shift))
    while True:
        entry = read_uint64(characters + 8 * slot)
        if entry == _FREE:
            return -1
        if entry >> _VALUE_BITS == key:
            return np.int64(entry & _VALUE)
        slot = (slot + 1) & mask


@njit(nogil=True, cache=True)
def build_character_trie(data, data_address, offsets, paths, start):
    """Derives the trie over characters of one to three bytes from the one over bytes.

    Args:
        data, offsets: the bytes of each token by rank, and their address.
        paths, start: see ``build_trie``.

    Returns:
        ``first`` int32 [65536], the node behind each code point as the first of a token, -1 where there is none;
        ``characters`` uint64 [power of two], node · code point · next node; and the shift that makes a hash a slot.
        ``SPLITS`` is set in either on nodes behind which a token ends inside a character, or has one of four bytes:
        from there the text must be walked by bytes.
    """
    tokens = len(offsets) - 1
    splits = np.zeros(offsets[tokens] + 2, np.bool_)
    found = 0
    for token in range(tokens):
        position = offsets[token]
        stop = offsets[token + 1]
        node = start
        while position < stop:
            point, size = character_at(data_address + position)
            if size == 0 or position + size > stop or not _continues(data, position, size):
                splits[node] = True
                break
            node = paths[position + size - 1]
            position += size
            found += 1
    first = np.full(65536, -1, np.int32)
    shift = 64 - 10
    while 1 << (64 - shift) < 2 * found:
        shift -= 1
    while True:
        size = 1 << (64 - shift)
        characters = np.full(size, _FREE, np.uint64)
        mask = size - 1
        used = 0
        for token in range(tokens):
            position = offsets[token]
            stop = offsets[token + 1]
            node = start
            prefix = np.uint64(0)
            while position < stop:
                point, length = character_at(data_address + position)
                if length == 0 or position + length > stop or not _continues(data, position, length):
                    break
                after = paths[position + length - 1]
                value = after | (SPLITS if splits[after] else 0)
                prefix = extended(prefix, point)
                if node == start:
                    first[point] = value
                else:
                    key = np.uint64(node) << np.uint64(16) | np.uint64(point)
                    slot = np.int64(prefix >> np.uint64(shift))
                    while characters[slot] != _FREE and characters[slot] >> _VALUE_BITS != key:
                        slot = (slot + 1) & mask
                    if characters[slot] == _FREE:
                        characters[slot] = key << _VALUE_BITS | np.uint64(value)
                        used += 1
                node = after
                position += length
        if shift == 64 - 10 or 4 * used >= size:
            return first, characters, shift
        shift += 1  # the first size was a guess: tokens share their beginnings


@njit(inline="always")
def _continues(data, position, size):
    whole = True
    for k in range(1, size):
        whole &= data[position + k] >> 6 == 2
    return whole


@njit(inline="always")
def shorter_token(token, rows):
    """The longest other token that ``token`` starts with, -1 for a byte; ``rows`` is the address of ``token_rows``."""
    return np.int64(read_int32(rows + ROW * token + 4 * SHORTER))


@njit(inline="always")
def token_size(token, rows):
    """The bytes of ``token``."""
    return np.int64(read_int32(rows + ROW * token + 4 * SIZE))
