# mypy: allow-untyped-defs
"""From the bytes of one piece to its tokens, in two ways, both exact.

``_by_longest_match`` finds the one sequence of tokens whose neighbours all stay apart under the merges, by longest
match with backtracking; it is linear in the piece and the fast one, and right for every vocabulary whose tokens encode
to themselves, as all trained ones do (the method is that of github/rust-gems' ``bpe``). ``_by_merging`` applies the
merges in order with a heap, O(n log n), for any other vocabulary.

All kernels here take addresses, see ``raw_memory``: a helper that takes an array counts references in and out of every
call, and there are a dozen tables.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from text.raw_memory import read_int32, read_uint8, read_uint32, read_uint64, write_uint32, write_uint64
from tokenizer.vocabulary_kernels import (
    LEFT,
    RIGHT,
    ROW,
    SPINE,
    SPLITS,
    character_at,
    character_child,
    child_of,
    extended,
    merge_of,
    shorter_token,
    token_size,
)
from tokenizer.word_cache_kernels import ATTEMPTS, HEAP_STEPS

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class MergeTables(NamedTuple):
    """Where the tables of a vocabulary lie; ranks are its tokens in the order they were learned."""

    byte_rank: int  # address of int32 [256]
    first: int  # address of int32 [65536], see vocabulary_kernels.build_character_trie
    characters: int  # address of uint64 [characters_mask + 1]
    characters_shift: int
    characters_mask: int
    edges: int  # address of uint64 [edges_mask + 1], see vocabulary_kernels.build_trie
    edges_mask: int
    start: int  # the trie node before any byte
    rows: int  # address of int32 [tokens, TOKEN_COLUMNS], see vocabulary_kernels.token_rows
    merges: int  # address of uint64 [merges_mask + 1], see vocabulary_kernels.merge_tables
    merges_mask: int
    merge_filter: int  # address of uint64 [(filter_mask + 1) / 64]
    filter_mask: int
    tokens: int
    proper: int  # 1 where every token encodes to itself


@njit(inline="always")
def _merge_of(left, right, tables):
    return merge_of(left, right, tables.merges, tables.merges_mask, tables.merge_filter, tables.filter_mask)


@njit(inline="always")
def _longest_match(address, stop, tables):
    """The longest token that the bytes from ``address`` to ``stop`` start with, and where it ends."""
    token = np.int64(-1)
    end = address
    node = np.int64(tables.start)
    position = address
    point, size = character_at(position)
    if size > 0:
        value = np.int64(read_int32(tables.first + 4 * point))
        prefix = extended(np.uint64(0), point)
        while value >= 0:
            node = value & ~SPLITS
            position += size
            if node < tables.tokens:
                token = node
                end = position
            if position >= stop or value & SPLITS:
                break
            point, size = character_at(position)
            if size == 0:
                break
            prefix = extended(prefix, point)
            value = character_child(
                node, point, prefix, tables.characters, tables.characters_shift, tables.characters_mask
            )
        if value < 0 or not value & SPLITS:
            node = np.int64(-1) if token >= 0 else np.int64(tables.start)
    if node >= 0:
        # By bytes: where a token ends inside a character, or the first character is none.
        if token < 0:
            position = address
            node = np.int64(tables.start)
        while position < stop:
            node = child_of(node, read_uint8(position), tables.edges, tables.edges_mask)
            if node < 0:
                break
            position += 1
            if node < tables.tokens:
                token = node
                end = position
    return token, end


@njit(inline="always")
def _stay_apart(left, right, tables):
    """Whether BPE, given the bytes of ``left`` and ``right`` together, ends with exactly these two tokens.

    Undoes merges from the last one on and looks whether an earlier one would have joined the two sides.
    """
    limit = np.int64(0x7FFFFFFF)
    left_spine = tables.rows + ROW * left + 4 * RIGHT
    right_spine = tables.rows + ROW * right + 4 * LEFT
    left_step = 0
    right_step = 0
    while True:
        merged = _merge_of(left, right, tables)
        if merged >= 0 and merged < limit:
            return False
        # Which side was merged later is as good as random, so both are loaded and one is selected: no branch to miss.
        undo_left = left > right
        limit = left if undo_left else right + 1
        left_half = np.int64(read_int32(left_spine + 4 * left_step))
        right_half = np.int64(read_int32(right_spine + 4 * right_step))
        if (left_half if undo_left else right_half) < 0:
            return True
        left = left_half if undo_left else left
        right = right if undo_left else right_half
        left_step += 1 if undo_left else 0
        right_step += 0 if undo_left else 1
        if left_step == SPINE:
            left_spine = tables.rows + ROW * left + 4 * RIGHT
            left_step = 0
        if right_step == SPINE:
            right_spine = tables.rows + ROW * right + 4 * LEFT
            right_step = 0


@njit(nogil=True, cache=True)
def _by_longest_match(address, length, tables, alive, out, state):
    """Writes the ranks of the ``length`` bytes at ``address`` to ``out`` (uint32); returns how many.

    ``alive`` is scratch of ``length // 64 + 1`` words: bit i falls when no valid sequence reaches byte i. Long runs of
    one character can make it try most tokens at most bytes, which is linear too but slow; it then returns -1.
    """
    stop = address + length
    for i in range(length // 64 + 1):
        write_uint64(alive + 8 * i, _ALL)
    position = address
    count = 0
    left = np.int64(-1)
    attempts = 2 * length + 64
    token, end = _longest_match(position, stop, tables)
    while attempts > 0:
        attempts -= 1
        bit = np.uint64(end - address)
        fits = read_uint64(alive + np.int64(bit >> np.uint64(6)) * 8) >> (bit & np.uint64(63)) & np.uint64(1)
        if fits and (count == 0 or _stay_apart(left, token, tables)):
            write_uint32(out + 4 * count, np.uint32(token))
            count += 1
            left = token
            position = end
            if position == stop:
                break
            token, end = _longest_match(position, stop, tables)
        else:
            token = shorter_token(token, tables.rows)
            end = position + token_size(token, tables.rows) if token >= 0 else position
            if token < 0:
                # Nothing fits from here: give the last token up for shorter ones; it would end at a dead byte now.
                bit = np.uint64(position - address)
                word = alive + np.int64(bit >> np.uint64(6)) * 8
                write_uint64(word, read_uint64(word) & ~(np.uint64(1) << (bit & np.uint64(63))))
                count -= 1
                end = position
                token = left
                position -= token_size(token, tables.rows)
                left = np.int64(read_uint32(out + 4 * (count - 1))) if count > 0 else np.int64(-1)
    counter = state + 8 * ATTEMPTS
    write_uint64(counter, read_uint64(counter) + np.uint64(2 * length + 64 - attempts))
    return count if position == stop else -1


@njit(nogil=True, cache=True)
def _by_merging(address, length, tables, out, state):
    """As ``_by_longest_match`` for any vocabulary: the lowest merge first, of equals the leftmost."""
    rank = np.empty(length, np.int64)
    following = np.empty(length, np.int64)
    previous = np.empty(length, np.int64)
    heap = np.empty(3 * length + 3, np.uint64)  # merged rank << 40 | position
    size = 0
    steps = 0
    for i in range(length):
        rank[i] = read_int32(tables.byte_rank + 4 * np.int64(read_uint8(address + i)))
        following[i] = i + 1
        previous[i] = i - 1
    for i in range(length - 1):
        merged = _merge_of(rank[i], rank[i + 1], tables)
        if merged >= 0:
            size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
    while size:
        entry = heap[0]
        size = _pop(heap, size)
        steps += 1
        i = np.int64(entry & np.uint64((1 << 40) - 1))
        j = following[i] if rank[i] >= 0 else length
        if j >= length:
            continue
        merged = _merge_of(rank[i], rank[j], tables)
        if merged != np.int64(entry >> np.uint64(40)):
            continue
        rank[i] = merged
        rank[j] = -1
        after = following[j]
        following[i] = after
        if after < length:
            previous[after] = i
            merged = _merge_of(rank[i], rank[after], tables)
            if merged >= 0:
                size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
        before = previous[i]
        if before >= 0:
            merged = _merge_of(rank[before], rank[i], tables)
            if merged >= 0:
                size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(before))
    i = 0
    count = 0
    while i < length:
        write_uint32(out + 4 * count, np.uint32(rank[i]))
        count += 1
        i = following[i]
    counter = state + 8 * HEAP_STEPS
    write_uint64(counter, read_uint64(counter) + np.uint64(steps))
    return count


@njit(nogil=True, cache=True)
def _push(heap, size, entry):
    slot = size
    while slot > 0 and entry < heap[(slot - 1) >> 1]:
        heap[slot] = heap[(slot - 1) >> 1]
        slot = (slot - 1) >> 1
    heap[slot] = entry
    return size + 1


@njit(nogil=True, cache=True)
def _pop(heap, size):
    size -= 1
    entry = heap[size]
    slot = 0
    while True:
        child = 2 * slot + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if entry <= heap[child]:
            break
        heap[slot] = heap[child]
        slot = child
    heap[slot] = entry
    return size


@njit(nogil=True, cache=True)
def merge_piece(address, length, tables, alive, out, state):
    """Writes the ranks of the ``length`` bytes at ``address`` to ``out`` (uint32); returns how many.

    Args:
        address: of bytes of valid UTF-8, cut between characters.
        tables: ``MergeTables``.
        alive: address of scratch, ``length // 64 + 1`` words.
        out: address of room for ``length`` ranks.
        state: address of counters, see ``word_cache_kernels``.
    """
    count = -1
    if tables.proper:
        count = _by_longest_match(address, length, tables, alive, out, state)
    if count < 0:
        count = _by_merging(address, length, tables, out, state)
    return count


@njit(nogil=True, cache=True)
def tokens_are_proper(data_address, offsets, tables, state):
    """Whether every token of the vocabulary (bytes by rank) encodes to itself."""
    out = np.empty(np.max(np.diff(offsets)), np.uint32)
    for token in range(256, len(offsets) - 1):
        address = data_address + offsets[token]
        count = _by_merging(address, offsets[token + 1] - offsets[token], tables, np.int64(out.ctypes.data), state)
        if count != 1 or out[0] != token:
            return False
    return True
