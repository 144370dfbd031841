"""Words to make documents of: an English-like and a Chinese vocabulary, drawn by Zipf's law."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import numpy as np

WORDS = 30_000
CHARACTERS = 3_000
DRAWS = 1 << 18  # entries of the table by which a uniform number becomes a word
SLOT = 16  # bytes a word may take
_SHIFT = 2.7  # Zipf–Mandelbrot: p(rank) ∝ 1 / (rank + 2.7)

# The words of English that are most of any page, by rank.
_COMMON = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "was",
    "on",
    "are",
    "as",
    "with",
    "his",
    "they",
    "at",
    "be",
    "this",
    "from",
    "have",
    "or",
    "by",
    "one",
    "had",
    "not",
    "but",
    "what",
    "all",
    "were",
    "when",
    "we",
    "there",
    "can",
    "an",
    "your",
    "which",
    "their",
    "said",
    "if",
    "do",
    "will",
    "each",
    "about",
    "how",
    "up",
    "out",
    "them",
    "then",
    "she",
    "many",
    "some",
    "so",
    "these",
    "would",
    "other",
    "into",
    "has",
    "more",
    "her",
    "two",
    "like",
    "him",
    "see",
    "time",
    "could",
    "no",
    "make",
    "than",
    "first",
    "been",
    "its",
    "who",
    "now",
    "people",
    "my",
    "made",
    "over",
    "did",
    "down",
    "only",
    "way",
    "find",
    "use",
    "may",
    "water",
    "long",
    "little",
    "very",
    "after",
    "words",
    "called",
    "just",
    "where",
    "most",
    "know",
]


class Vocabulary(NamedTuple):
    """Words as bytes, the English ones first.

    Attributes:
        slots: uint8 [words, SLOT], the UTF-8 bytes of each word, and lengths: uint8 [words], how many of them count.
        draws: int32 [2, DRAWS]: word by a uniform number, English and Chinese; both follow Zipf's law.
        ranges: int64 [2, 2]: first and last + 1 word of each language.
    """

    slots: np.ndarray
    lengths: np.ndarray
    draws: np.ndarray
    ranges: np.ndarray


@functools.cache
def vocabulary() -> Vocabulary:
    """The one vocabulary; always the same."""
    words = [word.encode() for word in itertools.islice(_english(), WORDS)]
    words += [chr(0x4E00 + 7 * i % 20_899).encode() for i in range(CHARACTERS)]
    slots = np.zeros((len(words), SLOT), np.uint8)
    for i, word in enumerate(words):
        slots[i, : len(word)] = np.frombuffer(word, np.uint8)
    lengths = np.array([len(word) for word in words], np.uint8)
    draws = np.stack([_zipf(WORDS), WORDS + _zipf(CHARACTERS)]).astype(np.int32)
    ranges = np.array([[0, WORDS], [WORDS, WORDS + CHARACTERS]], np.int64)
    for array in (slots, lengths, draws, ranges):
        array.flags.writeable = False
    return Vocabulary(slots, lengths, draws, ranges)


def _english():
    """The common words, then made-up ones, short ones first."""
    yield from _COMMON
    syllables = [
        c + v for c in ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "t", "st", "tr") for v in "aeiou"
    ]
    endings = ["n", "r", "s", "ting", "l"]
    seen = set(_COMMON)
    for count in itertools.count(1):
        for parts in itertools.product(syllables, repeat=count):
            for ending in endings:
                word = "".join(parts) + ending
                if word not in seen and len(word) <= SLOT:
                    seen.add(word)
                    yield word


def _zipf(words: int) -> np.ndarray:
    """int64 [DRAWS]: the word at each quantile."""
    bound = np.cumsum(1 / (np.arange(1, words + 1) + _SHIFT))
    return np.searchsorted(bound / bound[-1], (np.arange(DRAWS) + 0.5) / DRAWS)
