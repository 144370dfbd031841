# mypy: allow-untyped-defs
"""The words, phrases and marks that the published heuristics look for, and their tables for the kernels."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numba import njit

from filters.phrases import PhraseTables, phrase_tables
from text.raw_memory import read_uint8

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
LONGEST_COUNTED = max(map(len, COUNTED))
_SLOTS = 256
_LISTED_FACTOR = np.uint64(0x78E510617311D8A3)  # searched for: it gives every listed word a slot of its own
# Every phrase holds one of these, and little else does: only lines with one of them are searched for phrases.
ANCHORS = ("vas", "ips", "vac", "oki", "f u")


class Vocabulary(NamedTuple):
    """Tables of listed words, phrases and marks.

    ``listed`` uint64 [256]: stop words and function characters by ``listed_slot``: the bytes in lower case as a
    little-endian integer, times 256, plus the word's bit (stop words first). No two share a slot.
    ``counted`` uint64 [256]: the same of counted nouns, by ``counted_key``, which is the whole entry; in case of a
    clash in the next slot. 0 is empty.
    ``marks`` uint8 [0x10000]: this module's mark constants or-ed, by code point.
    ``phrases``: JAVASCRIPT, LOREM_IPSUM and POLICIES as groups 0, 1 and 2.
    """

    listed: np.ndarray
    counted: np.ndarray
    marks: np.ndarray
    phrases: PhraseTables


@njit
def listed_slot(key):
    """Where a word of up to four bytes (uint64) is listed."""
    return np.int64((key * _LISTED_FACTOR) >> np.uint64(56))


@njit
def counted_key(address, stop):
    """Hashes the bytes between two addresses with ASCII letters in lower case to uint64: 64-bit FNV-1a."""
    key = np.uint64(0xCBF29CE484222325)
    for position in range(address, stop):
        byte = read_uint8(position)
        if 0x41 <= byte <= 0x5A:
            byte += np.uint8(32)
        key = (key ^ np.uint64(byte)) * np.uint64(0x100000001B3)
    return key


@njit
def counted_slot(key):
    """The first slot to look for a key in."""
    return np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56))


@functools.cache
def vocabulary() -> Vocabulary:
    """The tables, built once a process."""
    listed = np.zeros(_SLOTS, np.uint64)
    for bit, word in enumerate((*STOP_WORDS, *FUNCTION_CHARACTERS)):
        key = int.from_bytes(word.encode(), "little")
        slot = listed_slot(np.uint64(key))
        if listed[slot]:
            raise AssertionError(f"{word!r} shares its slot: choose another _LISTED_FACTOR")
        listed[slot] = key << 8 | bit
    counted = np.zeros(_SLOTS, np.uint64)
    for word in COUNTED:
        encoded = np.frombuffer(word.encode(), np.uint8)
        key = counted_key(encoded.ctypes.data, encoded.ctypes.data + len(encoded))
        slot = counted_slot(np.uint64(key))
        while counted[slot]:
            slot = (slot + 1) % _SLOTS
        counted[slot] = key
    marks = np.zeros(0x10000, np.uint8)
    for flag, characters in _MARKS.items():
        for character in characters:
            marks[ord(character)] |= flag
    return Vocabulary(listed, counted, marks, phrase_tables([JAVASCRIPT, LOREM_IPSUM, POLICIES]))
