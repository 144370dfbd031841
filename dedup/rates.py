"""Deduplication rates: what a report says about how much of each dump is a copy, alone and together with others.

All figures are sums over components, so that partitions which hold whole components count on their own and add up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import chain_kernels, rate_kernels
from dedup.candidates import DUMP_SHIFT, dump_of
from dedup.chains import preference, removed_by_dump, representatives
from dedup.component_kernels import removed_by_joining
from dedup.pair_graph import PairGraph, graph_among
from dedup.policies import Policy
from dedup.radix_kernels import sort_pairs

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


def curve(
    keys: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    policy: Policy | None = None,
    scores: np.ndarray | None = None,
    outside: np.ndarray | None = None,
) -> list[CurvePoint]:
    """The share removed when the first 1, 2, ... n dumps are deduplicated together.

    The figures are exact, equal to deduplicating only those dumps, for pairs of ``candidate_pairs`` or
    of ``dedup.matching``, whose pairs within a set of first dumps do not depend on later ones.

    Args:
        keys: uint64 [n], all documents, ascending and distinct; left, right: uint64 [p], the accepted pairs.
        policy, scores, outside: as for ``policies.clusters``.

    Raises:
        ValueError: keys out of order or twice, or a pair of an unknown key.
    """
    keys = np.ascontiguousarray(keys, np.uint64)
    dumps, sizes = np.unique(dump_of(keys), return_counts=True)
    together, alone = removed(graph_among(keys, left, right), dumps, policy or Policy(), scores, outside)
    return curve_points(dumps, sizes, together, alone)


def curve_points(dumps: np.ndarray, sizes: np.ndarray, together: np.ndarray, alone: np.ndarray) -> list[CurvePoint]:
    """The points of a curve out of its sums: for each of the dumps (int64 [D], in the order in which they are taken),
    its documents, and what ``removed`` says of it.
    """
    documents = np.cumsum(sizes)
    rows = zip(*(np.asarray(column).tolist() for column in (dumps, documents, together, sizes, alone)), strict=True)
    return [
        CurvePoint(dump, total, gone, gone / max(total, 1), own, gone_alone, gone_alone / max(own, 1))
        for dump, total, gone, own, gone_alone in rows
    ]


def removed(
    graph: PairGraph,
    dumps: np.ndarray,
    policy: Policy,
    scores: np.ndarray | None = None,
    outside: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Documents that deduplication removes of the first 1, 2, ... D dumps, and of each dump alone.

    One pass over the pairs where what a document is does not change with later dumps: for clusters of any chain, by
    union-find over the pairs in the order of their later dump; and for ``earliest`` with ``max_chain``. Else a run for
    every prefix.

    Args:
        graph: whole components; dumps: int64 [D], ascending, the dump indexes of all documents.
        policy, scores, outside: as for ``policies.clusters``, one score and flag a node.

    Returns:
        int64 [D] each.
    """
    axis = len(dumps)
    outside = np.zeros(len(graph.keys), bool) if outside is None else np.asarray(outside, bool)
    positions = np.searchsorted(dumps, dump_of(graph.keys)).astype(np.uint16)
    minimum = policy.min_cluster_size
    if policy.max_chain is None:
        order = np.argsort(positions[graph.later], kind="stable")
        flags = (outside, positions, graph.earlier, graph.later, order, axis, minimum)
        return np.cumsum(removed_by_joining(*flags, False)), removed_by_joining(*flags, True)

    preferred, chain = preference(policy.keep, len(graph.keys), scores), policy.max_chain
    inside = positions[graph.earlier] == positions[graph.later]
    of_one_dump = PairGraph(graph.keys, graph.earlier[inside], graph.later[inside])
    by_dump = representatives(of_one_dump, preferred, chain, outside)
    alone = removed_by_dump(by_dump, positions, axis, minimum)
    if preferred is None:
        found = representatives(graph, None, chain, outside)
        return np.cumsum(chain_kernels.removed_as_documents_come(found, positions, axis, minimum)), alone
    together = np.zeros(axis, np.int64)
    for last in range(axis):
        found = representatives(graph, preferred, chain, outside, positions, last)
        together[last] = removed_by_dump(found, positions, axis, minimum).sum()
    return together, alone


def reversed_dumps(keys: np.ndarray, dumps: np.ndarray) -> np.ndarray:
    """Keys (uint64 [...]) as they would be had the dumps (int64 [D], ascending) come in the opposite order.

    Of what is asked of keys in the order of dumps this makes the same question from the last dump backwards:
    ``earliest`` is then the first file and record of the last dump.
    """
    mirrored = (dumps[0] + dumps[-1] - dump_of(keys)).astype(np.uint64) << np.uint64(DUMP_SHIFT)
    return mirrored | (np.asarray(keys, np.uint64) & np.uint64((1 << DUMP_SHIFT) - 1))


def overlap(keys: np.ndarray, cluster_id: np.ndarray, dumps: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """How much of each dump is also in each other one.

    Args:
        keys, cluster_id: uint64 [n], in any order; documents that have no copy add nothing.
        dumps: int64 [D], ascending dump indexes of all documents; those of ``keys`` when None.

    Returns:
        ``dumps``; ``matrix`` int64 [D, D], where row i, column j counts the documents of dump i whose cluster has a
        member in dump j (for i = j, another member).
    """
    dumps = np.unique(dump_of(keys)) if dumps is None else dumps
    position = np.searchsorted(dumps, dump_of(keys))
    clusters, positions = sort_pairs(
        np.ascontiguousarray(cluster_id, np.uint64), np.ascontiguousarray(position, np.uint64)
    )
    return dumps, rate_kernels.overlap(clusters, positions.astype(np.int64), len(dumps))
