# mypy: allow-untyped-defs
"""Repeated lines, paragraphs and word n-grams of one document, each in linear time.

An n-gram can repeat only where both (n-1)-grams in it repeat, so each length looks only at what the length before left:
in running text that is a small share from three words on. N-grams are named by pairs of (n-1)-gram names, which is
exact; only words and lines are compared by 64-bit hash.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TOP_SIZES = 3  # 2, 3 and 4 words
DUPLICATE_SIZES = 6  # 5 to 10 words
LARGEST = 10


@njit(nogil=True, cache=True)
def add_to_set(table, key):
    """Adds a hash to an open-addressing set, uint64 [a power of two]; True if it was new."""
    if key == 0:
        key = np.uint64(1)
    mask = len(table) - 1
    slot = np.int64(key >> np.uint64(20)) & mask
    while table[slot] != 0:
        if table[slot] == key:
            return False
        slot = (slot + 1) & mask
    table[slot] = key
    return True


@njit(nogil=True, cache=True)
def grown(table):
    """The same set with four times the room."""
    larger = np.zeros(len(table) * 4, np.uint64)
    for key in table:
        if key != 0:
            add_to_set(larger, key)
    return larger


@njit(nogil=True, cache=True)
def power_of_two(least):
    """The smallest power of two that is at least ``least`` and 16."""
    size = 16
    while size < least:
        size *= 2
    return size


@njit(nogil=True, cache=True)
def repeated_ngrams(hashes, sizes, count, keys, names, name_at, places, counts, first_at, plain, spaced, out):
    """Measures the repeated word n-grams of one document.

    Args:
        hashes: uint64 [count or more], one a word.
        sizes: int32 [count or more], twice the characters of the word, plus one if it is an unsegmented character.
        count: words in the document.
        keys: uint64 and
        names: int32 scratch, a power of two of at least ``2 * count``.
        name_at: int32,
        places: int32,
        counts: int32 and
        first_at: int32 scratch, at least ``count``.
        plain: int64 and
        spaced: int64 scratch, at least ``count + 1``.
        out: int64 [TOP_SIZES + DUPLICATE_SIZES], receives for 2, 3 and 4 words the characters of the most frequent
            n-gram times its occurrences (0 if none occurs twice, the first one if several are as frequent), written
            with one space between its words but none beside an unsegmented character; for 5 to 10 words the
            characters, without spaces, of n-grams seen before, counting none twice: a walk from the left that steps
            over each repeated n-gram whole, as datatrove's ``find_all_duplicate`` does.
    """
    out[:] = 0
    plain[0] = spaced[0] = 0
    for i in range(count):
        characters = sizes[i] >> 1
        joined = i + 1 < count and not (sizes[i] & 1) and not (sizes[i + 1] & 1)
        plain[i + 1] = plain[i] + characters
        spaced[i + 1] = spaced[i] + characters + joined

    # Words.
    room = power_of_two(2 * count)
    mask = room - 1
    keys[:room] = 0
    distinct = 0
    for i in range(count):
        key = hashes[i] | np.uint64(1)
        slot = np.int64(key >> np.uint64(20)) & mask
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        if keys[slot] == 0:
            keys[slot], names[slot] = key, distinct
            counts[distinct] = 0
            distinct += 1
        name_at[i] = names[slot]
        counts[names[slot]] += 1
    candidates = 0
    for i in range(count):
        if counts[name_at[i]] < 2:
            name_at[i] = -1
        else:
            places[candidates] = i
            candidates += 1

    for length in range(2, LARGEST + 1):
        # Name the candidates of this length by the two names of the length before.
        kept = distinct = 0
        room = power_of_two(2 * candidates)
        mask = room - 1
        keys[:room] = 0
        for c in range(candidates):
            i = places[c]
            if i + length > count or name_at[i + 1] < 0:
                name_at[i] = -1
                continue
            key = ((np.uint64(name_at[i]) << np.uint64(32)) | np.uint64(name_at[i + 1])) + np.uint64(1)
            slot = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
            while keys[slot] != 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == 0:
                keys[slot], names[slot] = key, distinct
                counts[distinct], first_at[distinct] = 0, i
                distinct += 1
            name_at[i] = names[slot]
            counts[names[slot]] += 1
            places[kept] = i
            kept += 1
        # Keep those that repeat.
        candidates = 0
        for c in range(kept):
            i = places[c]
            if counts[name_at[i]] < 2:
                name_at[i] = -1
            else:
                places[candidates] = i
                candidates += 1
        if candidates == 0:
            return
        if length <= 4:
            best = 0
            for name in range(distinct):
                if counts[name] > counts[best]:
                    best = name
            i = first_at[best]
            # The space behind the last word is not part of the n-gram.
            characters = spaced[i + length - 1] - spaced[i] + (plain[i + length] - plain[i + length - 1])
            out[length - 2] = counts[best] * characters
        else:
            free_from = 0
            for c in range(candidates):
                i = places[c]
                if i < free_from:
                    continue
                name = name_at[i]
                if counts[name] < 0:  # seen
                    out[length - 2] += plain[i + length] - plain[i]
                    free_from = i + length
                else:
                    counts[name] = -counts[name]
