"""Representatives: who stays for whom when only so many pairs may lie between a removed document and its copy.

A component is transitive: A like B and B like C removes C for A, which it may not resemble. With ``max_chain`` = k a
document is removed only for a copy at most k accepted pairs away, so that with k = 1 everything removed resembles the
very document that stays for it. Documents are taken in the order of preference, and one that is not within k of any
that stays, stays itself.

Under ``earliest`` the pairs lead through earlier documents only. What becomes of a document then depends on earlier
ones alone: adding dumps changes nothing of what was decided, and the curve of all prefixes takes one pass. The other
policies go by all pairs, for match ties documents to earlier centres: two late copies meet in the centre they share.
"""

from __future__ import annotations

import numpy as np

from dedup import chain_kernels
from dedup.chain_kernels import OUTSIDE
from dedup.pair_graph import PairGraph


def preference(keep: str, nodes: int, scores: np.ndarray | None) -> np.ndarray | None:
    """The nodes in the order in which a policy likes to keep them: int64 [nodes]; None for their own order."""
    if keep == "earliest":
        return None
    if keep == "latest":
        return np.arange(nodes)[::-1]
    assert scores is not None
    return np.argsort(-np.asarray(scores, np.float64), kind="stable")  # NaN, which no score beats, comes last


def representatives(
    graph: PairGraph,
    order: np.ndarray | None,
    max_chain: int,
    outside: np.ndarray,
    positions: np.ndarray | None = None,
    last: int = 0,
) -> np.ndarray:
    """The node that stays for each node: itself, OUTSIDE for a copy in another corpus, or ABSENT.

    The nearest stays for a document; among those at one distance the preferred one, and one outside before all.

    Args:
        graph: of d nodes; order: see ``preference``.
        max_chain: pairs that may lie between a removed document and its representative, at least 1.
        outside: bool [d], documents with a copy in another corpus: one pair away from it.
        positions, last: only nodes whose dump position (integers [d]) is at most ``last`` take part; all when None.

    Returns:
        int64 [d].
    """
    nodes = len(graph.keys)
    positions = np.zeros(nodes, np.uint16) if positions is None else positions
    if order is None:
        offsets, earlier = chain_kernels.by_later(nodes, graph.earlier, graph.later)
        return chain_kernels.represent(offsets, earlier, outside, positions, last, max_chain)
    ends = np.concatenate((graph.earlier, graph.later)), np.concatenate((graph.later, graph.earlier))
    offsets, neighbours = chain_kernels.by_later(nodes, *ends)
    return chain_kernels.cover(offsets, neighbours, order, outside, positions, last, max_chain)


def distances(graph: PairGraph, groups: np.ndarray, stays: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """How many pairs lie between each document and the copy that stays for it, on the shortest way within its group.

    Args:
        graph: of d nodes; groups: int64 [d], see ``policies.Groups``.
        stays: bool [d], one of each group, or none of a group that has documents with a copy in another corpus.
        outside: bool [d], those documents: one pair away from it.

    Returns:
        int32 [d].
    """
    ends = np.concatenate((graph.earlier, graph.later)), np.concatenate((graph.later, graph.earlier))
    offsets, neighbours = chain_kernels.by_later(len(graph.keys), *ends)
    return chain_kernels.distances(offsets, neighbours, groups, stays, outside)


def removed_by_dump(representative: np.ndarray, positions: np.ndarray, axis: int, minimum: int) -> np.ndarray:
    """Documents removed, at the dump position of what represents them: int64 [axis].

    Args:
        representative: int64 [d]; positions: integers [d] in [0, axis).
        minimum: groups of fewer documents stay whole.
    """
    sizes = np.bincount(representative[representative >= 0], minlength=len(representative))
    lost = np.where(sizes >= minimum, sizes - 1, 0)
    stand_in = np.bincount(positions, weights=lost, minlength=axis).astype(np.int64)
    return stand_in + np.bincount(positions[representative == OUTSIDE], minlength=axis)
