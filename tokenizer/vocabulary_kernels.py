# mypy: allow-untyped-defs
"""The vocabulary as tables: a trie for the longest token at a position, and which token two tokens merge to.

Tokens are ranks here: 0-255 the bytes, then the merges in order.
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


@njit(inline="always")
def merge_of(left, right, merges):
    """The rank that ``left`` and ``right`` merge to, or -1. ``merges``: uint64 table of ``merge_table``."""
    key = np.uint64(left) << _BITS | np.uint64(right)
    mask = np.uint64(len(merges) - 1)
    slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
    while True:
        entry = merges[slot]
        if entry == _FREE:
            return -1
        if entry >> _BITS == key:
            return np.int64(entry & _LOW)
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def merge_table(pairs):
    """Open-addressing table, uint64 [power of two], left rank · right rank · merged rank in 21 bits each."""
    size = 1024
    while size < 3 * len(pairs):
        size *= 2
    merges = np.full(size, _FREE, np.uint64)
    mask = np.uint64(size - 1)
    for i in range(len(pairs)):
        key = np.uint64(pairs[i, 0]) << _BITS | np.uint64(pairs[i, 1])
        slot = (key * _MULTIPLIER) >> np.uint64(32) & mask
        while merges[slot] != _FREE:
            slot = (slot + np.uint64(1)) & mask
        merges[slot] = key << _BITS | np.uint64(256 + i)
    return merges


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
        starts with, -1 for a byte.
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
    while smaller < 3 * nodes:
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
    return renamed, shorter
