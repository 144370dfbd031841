# mypy: allow-untyped-defs
"""From text to token ranks: cut into pieces, look short pieces up, merge the others.

Two ways to merge, both exact. ``_by_longest_match`` finds the one sequence of tokens whose neighbours all stay apart
under the merges, by longest match with backtracking; it is linear in the piece and the fast one, and right for every
vocabulary whose tokens encode to themselves, as all trained ones do (the method is that of github/rust-gems' ``bpe``).
``_by_merging`` applies the merges in order with a heap, O(n log n), for any other vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from tokenizer.piece_kernels import hash_words, key_of
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces, next_mark
from tokenizer.vocabulary_kernels import RANK_BITS, child_of, merge_of

_TOKEN = np.uint64((1 << RANK_BITS) - 1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
# The words of a cache entry: bytes 0-7; bytes 8-14 and the length; tokens 1 and 2 and
# how many there are; tokens 3 and 4
CACHED_BYTES = 15
_CACHED_TOKENS = 4


class Vocabulary(NamedTuple):
    """The tables of a tokenizer; ranks are its tokens in the order they were learned."""

    kinds: np.ndarray  # pretokenizers.ScannerTables
    windows: np.ndarray
    classes: np.ndarray
    byte_rank: np.ndarray  # int32 [256]
    root: np.ndarray  # int32 [65536], see vocabulary_kernels.build_trie
    edges: np.ndarray  # uint64
    shorter: np.ndarray  # int32 [tokens]
    sizes: np.ndarray  # int32 [tokens], bytes
    halves: np.ndarray  # int32 [tokens, 2], what each token was merged from; a byte is its own halves
    merges: np.ndarray  # uint64, see vocabulary_kernels.merge_table
    proper: bool  # every token encodes to itself


@njit(inline="always")
def _longest_match(data, start, stop, vocabulary):
    byte = data[start]
    token = np.int64(vocabulary.byte_rank[byte])
    if start + 1 == stop:
        return token
    node = np.int64(vocabulary.root[np.int64(byte) << 8 | np.int64(data[start + 1])])
    tokens = len(vocabulary.sizes)
    position = start + 2
    while node >= 0:
        if node < tokens:
            token = node
        if position == stop:
            break
        node = child_of(node, data[position], vocabulary.edges)
        position += 1
    return token


@njit(nogil=True, cache=True)
def _stay_apart(left, right, halves, merges):
    """Whether BPE, given the bytes of ``left`` and ``right`` together, ends with exactly these two tokens.

    Undoes merges from the last one on and looks whether an earlier one would have joined the two sides.
    """
    limit = np.int64(0x7FFFFFFF)
    while True:
        merged = merge_of(left, right, merges)
        if merged >= 0 and merged < limit:
            return False
        if left > right:
            limit = left
            left = np.int64(halves[left, 1])
            if left == limit:
                limit = right + 1
                right = np.int64(halves[right, 0])
                if right + 1 == limit:
                    return True
        else:
            limit = right + 1
            right = np.int64(halves[right, 0])
            if right + 1 == limit:
                limit = left
                left = np.int64(halves[left, 1])
                if left == limit:
                    return True


@njit(nogil=True, cache=True)
def _by_longest_match(data, start, stop, vocabulary, alive, out, count):
    """Appends the ranks of ``data[start:stop]`` to ``out`` from ``count`` on; returns the new count.

    ``alive`` is scratch, uint64 [(stop - start) // 64 + 1]: bit i falls when no valid sequence reaches byte i.
    """
    sizes = vocabulary.sizes
    shorter = vocabulary.shorter
    first = count
    token = _longest_match(data, start, stop, vocabulary)
    if sizes[token] == stop - start:
        out[count] = token
        return count + 1
    for i in range((stop - start) // 64 + 1):
        alive[i] = _ALL
    position = start
    while position < stop:
        while True:
            end = position + sizes[token]
            bit = np.uint64(end - start)
            if alive[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1) and (
                count == first or _stay_apart(np.int64(out[count - 1]), token, vocabulary.halves, vocabulary.merges)
            ):
                out[count] = token
                count += 1
                position = end
                if position < stop:
                    token = _longest_match(data, position, stop, vocabulary)
                break
            token = np.int64(shorter[token])
            if token < 0:
                bit = np.uint64(position - start)
                alive[bit >> np.uint64(6)] &= ~(np.uint64(1) << (bit & np.uint64(63)))
                count -= 1
                token = np.int64(out[count])
                position -= sizes[token]
                # The token that led here is the first to try again; it now fails at its end and gives way to shorter.
    return count


@njit(nogil=True, cache=True)
def _by_merging(data, start, stop, vocabulary, out, count):
    """As ``_by_longest_match`` for any vocabulary: the lowest merge first, of equals the leftmost."""
    length = stop - start
    rank = np.empty(length, np.int64)
    following = np.empty(length, np.int64)
    previous = np.empty(length, np.int64)
    heap = np.empty(3 * length + 3, np.uint64)  # merged rank << 40 | position
    size = 0
    for i in range(length):
        rank[i] = vocabulary.byte_rank[data[start + i]]
        following[i] = i + 1
        previous[i] = i - 1
    for i in range(length - 1):
        merged = merge_of(rank[i], rank[i + 1], vocabulary.merges)
        if merged >= 0:
            size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
    while size:
        entry = heap[0]
        size = _pop(heap, size)
        i = np.int64(entry & np.uint64((1 << 40) - 1))
        j = following[i] if rank[i] >= 0 else length
        if j >= length:
            continue
        merged = merge_of(rank[i], rank[j], vocabulary.merges)
        if merged != np.int64(entry >> np.uint64(40)):
            continue
        rank[i] = merged
        rank[j] = -1
        after = following[j]
        following[i] = after
        if after < length:
            previous[after] = i
            merged = merge_of(rank[i], rank[after], vocabulary.merges)
            if merged >= 0:
                size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
        before = previous[i]
        if before >= 0:
            merged = merge_of(rank[before], rank[i], vocabulary.merges)
            if merged >= 0:
                size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(before))
    i = 0
    while i < length:
        out[count] = rank[i]
        count += 1
        i = following[i]
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
def tokens_are_proper(data, offsets, vocabulary):
    """Whether every token of the vocabulary (bytes by rank) encodes to itself."""
    out = np.empty(len(data) + 1, np.uint32)
    for token in range(256, len(offsets) - 1):
        if _by_merging(data, offsets[token], offsets[token + 1], vocabulary, out, 0) != 1 or out[0] != token:
            return False
    return True


@njit(nogil=True, cache=True)
def encode(data, offsets, vocabulary, cache, begin, end, out, ends):
    """Encodes documents to ranks.

    Args:
        data, offsets: a valid text column, see ``text_buffers``.
        vocabulary: the tables.
        cache: uint64 [power of two, 4], short pieces and their ranks; filled with ``_ALL`` before first use.
        begin, end: put before and behind each document, -1 for none.
        out: uint32, at least one a byte, two a document and four.
        ends: int64 [documents + 1], receives the document boundaries in ``out``; ``ends[0]`` is 0.

    Returns:
        The number of tokens.
    """
    count = 0
    mask = np.uint64(len(cache) - 1)
    alive = np.empty(64, np.uint64)
    marks = np.empty(MARK_PADDING, np.uint8)
    for row in range(len(offsets) - 1):
        if begin >= 0:
            out[count] = begin
            count += 1
        start = offsets[row]
        stop = offsets[row + 1]
        if len(marks) < stop - start + MARK_PADDING:
            marks = np.empty(2 * (stop - start) + MARK_PADDING, np.uint8)
        mark_pieces(data, start, stop, vocabulary.kinds, vocabulary.windows, vocabulary.classes, marks)
        base = start
        while start < stop:
            after = base + next_mark(marks, start - base + 1)
            length = after - start
            if length <= CACHED_BYTES:
                low, high = key_of(data, start, length)
                slot = hash_words(low, high) & mask
                if cache[slot, 0] == low and cache[slot, 1] == high:
                    tokens = cache[slot, 2]
                    # Most pieces are one or two tokens: writing two and counting is cheaper than asking which.
                    out[count] = np.uint32(tokens & _TOKEN)
                    out[count + 1] = np.uint32(tokens >> np.uint64(32) & _TOKEN)
                    size = np.int64(tokens >> np.uint64(61))
                    if size > 2:
                        tokens = cache[slot, 3]
                        out[count + 2] = np.uint32(tokens & _TOKEN)
                        out[count + 3] = np.uint32(tokens >> np.uint64(32))
                    count += size
                    start = after
                    continue
            first = count
            if vocabulary.proper:
                if length // 64 + 1 > len(alive):
                    alive = np.empty(2 * (length // 64 + 1), np.uint64)
                count = _by_longest_match(data, start, after, vocabulary, alive, out, count)
            else:
                count = _by_merging(data, start, after, vocabulary, out, count)
            if length <= CACHED_BYTES and count - first <= _CACHED_TOKENS:
                cache[slot, 0] = low
                cache[slot, 1] = high
                cache[slot, 2] = np.uint64(count - first) << np.uint64(61)
                cache[slot, 3] = 0
                for i in range(count - first):
                    cache[slot, 2 + (i >> 1)] |= np.uint64(out[first + i]) << np.uint64(32 * (i & 1))
            start = after
        if end >= 0:
            out[count] = end
            count += 1
        ends[row + 1] = count
    return count


@njit(nogil=True, cache=True)
def decode(tokens, offsets, token_data, token_offsets, ends):
    """Concatenates what tokens stand for.

    Args:
        tokens: uint32 [tokens].
        offsets: int64 [documents + 1], document boundaries in ``tokens``.
        token_data, token_offsets: uint8 and int64, the bytes of each id.
        ends: int64 [documents + 1], receives the document boundaries in the bytes.

    Returns:
        uint8, the bytes of all documents; empty with ``ends[0]`` = -1 - position for an id outside the vocabulary.
    """
    vocabulary = len(token_offsets) - 1
    total = 0
    ends[0] = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            token = tokens[i]
            if token >= vocabulary:
                ends[0] = -1 - i
                return np.empty(0, np.uint8)
            total += token_offsets[token + 1] - token_offsets[token]
        ends[row + 1] = total
    out = np.empty(total, np.uint8)
    position = 0
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        token = tokens[i]
        for k in range(token_offsets[token], token_offsets[token + 1]):
            out[position] = token_data[k]
            position += 1
    return out
