"""Verification: candidate pairs are joined only if their signatures say that the documents are alike.

The share of equal MinHash values estimates the Jaccard similarity with a standard error of sqrt(J (1 - J) / k): 0.043
at J = 0.7 for 112 values. A pair that shares a bucket by chance is far below that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import verification_kernels
from dedup.radix_kernels import sort_by


class VerifiedPairs(NamedTuple):
    """Pairs that passed verification in one partition, and what it took.

    Attributes:
        left, right: uint64 [p], keys with left < right. A pair that meets in several buckets stands once for each.
        jaccard: float32 [p], the estimated similarity, at least the threshold.
        rejected: comparisons below the threshold.
        unlinked: memberships (a document in a bucket with others) that ended without any accepted pair.
    """

    left: np.ndarray
    right: np.ndarray
    jaccard: np.ndarray
    rejected: int
    unlinked: int


def estimated_jaccard(minima_left: np.ndarray, minima_right: np.ndarray) -> np.ndarray:
    """Estimates the Jaccard similarity of pairs of signatures.

    Args:
        minima_left, minima_right: uint32 [p, k] of the same settings.

    Returns:
        float32 [p]: the share of equal values, a multiple of 1 / k.

    Raises:
        ValueError: the shapes differ.
    """
    if minima_left.shape != minima_right.shape:
        raise ValueError(
            f"signatures of shapes {minima_left.shape} and {minima_right.shape}: compare pairs made with equal settings"
        )
    return verification_kernels.jaccard_of_pairs(
        np.ascontiguousarray(minima_left, np.uint32), np.ascontiguousarray(minima_right, np.uint32)
    )


def estimated_jaccard_of_rows(minima: np.ndarray, left_rows: np.ndarray, right_rows: np.ndarray) -> np.ndarray:
    """The same for pairs given by their rows (int64 [p] each) in one matrix uint32 [d, k]: nothing is gathered.

    Raises:
        ValueError: the columns differ in length, or a row is outside the matrix.
    """
    if len(left_rows) != len(right_rows):
        raise ValueError(f"{len(left_rows)} left and {len(right_rows)} right rows: every pair has one of each")
    for rows in (left_rows, right_rows):
        _check_rows(rows, minima)
    return verification_kernels.jaccard_of_rows(
        np.ascontiguousarray(minima, np.uint32),
        np.ascontiguousarray(left_rows, np.int64),
        np.ascontiguousarray(right_rows, np.int64),
    )


def verified_pairs(
    keys: np.ndarray,
    hashes: np.ndarray,
    row_of: np.ndarray,
    minima: np.ndarray,
    threshold: float = 0.7,
    passes: int = 4,
) -> VerifiedPairs:
    """Links the documents of each bucket to centres that they resemble.

    In place of ``candidate_pairs`` for a partition whose signatures are at hand. Leader passes: the smallest key is the
    centre of the first pass, the smallest key that no centre has taken that of the next. A centre is compared with
    every member that is not yet tied to it, members of earlier centres included, so that a document that the first
    centre rejects still finds its copies. First inside each dump, then across dumps, as in ``candidate_pairs``: the
    pairs within one dump, or within any first dumps, are those that these dumps alone would give.

    Cost: at most ``2 * passes`` comparisons of k values for each document in a bucket, whatever the bucket's size.

    Args:
        keys: uint64 [m], document keys; hashes: uint64 [m], the bucket of each.
        row_of: int64 [m], the row of each in ``minima``.
        minima: uint32 [d, k].
        threshold: the least estimated Jaccard [0, 1] of an accepted pair.
        passes: centres tried at each of the two levels, at least 1.

    Raises:
        ValueError: columns of different length, a row outside the matrix, an impossible threshold or number of passes.
    """
    if not len(keys) == len(hashes) == len(row_of):
        raise ValueError(f"{len(keys)} keys, {len(hashes)} hashes and {len(row_of)} rows: give one of each")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold = {threshold:g}: give a Jaccard similarity from 0 to 1")
    if passes < 1:
        raise ValueError(f"passes = {passes}: at least one centre has to be tried")
    _check_rows(row_of, minima)
    keys = np.ascontiguousarray(keys, np.uint64)
    hashes = np.ascontiguousarray(hashes, np.uint64)
    _, by_key = sort_by(keys, np.arange(len(keys), dtype=np.uint64))
    hashes, order = sort_by(hashes[by_key], by_key)
    values = minima.shape[1]
    enough = int(np.ceil(threshold * values - 1e-9))  # equal values that make a pair: no float comparison per pair
    left, right, equal, rejected, unlinked = verification_kernels.leader_passes(
        hashes,
        keys[order],
        np.ascontiguousarray(row_of, np.int64)[order],
        np.ascontiguousarray(minima, np.uint32),
        enough,
        passes,
    )
    return VerifiedPairs(left, right, (equal / values).astype(np.float32), int(rejected), int(unlinked))


def _check_rows(rows: np.ndarray, minima: np.ndarray) -> None:
    if len(rows) and not (int(np.min(rows)) >= 0 and int(np.max(rows)) < len(minima)):
        raise ValueError(
            f"rows {int(np.min(rows))} to {int(np.max(rows))} are not all among the {len(minima)} signatures given"
        )
