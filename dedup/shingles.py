"""The shingles of a document: every run of n consecutive words (see ``text.words``), hashed.

Two documents that differ in white space, punctuation or case have the same shingles.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dedup import shingle_kernels
from text.arrow_buffers import text_buffers
from text.words import word_table


def distinct_shingles(texts: pa.Array | pa.ChunkedArray, ngram: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The set of shingles of each document, for exact comparison.

    Args:
        texts: ``string`` or ``large_string`` [n].
        ngram: words in a shingle; a document with fewer words has one shingle of all its words, one without words none.
        seed: seed of the shingle hash; it does not matter unless the hashes are kept.

    Returns:
        ``shingles`` uint64 [total] and ``offsets`` int64 [n + 1]: the shingles of document ``i``, ascending and
        distinct, are ``shingles[offsets[i]:offsets[i + 1]]``.
    """
    if ngram < 1:
        raise ValueError(f"ngram = {ngram}: a shingle needs at least one word")
    data, offsets = text_buffers(texts)
    return shingle_kernels.distinct_shingles(data, offsets, word_table(), ngram, np.uint64(seed))


def exact_jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """Jaccard similarity of two sets of shingles (ascending and distinct uint64); two empty sets are 0 alike."""
    return float(shingle_kernels.jaccard_of_sorted(left, right))


class ShingleSets(NamedTuple):
    """The shingles of documents: those of ``i``, ascending and distinct, are ``shingles[offsets[i]:offsets[i + 1]]``.

    Attributes:
        shingles: uint64 [total]; offsets: int64 [n + 1].
    """

    shingles: np.ndarray
    offsets: np.ndarray


def exact_jaccard_of_rows(
    left: ShingleSets, left_rows: np.ndarray, right: ShingleSets, right_rows: np.ndarray
) -> np.ndarray:
    """Jaccard similarity of pairs of documents given by their rows (int64 [p] each) in two collections: float64 [p].

    Two documents without words are 1 alike: as candidates they have met by their very bytes, or by their address.
    """
    return shingle_kernels.jaccard_of_rows(
        left.shingles,
        left.offsets,
        np.asarray(left_rows, np.int64),
        right.shingles,
        right.offsets,
        np.asarray(right_rows, np.int64),
    )
