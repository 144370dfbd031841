"""Room that the kernels over text work in, made once a call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.character_maps_kernels import PLANES, stride_of
from filters.repetition_kernels import NgramScratch, ngram_scratch, power_of_two


class Scratch(NamedTuple):
    """Sized by the longest document; memory that a kernel does not touch is never taken from the system.

    ``maps`` and ``copy_maps`` uint8 [PLANES * stride]: the planes of a document, and of ``copy`` uint8 [bytes], a line
    without its citations. ``tail`` uint8 [128]: the last block of a text. ``word_hashes`` uint64 and ``word_sizes``
    int32 [words], ``line_hashes`` and ``paragraph_hashes`` uint64, ``line_sizes`` and ``paragraph_sizes`` int64
    [lines]: what is looked through for repetition, with ``items`` uint64 [a power of two of 2 * lines] and ``ngrams``.
    """

    stride: int
    maps: np.ndarray
    copy: np.ndarray
    copy_maps: np.ndarray
    tail: np.ndarray
    word_hashes: np.ndarray
    word_sizes: np.ndarray
    line_hashes: np.ndarray
    line_sizes: np.ndarray
    paragraph_hashes: np.ndarray
    paragraph_sizes: np.ndarray
    items: np.ndarray
    ngrams: NgramScratch


def scratch(longest: int, most_words: int) -> Scratch:
    """Room for documents of up to ``longest`` bytes, of which up to ``most_words`` words are looked through."""
    stride = stride_of(longest)
    lines = longest // 2 + 1  # a character and a line feed
    words = min(lines, most_words)  # a character and a space, or three bytes
    return Scratch(
        stride=stride,
        maps=np.empty(PLANES * stride, np.uint8),
        copy=np.empty(longest + 1, np.uint8),
        copy_maps=np.empty(PLANES * stride, np.uint8),
        tail=np.empty(128, np.uint8),
        word_hashes=np.empty(words, np.uint64),
        word_sizes=np.empty(words, np.int32),
        line_hashes=np.empty(lines, np.uint64),
        line_sizes=np.empty(lines, np.int64),
        paragraph_hashes=np.empty(lines, np.uint64),
        paragraph_sizes=np.empty(lines, np.int64),
        items=np.empty(int(power_of_two(2 * lines)), np.uint64),
        ngrams=ngram_scratch(words),
    )
