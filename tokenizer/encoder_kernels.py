# mypy: allow-untyped-defs
"""From text to token ranks: cut into pieces, look known pieces up, merge the others; and back."""

from __future__ import annotations

import numpy as np
from numba import njit

from text.raw_memory import nonzero_mask, read_int64, read_uint64, write_int64, write_uint32, write_uint64
from tokenizer.merging_kernels import merge_piece
from tokenizer.piece_kernels import trailing_zeros
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces
from tokenizer.word_cache_kernels import (
    RING_HITS,
    WORD_BYTES,
    WORD_MISSES,
    WORD_TOKENS,
    hash_record,
    key_at,
    recall_record,
    remember_record,
    remember_word,
    set_of,
)

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_TWO_TOKENS = np.uint64(0x001FFFFF001FFFFF)
_MASK_BYTES = 64  # marks read at a time


@njit(nogil=True, cache=True)
def _encode_rare(address, length, end, tables, cache, alive, out):
    """Writes the tokens of a piece that is not among the words; returns how many. Remembers what it found."""
    state = cache.state
    write_int64(state + 8 * WORD_MISSES, read_int64(state + 8 * WORD_MISSES) + 1)
    value = hash_record(address, length)
    count = recall_record(cache, address, length, value, out)
    if count >= 0:
        write_int64(state + 8 * RING_HITS, read_int64(state + 8 * RING_HITS) + 1)
        return count
    count = merge_piece(address, length, tables, alive, out, state)
    if length <= WORD_BYTES and count <= WORD_TOKENS:
        low, high = key_at(address, length, end, cache.key_masks)
        words = cache.words
        remember_word(set_of(words, cache.words_shift, low, high), low, high, out, count)
    else:
        remember_record(cache, address, length, value, out, count)
    return count


@njit(nogil=True, cache=True)
def _encode_marked(address, length, end, marks, tables, cache, alive, out):
    """Encodes one marked document; returns the address behind its last token."""
    words = cache.words
    shift = cache.words_shift
    masks = cache.key_masks
    start = 0
    for block in range(0, length + 1, _MASK_BYTES):
        bits = nonzero_mask(marks + block)
        if block == 0:
            bits &= ~_ONE
        if block + _MASK_BYTES > length + 1:
            bits &= (_ONE << np.uint64(length + 1 - block)) - _ONE
        while bits:
            after = block + trailing_zeros(bits)
            bits &= bits - _ONE
            size = after - start
            if size <= WORD_BYTES:
                low, high = key_at(address + start, size, end, masks)
                entry = set_of(words, shift, low, high)
                first = (read_uint64(entry) ^ low) | (read_uint64(entry + 8) ^ high)
                second = (read_uint64(entry + 32) ^ low) | (read_uint64(entry + 40) ^ high)
                entry = entry if first == _ZERO else entry + 32
                if first == _ZERO or second == _ZERO:
                    # Four tokens are written whatever their number: cheaper than asking.
                    packed = read_uint64(entry + 16)
                    write_uint64(out, packed & _TWO_TOKENS)
                    write_uint64(out + 8, read_uint64(entry + 24))
                    out += np.int64(packed >> np.uint64(61)) << 2
                    start = after
                    continue
            out += 4 * _encode_rare(address + start, size, end, tables, cache, alive, out)
            start = after
    return out


@njit(nogil=True, cache=True)
def encode(data, data_address, offsets, scanner, tables, cache, begin, end, out, ends):
    """Encodes documents to ranks.

    Args:
        data, offsets: a valid text column, see ``text_buffers``; and the address of ``data``.
        scanner: the pre-tokenizer's ``ScannerTables``.
        tables, cache: ``MergeTables`` of the vocabulary and ``WordCache`` of this thread.
        begin, end: put before and behind each document, -1 for none.
        out: uint32, at least one a byte, two a document and eight.
        ends: int64 [documents + 1], receives the document boundaries in ``out``; ``ends[0]`` is 0.

    Returns:
        The number of tokens.
    """
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    marks = np.empty(longest + MARK_PADDING + _MASK_BYTES, np.uint8)
    alive = np.empty(longest // 64 + 2, np.uint64)
    # As arguments they live until the call returns; a local array whose address is all that is used lives no longer
    # than that line.
    return _encode_documents(data, data_address, offsets, scanner, tables, cache, begin, end, marks, alive, out, ends)


@njit(nogil=True, cache=True)
def _encode_documents(data, data_address, offsets, scanner, tables, cache, begin, end, marks, alive, out, ends):
    """See ``encode``; ``marks`` uint8 and ``alive`` uint64 are scratch for the longest document."""
    readable = data_address + len(data)
    base = np.int64(out.ctypes.data)
    next_out = base
    marks_address = np.int64(marks.ctypes.data)
    alive_address = np.int64(alive.ctypes.data)
    kinds, windows, classes = scanner
    for row in range(len(offsets) - 1):
        if begin >= 0:
            write_uint32(next_out, np.uint32(begin))
            next_out += 4
        start = offsets[row]
        stop = offsets[row + 1]
        mark_pieces(data, start, stop, kinds, windows, classes, marks)
        next_out = _encode_marked(
            data_address + start, stop - start, readable, marks_address, tables, cache, alive_address, next_out
        )
        if end >= 0:
            write_uint32(next_out, np.uint32(end))
            next_out += 4
        ends[row + 1] = (next_out - base) >> 2
    return (next_out - base) >> 2


@njit(nogil=True, cache=True)
def remember_tokens(data_address, data_end, offsets, cache):
    """Fills the words with the tokens themselves (bytes by rank), the frequent ones last."""
    out = np.empty(1, np.uint32)
    words = cache.words
    shift = cache.words_shift
    masks = cache.key_masks
    for token in range(len(offsets) - 2, -1, -1):
        size = offsets[token + 1] - offsets[token]
        if size <= WORD_BYTES:
            low, high = key_at(data_address + offsets[token], size, data_end, masks)
            out[0] = token
            remember_word(set_of(words, shift, low, high), low, high, np.int64(out.ctypes.data), 1)


@njit(nogil=True, cache=True)
def decode(tokens, offsets, token_data, token_offsets, ends):
    """Concatenates what tokens stand for.

    Args:
        tokens: uint32 [tokens].
        offsets: int64 [documents + 1], document boundaries in ``tokens``.
        token_data, token_offsets: uint8 and int64, the bytes of each id; 16 bytes of padding behind the last.
        ends: int64 [documents + 1], receives the document boundaries in the bytes.

    Returns:
        uint8, the bytes of all documents, and how many; (empty, -1 - position) for an id outside the vocabulary.
    """
    vocabulary = len(token_offsets) - 1
    total = 0
    ends[0] = 0
    for row in range(len(offsets) - 1):
        for i in range(offsets[row], offsets[row + 1]):
            token = tokens[i]
            if token >= vocabulary:
                return np.empty(0, np.uint8), -1 - i
            total += token_offsets[token + 1] - token_offsets[token]
        ends[row + 1] = total
    out = np.empty(total + 16, np.uint8)
    where = np.int64(out.ctypes.data)
    base = np.int64(token_data.ctypes.data)
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        token = tokens[i]
        start = base + token_offsets[token]
        size = token_offsets[token + 1] - token_offsets[token]
        # Sixteen bytes whatever the size, then the rest of the few longer ones.
        write_uint64(where, read_uint64(start))
        write_uint64(where + 8, read_uint64(start + 8))
        for k in range(16, size, 8):
            write_uint64(where + k, read_uint64(start + k))
        where += size
    return out, total
