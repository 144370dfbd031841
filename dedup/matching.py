"""Matching in memory: documents that share a bucket and resemble each other, for corpora that fit one process.

The same passes over the same functions as the match job, which holds no more than a part of the corpus at a time; its
pairs are these.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.banding import Banding, band_hashes
from dedup.candidates import (
    FORWARD,
    WITHIN,
    Memberships,
    Pairs,
    distinct,
    first_pairs,
    merged,
    neighbour_pairs,
    next_pairs,
    no_memberships,
    no_pairs,
)
from dedup.digests import digests, equal_values
from dedup.judging import Compared, alike, put_back
from dedup.minhash import Signatures


class Pass(NamedTuple):
    """What one pass compared: distinct candidate pairs, and how many of them joined."""

    candidates: int
    accepted: int


class Matched(NamedTuple):
    """Pairs that resemble each other.

    Attributes:
        pairs: distinct, ascending by left and then right.
        jaccard: float32 [p], estimated; at least the threshold.
        passes: what each pass did.
    """

    pairs: Pairs
    jaccard: np.ndarray
    passes: list[Pass]


def memberships(
    keys: np.ndarray,
    content: np.ndarray,
    normalised: np.ndarray,
    words: np.ndarray,
    minima: np.ndarray,
    banding: Banding,
) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of documents: one a band and one of its words, or, without words, the one of its very bytes.

    Documents of equal words meet in all bands too, but there others may stand before them, be tried and refuse until
    the passes are over. In the bucket of their words they meet nobody else.

    Args:
        keys, content, normalised: uint64 [n]; words: uint32 [n]; minima: uint32 [n, at least bands * rows].

    Returns:
        ``keys`` and ``buckets``, uint64 [m].
    """
    worded = words > 0
    bands = band_hashes(minima[worded], banding)
    return (
        np.concatenate((np.repeat(keys[worded], banding.bands), keys)),
        np.concatenate((bands.reshape(-1), np.where(worded, normalised, content))),
    )


def match(
    keys: np.ndarray,
    signed: Signatures,
    banding: Banding | None = None,
    threshold: float = 0.7,
    passes: int = 3,
    levels: int = FORWARD | WITHIN,
) -> Matched:
    """Finds pairs of copies.

    Args:
        keys: uint64 [n], ascending and distinct.
        signed: their signatures.
        threshold: least estimated Jaccard similarity of a pair.
        passes: centres that a document is tried against in a bucket, while those before refuse it.
        levels: see ``dedup.candidates``.
    """
    banding = banding or Banding()
    cut = digests(signed.minima)
    values = cut.shape[1]
    buckets = memberships(keys, signed.content, signed.normalised, signed.words, signed.minima, banding)
    pairs = first_pairs(*buckets, levels)
    waiting = no_memberships()
    found, similarity, done = [], [], []
    for _ in range(passes):
        pairs = merged(pairs)
        left, right = np.searchsorted(keys, pairs.left), np.searchsorted(keys, pairs.right)
        jaccard = equal_values(cut, left, cut, right, values) / values
        compared = Compared(pairs, jaccard, cut, left, cut, right)
        joined = alike(compared, threshold)
        found.append(pairs.chosen(joined))
        similarity.append(jaccard[joined])
        done.append(Pass(len(joined), int(joined.sum())))
        back, _ = put_back(compared, ~joined, banding)
        leaders, waiting = next_pairs(Memberships(*map(np.concatenate, zip(back, waiting, strict=True))))
        pairs = Pairs(*map(np.concatenate, zip(leaders, neighbour_pairs(pairs.chosen(~joined)), strict=True)))
    if not found:
        return Matched(no_pairs(), np.empty(0, np.float32), done)
    return Matched(*distinct(Pairs(*map(np.concatenate, zip(*found, strict=True))), np.concatenate(similarity)), done)
