# mypy: allow-untyped-defs
"""The signature of a document in one walk over its bytes.

Hash family: a shingle becomes two independent 32-bit words x and y (the halves of its 64-bit hash), and permutation i
orders shingles by ``multipliers[i] * x + y`` modulo 2^32. Of k multipliers no two agree in their lowest log2 k bits, so
any two permutations of random shingles are independent in all but those bits, and the Jaccard estimate has the binomial
variance, not more; one multiplication, one addition and one minimum per permutation vectorise to a few cycles.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dedup.shingle_kernels import SHINGLE_FACTOR
from text.hashing import hash_bytes, mix64, power
from text.word_kernels import next_word

PENDING = 512  # shingles hashed before the minima are updated: the walk and the vector loop each stay tight
CONTENT_SEED = np.uint64(0x636F6E74656E7421)
EMPTY = np.uint32(0xFFFFFFFF)  # the minimum over no shingle
_FOLDED_START = np.uint64(0x6E6F726D616C6973)
_LEFT = np.uint64(29)
_RIGHT = np.uint64(35)
_HALF = np.uint64(32)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def _update_minima(minima, multipliers, pending, count):
    """Lowers ``minima`` (uint32 [k]) by ``count`` shingles (uint64), four at a time to save loads and stores.

    Every product and sum is cut to 32 bits at once and the minimum is a select: only so do eight lanes share a vector.
    """
    i = 0
    while i + 4 <= count:
        x0, y0 = np.uint32(pending[i] >> _HALF), np.uint32(pending[i])
        x1, y1 = np.uint32(pending[i + 1] >> _HALF), np.uint32(pending[i + 1])
        x2, y2 = np.uint32(pending[i + 2] >> _HALF), np.uint32(pending[i + 2])
        x3, y3 = np.uint32(pending[i + 3] >> _HALF), np.uint32(pending[i + 3])
        for j in range(len(minima)):
            low = minima[j]
            value = np.uint32(np.uint32(multipliers[j] * x0) + y0)
            low = value if value < low else low
            value = np.uint32(np.uint32(multipliers[j] * x1) + y1)
            low = value if value < low else low
            value = np.uint32(np.uint32(multipliers[j] * x2) + y2)
            low = value if value < low else low
            value = np.uint32(np.uint32(multipliers[j] * x3) + y3)
            minima[j] = value if value < low else low
        i += 4
    while i < count:
        x0, y0 = np.uint32(pending[i] >> _HALF), np.uint32(pending[i])
        for j in range(len(minima)):
            low = minima[j]
            value = np.uint32(np.uint32(multipliers[j] * x0) + y0)
            minima[j] = value if value < low else low
        i += 1


@njit(nogil=True, cache=True)
def signatures(data, offsets, table, ngram, kept, seed, multipliers):
    """Signs every document of a text column.

    Args:
        data: uint8 [bytes], valid UTF-8; ``offsets`` int64 [n + 1] (``text.arrow_buffers.text_buffers``).
        table: uint32 [0x110000] (``text.words.word_table``).
        ngram, kept: int; ``seed`` uint64.
        multipliers: uint32 [at least kept], padded to whole vectors; the padding's minima are not kept.

    Returns:
        ``content`` uint64 [n], ``normalised`` uint64 [n], ``words`` uint32 [n], ``minima`` uint32 [n, kept].
    """
    documents = len(offsets) - 1
    start, points = data.ctypes.data, table.ctypes.data
    content = np.empty(documents, np.uint64)
    normalised = np.empty(documents, np.uint64)
    word_counts = np.empty(documents, np.uint32)
    all_minima = np.empty((documents, kept), np.uint32)
    leaving = power(SHINGLE_FACTOR, ngram)
    salt = mix64(seed + SHINGLE_FACTOR)
    ring = np.zeros(ngram, np.uint64)
    pending = np.empty(PENDING, np.uint64)
    minima = np.empty(len(multipliers), np.uint32)
    for document in range(documents):
        content[document] = hash_bytes(data, offsets[document], offsets[document + 1], CONTENT_SEED)
        position, stop = start + offsets[document], start + offsets[document + 1]
        minima[:] = EMPTY
        ring[:] = 0
        slot = 0
        words = 0
        count = 0
        rolling = np.uint64(0)
        folded = _FOLDED_START
        while True:
            word, position, found = next_word(position, stop, points)
            if not found:
                break
            folded = (((folded << _LEFT) | (folded >> _RIGHT)) ^ word) * _GOLDEN
            rolling = rolling * SHINGLE_FACTOR + word - ring[slot] * leaving
            ring[slot] = word
            slot = slot + 1 if slot + 1 < ngram else 0
            words += 1
            if words >= ngram:
                pending[count] = mix64(rolling ^ salt)
                count += 1
                if count == PENDING:
                    _update_minima(minima, multipliers, pending, count)
                    count = 0
        if 0 < words < ngram:
            pending[0] = mix64(rolling ^ salt)
            count = 1
        _update_minima(minima, multipliers, pending, count)
        normalised[document] = mix64(folded ^ np.uint64(words))
        word_counts[document] = np.uint32(min(words, 0xFFFFFFFF))
        for j in range(kept):
            all_minima[document, j] = minima[j]
    return content, normalised, word_counts, all_minima
