# mypy: allow-untyped-defs
"""The words, phrases and marks that the published heuristics look for, and their tables for the kernels."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit

from filters.phrases import PhraseTables, phrase_tables

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")  # Gopher, arXiv 2112.11446 A1.1
# The most frequent function characters of running Chinese, simplified and traditional; lists, menus and keyword
# stuffing hold few of them.
FUNCTION_CHARACTERS = tuple("的是了在不有和这我也就与为个们对這個們為對與")
# What a page counts next to a bare number ("3 likes"): RefinedWeb, arXiv 2306.01116, table 2 ("is a counter").
COUNTED = (
    "like", "likes", "comment", "comments", "share", "shares", "view", "views", "follower", "followers", "following",
    "reply", "replies", "retweet", "retweets", "repost", "reposts", "vote", "votes", "download", "downloads", "read",
)  # fmt: skip

JAVASCRIPT = ("javascript",)
LOREM_IPSUM = ("lorem ipsum",)
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")  # TFDS

# Bits of the marks table.
SOFT_END = np.uint8(1 << 0)  # ends a sentence when a space or the line's end follows
WIDE_END = np.uint8(1 << 1)  # ends a sentence whatever follows: full-width marks are written without a space behind
CLOSER = np.uint8(1 << 2)  # may stand between the end mark and the space
TERMINAL = np.uint8(1 << 3)  # a line that ends in it is running text
BULLET = np.uint8(1 << 4)

_MARKS = {
    SOFT_END: ".?!…؟۔।॥։።‼⁇⁈⁉",
    WIDE_END: "。！？｡",
    CLOSER: "\"'”’»)]」』）】》",
    TERMINAL: ".?!…\"'”’」』。！？．｡؟۔।॥։።၊။។៕‼⁇⁈⁉‽⸮",
    BULLET: "•‣◦▪▫●○■□►▶∙·・-*",
}

ENGLISH_BITS = len(STOP_WORDS)
CHINESE_BITS = ENGLISH_BITS + len(FUNCTION_CHARACTERS)
LONGEST_LISTED = max(len(word.encode()) for word in (*STOP_WORDS, *FUNCTION_CHARACTERS, *COUNTED))
_SLOTS = 256


class Vocabulary(NamedTuple):
    """Tables of listed words, phrases and marks.

    ``keys`` uint64 [256] and ``bits`` int64 [256]: an open-addressing table from ``listed_key`` to the word's bit:
    stop words first, function characters next, counted nouns last; an empty slot has the bit -1.
    ``marks`` uint8 [0x10000]: this module's mark constants or-ed, by code point.
    ``phrases``: JAVASCRIPT, LOREM_IPSUM and POLICIES as groups 0, 1 and 2.
    """

    keys: np.ndarray
    bits: np.ndarray
    marks: np.ndarray
    phrases: PhraseTables


@njit(nogil=True, cache=True)
def listed_key(data, start, stop):
    """Hashes a word's bytes (uint8) with ASCII letters in lower case to uint64: 64-bit FNV-1a."""
    key = np.uint64(0xCBF29CE484222325)
    for i in range(start, stop):
        byte = data[i]
        if 0x41 <= byte <= 0x5A:
            byte += np.uint8(32)
        key = (key ^ np.uint64(byte)) * np.uint64(0x100000001B3)
    return key


@njit(inline="always")
def slot_of(key):
    """The first slot to look for a key in."""
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56))


@functools.cache
def vocabulary() -> Vocabulary:
    """The tables, built once a process."""
    keys = np.zeros(_SLOTS, np.uint64)
    bits = np.full(_SLOTS, -1, np.int64)
    for bit, word in enumerate((*STOP_WORDS, *FUNCTION_CHARACTERS, *COUNTED)):
        encoded = np.frombuffer(word.encode(), np.uint8)
        key = np.uint64(listed_key(encoded, 0, len(encoded)))
        slot = int(slot_of(key))
        while bits[slot] >= 0:
            slot = (slot + 1) % _SLOTS
        keys[slot], bits[slot] = key, bit
    marks = np.zeros(0x10000, np.uint8)
    for flag, characters in _MARKS.items():
        for character in characters:
            marks[ord(character)] |= flag
    return Vocabulary(keys, bits, marks, phrase_tables([JAVASCRIPT, LOREM_IPSUM, POLICIES]))
