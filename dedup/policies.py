"""From pairs to decisions: which documents are copies of one another, and which of them stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import policy_kernels
from dedup.component_kernels import roots, union

POLICIES = ("earliest", "latest", "longest", "best-quality")
SCORED = ("longest", "best-quality")


class Clusters(NamedTuple):
    """What deduplication says of each of n documents.

    Attributes:
        cluster_id: uint64 [n], the smallest key of the document's cluster; its own key if it has no copy.
        cluster_size: uint32 [n], documents in the cluster.
        kept: bool [n], true for exactly one document of each cluster.
    """

    cluster_id: np.ndarray
    cluster_size: np.ndarray
    kept: np.ndarray


def clusters(
    keys: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    policy: str = "earliest",
    scores: np.ndarray | None = None,
) -> Clusters:
    """Joins pairs into clusters and keeps one document of each.

    Args:
        keys: uint64 [n], the keys of all documents, ascending and distinct.
        left, right: uint64 [p], the pairs; every key of theirs is in ``keys``.
        policy: ``earliest`` keeps the smallest key (first dump, file, record), ``latest`` the largest; ``longest`` and
            ``best-quality`` the highest score, the smallest key among equals.
        scores: number [n], for the two scored policies: the length, or the quality, of each document.

    Raises:
        ValueError: an unknown policy, a missing or unasked-for score, keys out of order, or a pair of an unknown key.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy `{policy}` is none of {', '.join(POLICIES)}")
    if (policy in SCORED) != (scores is not None):
        raise ValueError(f"policy `{policy}` {'needs' if policy in SCORED else 'takes no'} scores")
    if scores is not None and len(scores) != len(keys):
        raise ValueError(f"{len(scores)} scores for {len(keys)} documents")
    keys = np.ascontiguousarray(keys, np.uint64)
    parents, _ = union(len(keys), *pair_rows(keys, left, right))
    root = roots(parents)
    sizes = np.bincount(root, minlength=len(keys)).astype(np.uint32)
    if policy == "earliest":
        kept = root == np.arange(len(keys))
    elif policy == "latest":
        kept = policy_kernels.last_of_each(root)
    else:
        kept = policy_kernels.best_of_each(root, np.ascontiguousarray(scores, np.float64))
    return Clusters(keys[root], sizes[root], kept)


def pair_rows(keys: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions (int64 [p] each) of pairs among ``keys`` (uint64 [n], ascending and distinct).

    Raises:
        ValueError: keys out of order or twice, a pair of an unknown key, or columns of different length.
    """
    unordered = np.flatnonzero(keys[1:] <= keys[:-1])
    if len(unordered):
        at = int(unordered[0])
        what = "appears twice" if keys[at] == keys[at + 1] else f"is followed by {keys[at + 1]}"
        raise ValueError(f"document key {keys[at]} {what}: sort the keys and give each once")
    if len(left) != len(right):
        raise ValueError(f"{len(left)} left and {len(right)} right keys: every pair has one of each")
    found = []
    for side in (np.asarray(left, np.uint64), np.asarray(right, np.uint64)):
        rows = np.searchsorted(keys, side)
        unknown = rows == len(keys)
        unknown[~unknown] = keys[rows[~unknown]] != side[~unknown]
        if unknown.any():
            raise ValueError(
                f"pair key {side[unknown][0]} is no document's key: the pairs come from other dumps than the documents"
            )
        found.append(rows)
    return found[0], found[1]
