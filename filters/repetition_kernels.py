# mypy: allow-untyped-defs
"""Repeated lines, paragraphs and word n-grams of one document, each in linear time.

An n-gram can repeat only where both (n-1)-grams in it repeat, so each length looks only at what the length before left:
in running text that is a small share from three words on. Lines, paragraphs and pairs of words are compared by 64-bit
hash; longer n-grams are named by the names of the two (n-1)-grams in them, which is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from text.hashing import folded_product

TOP_SIZES = 3  # 2, 3 and 4 words
DUPLICATE_SIZES = 6  # 5 to 10 words
LARGEST = 10
SEEN_ROOM = 8  # counters a pair of words
_FIRST = np.uint64(0x9E3779B97F4A7C15)
_SECOND = np.uint64(0xC4CEB9FE1A85EC53)


class NgramScratch(NamedTuple):
    """Room for the n-grams of a document of up to n words.

    ``seen`` uint8 [a power of two of at least SEEN_ROOM * n]; ``pairs`` uint64 [n]; ``keys`` uint64 and ``names`` int32
    [a power of two of at least 2 * n]; ``name_at``, ``places``, ``counts`` and ``first_at`` int32 [n].
    """

    seen: np.ndarray
    pairs: np.ndarray
    keys: np.ndarray
    names: np.ndarray
    name_at: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    first_at: np.ndarray


def ngram_scratch(words: int) -> NgramScratch:
    """Room for documents of up to ``words`` words."""
    room = int(power_of_two(2 * words))
    return NgramScratch(
        np.empty(int(power_of_two(SEEN_ROOM * words)), np.uint8),
        np.empty(words + 1, np.uint64),
        np.empty(room, np.uint64),
        np.empty(room, np.int32),
        *(np.empty(words + 1, np.int32) for _ in range(4)),
    )


@njit(nogil=True, cache=True)
def power_of_two(least):
    """The smallest power of two that is at least ``least`` and 16."""
    size = 16
    while size < least:
        size *= 2
    return size


@njit(nogil=True, cache=True)
def repeated_items(hashes, sizes, count, table):
    """Finds the items (lines, paragraphs) of a document that were seen before in it.

    Args:
        hashes: uint64 [count or more], one an item.
        sizes: int64 [count or more], its characters.
        count: items.
        table: uint64 scratch, a power of two of at least ``2 * count`` and 16.

    Returns:
        Items seen before, and their characters.
    """
    mask = power_of_two(2 * count) - 1
    table[: mask + 1] = 0
    items = characters = np.int64(0)
    for i in range(count):
        key = hashes[i] | np.uint64(1)
        slot = np.int64(key >> np.uint64(20)) & mask
        while table[slot] != 0 and table[slot] != key:
            slot = (slot + 1) & mask
        if table[slot] == key:
            items += 1
            characters += sizes[i]
        table[slot] = key
    return items, characters


@njit(nogil=True, cache=True)
def repeated_ngrams(hashes, sizes, count, scratch, out):
    """Measures the repeated word n-grams of one document.

    Args:
        hashes: uint64 [count or more], one a word.
        sizes: int32 [count or more], twice the characters of the word, plus one if it is an unsegmented character.
        count: words in the document.
        scratch: NgramScratch for at least ``count`` words.
        out: int64 [TOP_SIZES + DUPLICATE_SIZES], receives for 2, 3 and 4 words the characters of the most frequent
            n-gram times its occurrences (0 if none occurs twice, the first one if several are as frequent), written
            with one space between its words but none beside an unsegmented character; for 5 to 10 words the
            characters, without spaces, of n-grams seen before, counting none twice: a walk from the left that steps
            over each repeated n-gram whole, as datatrove's ``find_all_duplicate`` does.
    """
    seen, pairs, keys, names, name_at, places, counts, first_at = scratch
    out[:] = 0
    # A pair of words whose hash was seen less than twice in a small table of counts does not repeat. In running text
    # that leaves few pairs, at the price of an addition each.
    room = power_of_two(SEEN_ROOM * count)
    shift = np.uint64(64)
    while room >> (np.uint64(64) - shift) > 1:
        shift -= np.uint64(1)
    seen[:room] = 0
    for i in range(count - 1):
        pair = folded_product(hashes[i] ^ _FIRST, hashes[i + 1] ^ _SECOND)
        pairs[i] = pair
        slot = pair >> shift
        seen[slot] = seen[slot] << 1 | 1
        name_at[i] = -1
    candidates = 0
    for i in range(count - 1):
        places[candidates] = i
        candidates += seen[pairs[i] >> shift] > 1

    for length in range(2, LARGEST + 1):
        kept = distinct = 0
        mask = power_of_two(2 * candidates) - 1
        keys[: mask + 1] = 0
        for c in range(candidates):
            i = places[c]
            if length == 2:
                key = pairs[i] | np.uint64(1)
            elif i + length > count or name_at[i + 1] < 0:
                name_at[i] = -1
                continue
            else:
                key = ((np.uint64(name_at[i]) << np.uint64(32)) | np.uint64(name_at[i + 1])) + np.uint64(1)
            slot = np.int64((key * _FIRST) >> np.uint64(20)) & mask
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
            out[length - 2] = counts[best] * spaced_characters(sizes, first_at[best], first_at[best] + length)
        else:
            free_from = 0
            for c in range(candidates):
                i = places[c]
                if i < free_from:
                    continue
                name = name_at[i]
                if counts[name] < 0:  # seen
                    for word in range(i, i + length):
                        out[length - 2] += sizes[word] >> 1
                    free_from = i + length
                else:
                    counts[name] = -counts[name]


@njit(nogil=True, cache=True)
def spaced_characters(sizes, start, stop):
    """Characters of words ``start`` to ``stop`` with a space between two, but none beside an unsegmented character."""
    characters = np.int64(0)
    for i in range(start, stop):
        characters += sizes[i] >> 1
        if i + 1 < stop:
            characters += not (sizes[i] | sizes[i + 1]) & 1
    return characters
