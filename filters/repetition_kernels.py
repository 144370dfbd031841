# mypy: allow-untyped-defs
"""Repeated lines, paragraphs and word n-grams of one document, each in linear time.

An n-gram can repeat only where both (n-1)-grams in it repeat, so each length looks only at what the length before left:
in running text that is a small share from three words on. Lines, paragraphs and n-grams are compared by 64-bit hash.
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

    ``seen`` uint8 [a power of two of at least SEEN_ROOM * n]; ``keys`` uint64 and ``counts`` int32 [a power of two of
    at least 2 * n]; ``hashes`` uint64, ``repeats`` uint8, ``places`` int32 and ``slots`` int32 [n].
    """

    seen: np.ndarray
    keys: np.ndarray
    counts: np.ndarray
    hashes: np.ndarray
    repeats: np.ndarray
    places: np.ndarray
    slots: np.ndarray


def ngram_scratch(words: int) -> NgramScratch:
    """Room for documents of up to ``words`` words."""
    room = int(power_of_two(2 * words))
    return NgramScratch(
        seen=np.empty(int(power_of_two(SEEN_ROOM * words)), np.uint8),
        keys=np.empty(room, np.uint64),
        counts=np.empty(room, np.int32),
        hashes=np.empty(words + 1, np.uint64),
        repeats=np.empty(words + 1, np.uint8),
        places=np.empty(words + 1, np.int32),
        slots=np.empty(words + 1, np.int32),
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
    seen, keys, counts, ngrams, repeats, places, slots = scratch
    out[:] = 0
    # A pair of words whose hash was seen less than twice in a small table of counts does not repeat. In running text
    # that leaves few pairs, at the price of an addition each.
    room = power_of_two(SEEN_ROOM * count)
    mask = np.uint64(room - 1)
    seen[:room] = 0
    for i in range(count - 1):
        ngram = folded_product(hashes[i] ^ _FIRST, hashes[i + 1] ^ _SECOND)
        ngrams[i] = ngram
        slot = ngram & mask
        seen[slot] = seen[slot] << 1 | 1
    candidates = 0
    for i in range(count - 1):
        places[candidates] = i
        candidates += seen[ngrams[i] & mask] > 1
    repeats[:count] = 1  # the words of the longest n-gram that begins here and repeats
    for length in range(2, LARGEST + 1):
        if length > 2:
            candidates = _lengthen(ngrams, repeats, places, candidates, length)
        _count(ngrams, places, candidates, keys, counts, slots)
        if length <= TOP_SIZES + 1:
            candidates, best, best_at = _keep_repeated(places, slots, candidates, counts, repeats)
            out[length - 2] = best * spaced_characters(sizes, best_at, best_at + length)
        else:
            candidates, out[length - 2] = _walk_repeated(places, slots, candidates, counts, repeats, sizes, length)
        if candidates == 0:
            return


# The loops below avoid branches that depend on the text: a wrong guess costs more than the work.


@njit(nogil=True, cache=True)
def _lengthen(ngrams, repeats, places, candidates, length):
    """Keeps the places where a repeated n-gram is followed by one, and makes the hashes of the two together."""
    kept = 0
    for c in range(candidates):
        i = places[c]
        places[kept] = i
        kept += repeats[i + 1] >= length - 1
    for c in range(kept):
        i = places[c]
        ngrams[i] = folded_product(ngrams[i] ^ _FIRST, ngrams[i + 1] ^ _SECOND)
    return kept


@njit(nogil=True, cache=True)
def _count(ngrams, places, candidates, keys, counts, slots):
    """Counts each candidate's n-gram in the table, and notes its slot."""
    mask = power_of_two(2 * candidates) - 1
    keys[: mask + 1] = 0
    counts[: mask + 1] = 0
    for c in range(candidates):
        key = ngrams[places[c]] | np.uint64(1)
        slot = np.int64(key >> np.uint64(32)) & mask
        while keys[slot] != 0 and keys[slot] != key:
            slot = (slot + 1) & mask
        keys[slot] = key
        counts[slot] += 1
        slots[c] = slot


@njit(nogil=True, cache=True)
def _keep_repeated(places, slots, candidates, counts, repeats):
    """Keeps the candidates that repeat; also how often the most frequent does, or 0, and where it is first."""
    kept = best_at = 0
    best = 1
    for c in range(candidates):
        i, count = places[c], counts[slots[c]]
        places[kept] = i
        kept += count > 1
        repeats[i] += count > 1
        if count > best:
            best, best_at = count, i
    return kept, best if kept else 0, best_at


@njit(nogil=True, cache=True)
def _walk_repeated(places, slots, candidates, counts, repeats, sizes, length):
    """Keeps the candidates that repeat; also the characters of those seen before in a walk that steps over them."""
    kept = free_from = 0
    characters = np.int64(0)
    for c in range(candidates):
        i, slot = places[c], slots[c]
        if counts[slot] == 1:
            continue
        if i >= free_from:
            if counts[slot] < 0:
                for word in range(i, i + length):
                    characters += sizes[word] >> 1
                free_from = i + length
            else:
                counts[slot] = -counts[slot]
        repeats[i] = length
        places[kept] = i
        kept += 1
    return kept, characters


@njit(nogil=True, cache=True)
def spaced_characters(sizes, start, stop):
    """Characters of words ``start`` to ``stop`` with a space between two, but none beside an unsegmented character."""
    characters = np.int64(0)
    for i in range(start, stop):
        characters += sizes[i] >> 1
        if i + 1 < stop:
            characters += not (sizes[i] | sizes[i + 1]) & 1
    return characters
