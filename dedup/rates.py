"""Deduplication rates: what a report says about how much of each dump is a copy, alone and together with others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import rate_kernels
from dedup.candidates import dump_of
from dedup.component_kernels import unite
from dedup.policies import pair_rows
from dedup.radix_kernels import sort_pairs

__all__ = ["REFERENCE_TABLE", "CurvePoint", "cluster_sizes", "curve", "dump_of", "largest_clusters", "overlap"]

# Dumps of Common Crawl deduplicated together -> documents removed, % (DeepSeek LLM, arXiv 2401.02954, table 1).
REFERENCE_TABLE = {1: 22.2, 2: 46.7, 6: 55.7, 12: 69.9, 16: 75.7, 22: 76.3, 41: 81.6, 91: 89.8}


class CurvePoint(NamedTuple):
    """Rates after one more dump.

    Attributes:
        dump: index of the dump.
        documents: documents of this and all earlier dumps.
        removed: how many of them deduplicating these dumps together removes; ``share`` of ``documents`` [0, 1].
        documents_alone: documents of this dump.
        removed_alone: how many of them deduplicating this dump alone removes; ``share_alone`` of ``documents_alone``.
    """

    dump: int
    documents: int
    removed: int
    share: float
    documents_alone: int
    removed_alone: int
    share_alone: float


def curve(keys: np.ndarray, left: np.ndarray, right: np.ndarray) -> list[CurvePoint]:
    """The share removed when the first 1, 2, ... n dumps are deduplicated together, in one pass over the pairs.

    A pair takes effect with the later of its two dumps, and each real join of two clusters removes one document. The
    figures are exact, equal to deduplicating only those dumps, for pairs of ``candidate_pairs`` or ``verified_pairs``,
    whose pairs within a set of first dumps do not depend on later ones.

    Args:
        keys: uint64 [n], all documents, ascending and distinct; left, right: uint64 [p], the accepted pairs.

    Raises:
        ValueError: keys out of order or twice, or a pair of an unknown key.
    """
    keys = np.ascontiguousarray(keys, np.uint64)
    left_rows, right_rows = pair_rows(keys, left, right)
    dumps, sizes = np.unique(dump_of(keys), return_counts=True)
    left_dump, right_dump = dump_of(left), dump_of(right)
    later = np.maximum(left_dump, right_dump)
    order = np.argsort(later, kind="stable")
    bounds = np.searchsorted(later[order], dumps, side="right")
    together, alone = np.arange(len(keys)), np.arange(len(keys))
    points = []
    documents = removed = first = 0
    for dump, size, stop in zip(dumps.tolist(), sizes.tolist(), bounds.tolist()):
        edges = order[first:stop]
        inside = edges[left_dump[edges] == right_dump[edges]]
        documents += size
        removed += unite(together, left_rows[edges], right_rows[edges])
        removed_alone = unite(alone, left_rows[inside], right_rows[inside])
        points.append(
            CurvePoint(dump, documents, removed, removed / documents, size, removed_alone, removed_alone / size)
        )
        first = stop
    return points


def overlap(keys: np.ndarray, cluster_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of each dump is also in each other one.

    Args:
        keys, cluster_id: uint64 [n], in any order.

    Returns:
        ``dumps`` int64 [D], ascending dump indexes; ``matrix`` int64 [D, D], where row i, column j counts the documents
        of dump i whose cluster has a member in dump j (for i = j, another member).
    """
    dumps, position = np.unique(dump_of(keys), return_inverse=True)
    clusters, positions = sort_pairs(
        np.ascontiguousarray(cluster_id, np.uint64), np.ascontiguousarray(position, np.uint64)
    )
    return dumps, rate_kernels.overlap(clusters, positions.astype(np.int64), len(dumps))


def cluster_sizes(cluster_id: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cluster-size distribution: ``sizes`` int64 [s], ascending, and how many ``clusters`` int64 [s] have each."""
    _, sizes = np.unique(cluster_id, return_counts=True)
    distinct, clusters = np.unique(sizes, return_counts=True)
    return distinct.astype(np.int64), clusters.astype(np.int64)


def largest_clusters(cluster_id: np.ndarray, count: int = 20) -> list[tuple[int, int]]:
    """Ids and sizes of the largest clusters of at least two documents, largest first, the smaller id among equals."""
    ids, sizes = np.unique(cluster_id, return_counts=True)
    order = np.lexsort((ids, -sizes))[:count]
    return [(int(ids[i]), int(sizes[i])) for i in order if sizes[i] > 1]
