# mypy: allow-untyped-defs
"""The vocabulary as tables: a trie for the longest token at a position, and which token two tokens merge to.

Tokens are ranks here: 0-255 the bytes, then the merges in order. The tables are laid out for few cache misses, which is
what long pieces cost: three-byte characters (CJK, kana, Hangul, Indic, Thai) are one step in the trie instead of three,
and a bit filter answers most questions for a merge that does not exist.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
# A rank and a trie node each get 21 bits, so an edge or a merge is one uint64 and one load.
RANK_BITS = 21
_BITS = np.uint64(RANK_BITS)
_LOW = np.uint64((1 << RANK_BITS) - 1)
SPLITS = 1 << RANK_BITS


@njit(inline="always")
def merge_of(left, right, merges, merge_filter):
    """The rank that ``left`` and ``right`` merge to, or -1. The tables are those of ``merge_tables``."""
    key = np.uint64(left) << _BITS | np.uint64(right)
    mixed = key * _MULTIPLIER
    mixed ^= mixed >> np.uint64(32)
    bit = mixed & np.uint64(64 * len(merge_filter) - 1)
    merged = -1
    if merge_filter[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1):
        mask = np.uint64(len(merges) - 1)
        slot = mixed & mask
        while True:
            entry = merges[slot]
            if entry == _FREE:
                break
            if entry >> _BITS == key:
                merged = np.int64(entry & _LOW)
                break
            slot = (slot + np.uint64(1)) & mask
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
        key = np.uint64(pairs[i, 0]) << _BITS | np.uint64(pairs[i, 1])
        mixed = key * _MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
        bit = mixed & np.uint64(64 * len(merge_filter) - 1)
        merge_filter[bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
        slot = mixed & mask
        while merges[slot] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        merges[slot] = key << _BITS | np.uint64(256 + i)
    return merges, merge_filter


@njit(inline="always")
def child_of(node, byte, edges):
    """The trie node behind ``node`` and ``byte``, or -1. ``edges``: uint64 table of ``build_trie``."""
    key = np.uint64(node) << np.uint64(8) | np.uint64(byte)
    mask = np.uint64(len(edges) - 1)
    slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
    while True:
        entry = edges[slot]
        if entry == _FREE:
            return -1
        if entry >> np.uint64(32) == key:
            return np.int64(entry & np.uint64(0xFFFFFFFF))
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def build_trie(data, offsets, root):
    """Builds the trie over all tokens.

    Args:
        data, offsets: uint8 and int64, the bytes of each token by rank.
        root: int32 [65536], receives the node behind every two first bytes (first << 8 | second), -1 where none.

    Returns:
        ``edges`` uint64 [power of two]: node · byte · next node. A node below the number of tokens is the token that
        ends there, any other only leads on. And ``shorter`` int32 [tokens], the longest other token that each token
        starts with, -1 for a byte; and the node before any byte.
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
        token_at[node] = token
    name = np.empty(nodes, np.int64)
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
    start = name[0]
    for token in range(tokens):
        node = start
        for position in range(offsets[token], offsets[token + 1] - 1):
            node = child_of(node, data[position], renamed)
            if node < tokens:
                shorter[token] = node
    root[:] = -1
    for first in range(256):
        node = child_of(start, first, renamed)
        if node >= 0:
            for second in range(256):
                root[first << 8 | second] = child_of(node, second, renamed)
    return renamed, shorter, start


@njit(inline="always")
def three_byte_character(data, position):
    """The code point of the three-byte character at ``position``, int64."""
    return (
        np.int64(data[position] & 15) << 12 | np.int64(data[position + 1] & 63) << 6 | np.int64(data[position + 2] & 63)
    )


@njit(inline="always")
def character_child(node, point, character_edges):
    """As ``child_of`` for a whole three-byte character: the node, with ``SPLITS`` or-ed where it applies, or -1."""
    key = np.uint64(node) << np.uint64(16) | np.uint64(point)
    mask = np.uint64(len(character_edges) - 1)
    slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
    while True:
        entry = character_edges[slot]
        if entry == _FREE:
            return -1
        if entry >> np.uint64(22) == key:
            return np.int64(entry & np.uint64((1 << 22) - 1))
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def build_character_trie(data, offsets, edges, start, nodes):
    """Derives the trie over three-byte characters from the one over bytes.

    Args:
        data, offsets: the bytes of each token by rank.
        edges, start: see ``build_trie``.
        nodes: an upper bound of the nodes.

    Returns:
        ``character_root`` int32 [65536], the token that is exactly one three-byte character, -1 where there is none;
        and ``character_edges`` uint64 [power of two], node · code point · next node. ``SPLITS`` is set in either on
        nodes behind which a token ends inside a three-byte character, so the next character must be walked by bytes.
    """
    tokens = len(offsets) - 1
    splits = np.zeros(nodes, np.bool_)
    path = np.empty(offsets[tokens] + 1, np.int64)
    found = 0
    for token in range(tokens):
        first = offsets[token]
        stop = offsets[token + 1]
        path[first] = start
        for position in range(first, stop):
            node = child_of(path[position], data[position], edges)
            if position + 1 < stop:
                path[position + 1] = node
            if data[position] >> 4 == 14:
                if position + 3 <= stop:
                    found += 1
                else:
                    splits[path[position]] = True
    character_root = np.full(65536, -1, np.int32)
    size = 1024
    while size < 2 * found:
        size *= 2
    character_edges = np.full(size, _FREE, np.uint64)
    mask = np.uint64(size - 1)
    used = 0
    for token in range(tokens):
        node = start
        stop = offsets[token + 1]
        for position in range(offsets[token], stop):
            if data[position] >> 4 == 14 and position + 3 <= stop and _continues(data, position):
                after = node
                for k in range(3):
                    after = child_of(after, data[position + k], edges)
                point = three_byte_character(data, position)
                value = after | (SPLITS if splits[after] else 0)
                if node == start:
                    if after < tokens:
                        character_root[point] = value
                elif character_child(node, point, character_edges) < 0:
                    key = np.uint64(node) << np.uint64(16) | np.uint64(point)
                    slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
                    while character_edges[slot] != _FREE:
                        slot = (slot + np.uint64(1)) & mask
                    character_edges[slot] = key << np.uint64(22) | np.uint64(value)
                    used += 1
            node = child_of(node, data[position], edges)
    smaller = 1024
    while smaller < 2 * used:
        smaller *= 2
    if smaller == size:
        return character_root, character_edges
    compact = np.full(smaller, _FREE, np.uint64)
    mask = np.uint64(smaller - 1)
    for entry in character_edges:
        if entry != _FREE:
            slot = ((entry >> np.uint64(22)) * _MULTIPLIER) >> np.uint64(32) & mask
            while compact[slot] != _FREE:
                slot = (slot + np.uint64(1)) & mask
            compact[slot] = entry
    return character_root, compact


@njit(inline="always")
def _continues(data, position):
    return data[position + 1] >> 6 == 2 and data[position + 2] >> 6 == 2
