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
from tokenizer.vocabulary_kernels import RANK_BITS, SPLITS, character_child, child_of, merge_of, three_byte_character

_TOKEN = np.uint64((1 << RANK_BITS) - 1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_THREE = np.uint64(3)
# The words of a cache entry: bytes 0-7; bytes 8-14 and the length; tokens 1 and 2 and how many there are; tokens 3
# and 4. Two entries, a set, fill one cache line.
_WAY = np.uint64(4)
CACHED_BYTES = 15
_CACHED_TOKENS = 4
# Columns of ``tokens``, one cache line a token: its bytes; the longest other token it starts with (-1 for none); the
# last token in it, the last in that one and so on, the right spine, SPINE of them; and the left spine. A byte is its
# own half. Without the spines every step of ``_stay_apart`` would be a load that waits for the one before.
SPINE = 6
SIZE, SHORTER, RIGHT, LEFT = 0, 1, 2, 2 + SPINE
TOKEN_COLUMNS = 16


class Vocabulary(NamedTuple):
    """The tables of a tokenizer; ranks are its tokens in the order they were learned."""

    kinds: np.ndarray  # pretokenizers.ScannerTables
    windows: np.ndarray
    classes: np.ndarray
    byte_rank: np.ndarray  # int32 [256]
    root: np.ndarray  # int32 [65536], see vocabulary_kernels.build_trie
    edges: np.ndarray  # uint64
    character_root: np.ndarray  # int32 [65536], see vocabulary_kernels.build_character_trie
    character_edges: np.ndarray  # uint64
    tokens: np.ndarray  # int32 [tokens, TOKEN_COLUMNS]
    merges: np.ndarray  # uint64, see vocabulary_kernels.merge_tables
    merge_filter: np.ndarray  # uint64
    proper: bool  # every token encodes to itself


@njit(inline="always")
def _longest_match(data, start, stop, byte_rank, root, edges, character_root, character_edges, tokens):
    """The longest token that ``data[start:stop]`` starts with."""
    byte = data[start]
    token = np.int64(byte_rank[byte])
    node = np.int64(-1)
    position = start + 1
    if position < stop:
        value = np.int64(-1)
        if byte >> 4 == 14 and start + 3 <= stop:
            value = np.int64(character_root[three_byte_character(data, start)])
        if value >= 0:
            position = start + 3
            node = token = value & ~SPLITS
            while position < stop and data[position] >> 4 == 14 and value & SPLITS == 0:
                value = character_child(node, three_byte_character(data, position), character_edges)
                if value < 0:
                    node = -1
                    break
                node = value & ~SPLITS
                position += 3
                if node < tokens:
                    token = node
        else:
            node = np.int64(root[np.int64(byte) << 8 | np.int64(data[position])])
            position += 1
            if 0 <= node < tokens:
                token = node
        while node >= 0 and position < stop:
            node = child_of(node, data[position], edges)
            position += 1
            if 0 <= node < tokens:
                token = node
    return token


@njit(inline="always")
def _stay_apart(left, right, tokens, merges, merge_filter):
    """Whether BPE, given the bytes of ``left`` and ``right`` together, ends with exactly these two tokens.

    Undoes merges from the last one on and looks whether an earlier one would have joined the two sides.
    """
    limit = np.int64(0x7FFFFFFF)
    apart = True
    left_base = left
    right_base = right
    left_step = RIGHT
    right_step = LEFT
    while True:
        merged = merge_of(left, right, merges, merge_filter)
        if merged >= 0 and merged < limit:
            apart = False
            break
        if max(left, right) < 256:
            break
        # Which side was merged later is as good as random, so both are loaded and one is selected: no branch to miss.
        undo_left = left > right
        limit = left if undo_left else right + 1
        left_half = np.int64(tokens[left_base, left_step])
        right_half = np.int64(tokens[right_base, right_step])
        left = left_half if undo_left else left
        right = right if undo_left else right_half
        left_step += 1 if undo_left else 0
        right_step += 0 if undo_left else 1
        if left_step == RIGHT + SPINE:
            left_base = left
            left_step = RIGHT
        if right_step == LEFT + SPINE:
            right_base = right
            right_step = LEFT
    return apart


@njit(inline="always")
def _by_longest_match(
    data, start, stop, byte_rank, root, edges, character_root, character_edges, tokens, merges, merge_filter, alive,
    out, count,
):  # fmt: skip
    """Appends the ranks of ``data[start:stop]`` to ``out`` from ``count`` on; returns the new count.

    ``alive`` is scratch, uint64 [(stop - start) // 64 + 1]: bit i falls when no valid sequence reaches byte i. Long
    runs of one character can make it try most tokens at most bytes, which is linear too but slow; it then returns -1.
    """
    first = count
    token = _longest_match(data, start, stop, byte_rank, root, edges, character_root, character_edges, len(tokens))
    if tokens[token, SIZE] == stop - start:
        out[count] = token
        return count + 1
    for i in range((stop - start) // 64 + 1):
        alive[i] = _ALL
    position = start
    attempts = 2 * (stop - start) + 64
    while position < stop and attempts > 0:
        attempts -= 1
        end = position + tokens[token, SIZE]
        bit = np.uint64(end - start)
        if alive[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1) and (
            count == first or _stay_apart(np.int64(out[count - 1]), token, tokens, merges, merge_filter)
        ):
            out[count] = token
            count += 1
            position = end
            if position < stop:
                token = _longest_match(
                    data, position, stop, byte_rank, root, edges, character_root, character_edges, len(tokens)
                )
        else:
            token = np.int64(tokens[token, SHORTER])
            if token < 0:
                # Nothing fits from here: give the last token up for shorter ones; it would end at a dead byte now.
                bit = np.uint64(position - start)
                alive[bit >> np.uint64(6)] &= ~(np.uint64(1) << (bit & np.uint64(63)))
                count -= 1
                token = np.int64(out[count])
                position -= tokens[token, SIZE]
    return count if position == stop else -1


@njit(nogil=True, cache=True)
def _by_merging(data, start, stop, byte_rank, merges, merge_filter, out, count):
    """As ``_by_longest_match`` for any vocabulary: the lowest merge first, of equals the leftmost."""
    length = stop - start
    rank = np.empty(length, np.int64)
    following = np.empty(length, np.int64)
    previous = np.empty(length, np.int64)
    heap = np.empty(3 * length + 3, np.uint64)  # merged rank << 40 | position
    size = 0
    for i in range(length):
        rank[i] = byte_rank[data[start + i]]
        following[i] = i + 1
        previous[i] = i - 1
    for i in range(length - 1):
        merged = merge_of(rank[i], rank[i + 1], merges, merge_filter)
        if merged >= 0:
            size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
    while size:
        entry = heap[0]
        size = _pop(heap, size)
        i = np.int64(entry & np.uint64((1 << 40) - 1))
        j = following[i] if rank[i] >= 0 else length
        if j >= length:
            continue
        merged = merge_of(rank[i], rank[j], merges, merge_filter)
        if merged != np.int64(entry >> np.uint64(40)):
            continue
        rank[i] = merged
        rank[j] = -1
        after = following[j]
        following[i] = after
        if after < length:
            previous[after] = i
            merged = merge_of(rank[i], rank[after], merges, merge_filter)
            if merged >= 0:
                size = _push(heap, size, np.uint64(merged) << np.uint64(40) | np.uint64(i))
        before = previous[i]
        if before >= 0:
            merged = merge_of(rank[before], rank[i], merges, merge_filter)
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
def _merge_piece(data, start, stop, vocabulary, alive, out, count):
    """Appends the ranks of the piece ``data[start:stop]`` to ``out`` from ``count`` on; returns the new count."""
    first = count
    count = -1
    if vocabulary.proper:
        count = _by_longest_match(
            data, start, stop, vocabulary.byte_rank, vocabulary.root, vocabulary.edges, vocabulary.character_root,
            vocabulary.character_edges, vocabulary.tokens, vocabulary.merges, vocabulary.merge_filter, alive, out,
            first,
        )  # fmt: skip
    if count < 0:
        count = _by_merging(
            data, start, stop, vocabulary.byte_rank, vocabulary.merges, vocabulary.merge_filter, out, first
        )
    return count


@njit(nogil=True, cache=True)
def tokens_are_proper(data, offsets, vocabulary):
    """Whether every token of the vocabulary (bytes by rank) encodes to itself."""
    out = np.empty(len(data) + 1, np.uint32)
    for token in range(256, len(offsets) - 1):
        count = _by_merging(
            data, offsets[token], offsets[token + 1], vocabulary.byte_rank, vocabulary.merges, vocabulary.merge_filter,
            out, 0,
        )  # fmt: skip
        if count != 1 or out[0] != token:
            return False
    return True


@njit(inline="always")
def _remember(cache, low, high, out, first, count):
    """Puts a piece and its ranks ``out[first:count]`` into its set of the cache, in place of the older of the two."""
    mask = np.uint64(len(cache) // 8 - 1)
    entry = (hash_words(low, high) & mask) << np.uint64(3)
    for i in range(4):
        cache[entry + np.uint64(4 + i)] = cache[entry + np.uint64(i)]
        cache[entry + np.uint64(i)] = 0
    cache[entry] = low
    cache[entry + _ONE] = high
    cache[entry + _TWO] = np.uint64(count - first) << np.uint64(61)
    for i in range(count - first):
        cache[entry + np.uint64(2 + (i >> 1))] |= np.uint64(out[first + i]) << np.uint64(32 * (i & 1))


@njit(nogil=True, cache=True)
def remember_tokens(data, offsets, cache):
    """Fills a cache with the tokens themselves (bytes by rank; of a proper vocabulary), the frequent ones last."""
    out = np.empty(1, np.uint32)
    for token in range(len(offsets) - 2, -1, -1):
        if offsets[token + 1] - offsets[token] <= CACHED_BYTES:
            low, high = key_of(data, offsets[token], offsets[token + 1] - offsets[token])
            out[0] = token
            _remember(cache, low, high, out, 0, 1)


@njit(nogil=True, cache=True)
def encode(data, offsets, vocabulary, cache, begin, end, out, ends):
    """Encodes documents to ranks.

    Args:
        data, offsets: a valid text column, see ``text_buffers``.
        vocabulary: the tables.
        cache: uint64 [8 · power of two], short pieces and their ranks, two a set; zeros before first use.
        begin, end: put before and behind each document, -1 for none.
        out: uint32, at least one a byte, two a document and four.
        ends: int64 [documents + 1], receives the document boundaries in ``out``; ``ends[0]`` is 0.

    Returns:
        The number of tokens.
    """
    count = 0
    mask = np.uint64(len(cache) // 8 - 1)
    alive = np.empty(1, np.uint64)
    marks = np.empty(MARK_PADDING, np.uint8)
    for row in range(len(offsets) - 1):
        if begin >= 0:
            out[count] = begin
            count += 1
        start = offsets[row]
        stop = offsets[row + 1]
        if len(marks) < stop - start + MARK_PADDING:
            marks = np.empty(2 * (stop - start) + MARK_PADDING, np.uint8)
            alive = np.empty(len(marks) // 64 + 1, np.uint64)
        mark_pieces(data, start, stop, vocabulary.kinds, vocabulary.windows, vocabulary.classes, marks)
        base = start
        while start < stop:
            after = base + next_mark(marks, start - base + 1)
            length = after - start
            if length <= CACHED_BYTES:
                low, high = key_of(data, start, length)
                entry = (hash_words(low, high) & mask) << np.uint64(3)
                if cache[entry] != low or cache[entry + _ONE] != high:
                    entry += _WAY
                if cache[entry] == low and cache[entry + _ONE] == high:
                    packed = cache[entry + _TWO]
                    # Most pieces are one or two tokens: writing two and counting is cheaper than asking which.
                    out[count] = np.uint32(packed & _TOKEN)
                    out[count + 1] = np.uint32(packed >> np.uint64(32) & _TOKEN)
                    size = np.int64(packed >> np.uint64(61))
                    if size > 2:
                        packed = cache[entry + _THREE]
                        out[count + 2] = np.uint32(packed & _TOKEN)
                        out[count + 3] = np.uint32(packed >> np.uint64(32))
                    count += size
                    start = after
                    continue
            first = count
            count = _merge_piece(data, start, after, vocabulary, alive, out, first)
            if length <= CACHED_BYTES and count - first <= _CACHED_TOKENS:
                _remember(cache, low, high, out, first, count)
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
