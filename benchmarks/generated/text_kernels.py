# mypy: allow-untyped-defs
"""The text and the signature of a generated document, from numbers alone: no state, so any row can be made apart."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from benchmarks.generated.vocabulary import SLOT
from text.hashing import mix64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_STYLE = np.uint64(0x7374796C65)
_EDITS = np.uint64(0x6564697473)
_LENGTH = np.uint64(0x6C656E677468)
_UNIT = 1.0 / (1 << 53)
_ENDS_SENTENCE, _ENDS_LINE = 80, 20  # of 1024 words
_DOT, _SPACE, _NEWLINE, _CASE = 46, 32, 10, 32


@intrinsic
def _write_slot(typingctx, target, source):
    """Copies SLOT bytes from one address to another, of any alignment."""

    def generate(context, builder, signature, arguments):
        slot = ir.VectorType(ir.IntType(64), SLOT // 8).as_pointer()
        value = builder.load(builder.inttoptr(arguments[1], slot), align=1)
        builder.store(value, builder.inttoptr(arguments[0], slot), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@njit(inline="always")
def _uniform(value):
    """A hash as a number in (0, 1)."""
    return (np.float64(value >> np.uint64(11)) + 0.5) * _UNIT


@njit(nogil=True, cache=True)
def word_counts(origins, median, spread, least, most):
    """Words of each origin (uint64 [n], hashed) to int64 [n]: log-normal, as web pages are."""
    out = np.empty(len(origins), np.int64)
    for i in range(len(origins)):
        a = _uniform(mix64(origins[i] ^ _LENGTH))
        b = _uniform(mix64(origins[i] ^ (_LENGTH + _GOLDEN)))
        normal = math.sqrt(-2.0 * math.log(a)) * math.cos(2.0 * math.pi * b)
        out[i] = min(most, max(least, np.int64(median * math.exp(spread * normal))))
    return out


@njit(nogil=True, cache=True)
def edits_for(words, jaccard, upper, ngram):
    """Word edits (int64 [n]) that leave at least ``jaccard`` (float64 [n]), at most that where ``upper`` (bool [n]).

    An edit touches ``ngram`` shingles. Of s shingles, m exchanged for new ones leave (s − m) / (s + m).
    """
    out = np.empty(len(words), np.int64)
    for i in range(len(words)):
        shingles = max(0, words[i] - ngram + 1)
        touched = shingles * (1.0 - jaccard[i]) / (1.0 + jaccard[i])
        room = max(0, words[i] - 2 * (ngram - 1)) // ngram
        # A word left out or put in exchanges one shingle less on one side: one edit more makes up for some of those.
        wanted = np.int64(math.ceil(touched / ngram)) + 1 if upper[i] else np.int64(touched / ngram + 1e-9)
        out[i] = min(room, wanted)
    return out


@njit(nogil=True, cache=True)
def texts(origins, copies, words, edits, script, styles, ngram, slots, lengths, draws, ranges, out):
    """Writes documents one after the other.

    A document is the words of its origin, with ``edits`` of them exchanged, left out or preceded by a new one. The
    edits lie at least ``ngram`` apart and as far from both ends, so each touches shingles of its own.

    Args:
        origins, copies: uint64 [n], hashes of what the words and what the edits of a row depend on.
        words, edits: int64 [n]: words of the origin, edits of the copy.
        script: uint8 [n]: 0 English, 1 Chinese.
        styles: uint64 [n]: where sentences and lines end; 10 bits count. They are no part of any shingle.
        ngram: words in a shingle.
        slots, lengths, draws, ranges: see ``Vocabulary``.
        out: uint8, at least sum(words + edits) · (SLOT + 4) + SLOT long.

    Returns:
        offsets int64 [n + 1] into ``out``; gone, added int64 [n]: shingles of the origin that the copy lacks, and the
        new ones it has.
    """
    n = len(origins)
    offsets = np.zeros(n + 1, np.int64)
    gone, added = np.zeros(n, np.int64), np.zeros(n, np.int64)
    mask = np.uint64(draws.shape[1] - 1)
    slots_address, out_address = slots.ctypes.data, out.ctypes.data
    at = 0
    for i in range(n):
        chinese = script[i]
        first = ranges[chinese, 0]
        size = np.uint64(ranges[chinese, 1] - first)
        edited = 0
        block = (words[i] - 2 * (ngram - 1)) // edits[i] if edits[i] else 0
        next_edit, kind = np.int64(-1), np.uint64(0)
        if edits[i]:
            noise = mix64(copies[i] ^ _EDITS)
            next_edit = ngram - 1 + np.int64(noise % np.uint64(block - ngram + 1))
            kind = (noise >> np.uint64(40)) % np.uint64(3)
        starts_sentence = True
        for position in range(words[i]):
            noise = mix64(origins[i] + np.uint64(position) * _GOLDEN)
            word = np.int64(draws[chinese, noise & mask])
            new = np.int64(-1)
            if position == next_edit:
                value = mix64(copies[i] + np.uint64(position) * _GOLDEN)
                if kind != 1:
                    new = first + np.int64(value % size)
                gone[i] += ngram - 1 if kind == 2 else ngram
                added[i] += ngram - 1 if kind == 1 else ngram
                edited += 1
                if edited < edits[i]:
                    value = mix64(value ^ _EDITS)
                    jitter = np.int64(value % np.uint64(block - ngram + 1))
                    next_edit = ngram - 1 + edited * block + jitter
                    last_kind, kind = kind, (value >> np.uint64(40)) % np.uint64(3)
                else:
                    last_kind, next_edit = kind, np.int64(-1)
                if last_kind == 1:
                    continue
                if last_kind == 0:
                    word, new = new, np.int64(-1)
            if new >= 0:
                _write_slot(out_address + at, slots_address + new * SLOT)
                at += np.int64(lengths[new])
                if not chinese:
                    out[at] = _SPACE
                    at += 1
            _write_slot(out_address + at, slots_address + word * SLOT)
            if starts_sentence and not chinese:
                out[at] -= _CASE
            at += np.int64(lengths[word])
            starts_sentence = False
            ends = np.int64((noise >> np.uint64(54)) ^ (styles[i] & np.uint64(1023)))
            if ends < _ENDS_SENTENCE:
                starts_sentence = True
                if chinese:
                    out[at], out[at + 1], out[at + 2] = 0xE3, 0x80, 0x82
                    at += 3
                else:
                    out[at] = _DOT
                    at += 1
                if ends < _ENDS_LINE:
                    out[at] = _NEWLINE
                    at += 1
                elif not chinese:
                    out[at] = _SPACE
                    at += 1
            elif not chinese:
                out[at] = _SPACE
                at += 1
        offsets[i + 1] = at
    return offsets, gone, added


@njit(nogil=True, cache=True)
def minima(origins, copies, jaccard, permutations):
    """Signatures without a text: uint32 [n, permutations], of which a copy shares about ``jaccard`` with its origin."""
    out = np.empty((len(origins), permutations), np.uint32)
    for i in range(len(origins)):
        for j in range(permutations):
            step = np.uint64(j) * _GOLDEN
            noise = mix64(copies[i] + step)
            value = mix64(origins[i] + step) if _uniform(noise) < jaccard[i] else mix64(noise)
            out[i, j] = np.uint32(value)
    return out
