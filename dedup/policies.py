"""From pairs to decisions: which documents are copies of one another, and which of them stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dedup import policy_kernels
from dedup.chains import OUTSIDE, preference, representatives
from dedup.component_kernels import roots, union
from dedup.pair_graph import PairGraph, graph_among

POLICIES = ("earliest", "latest", "longest", "best-quality")
SCORED = ("longest", "best-quality")


@dataclass(frozen=True)
class Policy:
    """What is done with copies.

    Attributes:
        keep: ``earliest`` keeps the smallest key (first dump, file, record), ``latest`` the largest; ``longest`` and
            ``best-quality`` the highest score, the smallest key among equals.
        max_chain: pairs that may lie between a removed document and the one that stays; None for any number.
        min_cluster_size: clusters of fewer documents stay as they are.

    Raises:
        ValueError: an unknown policy, or a chain or cluster size that cannot be.
    """

    keep: str = "earliest"
    max_chain: int | None = None
    min_cluster_size: int = 2

    def __post_init__(self) -> None:
        if self.keep not in POLICIES:
            raise ValueError(f"policy `{self.keep}` is none of {', '.join(POLICIES)}")
        if self.max_chain is not None and self.max_chain < 1:
            raise ValueError(f"max_chain = {self.max_chain}: give at least 1, or None for chains of any length")
        if self.min_cluster_size < 2:
            raise ValueError(f"min_cluster_size = {self.min_cluster_size}: a cluster has at least 2 documents")

    def check_scores(self, scores: np.ndarray | None, documents: int) -> None:
        """Refuses scores that are missing, not asked for, or not one a document, with a ValueError."""
        if (self.keep in SCORED) != (scores is not None):
            raise ValueError(f"policy `{self.keep}` {'needs' if self.keep in SCORED else 'takes no'} scores")
        if scores is not None and len(scores) != documents:
            raise ValueError(f"{len(scores)} scores for {documents} documents")


class Clusters(NamedTuple):
    """What deduplication says of each of n documents.

    Attributes:
        cluster_id: uint64 [n], the smallest key of the document's cluster; its own key if it has no copy.
        cluster_size: uint32 [n], documents in the cluster.
        kept: bool [n], true for exactly one document of each cluster; for all of a cluster below the least size; for
            none of one that has a copy in another corpus.
    """

    cluster_id: np.ndarray
    cluster_size: np.ndarray
    kept: np.ndarray


class Groups(NamedTuple):
    """Clusters as nodes of a graph: the smallest node of each one's (int64 [d]), and two bool [d]: whether it is the
    copy that stays, and whether its cluster goes whole because another corpus has it.
    """

    first: np.ndarray
    stays: np.ndarray
    outside: np.ndarray


def clusters(
    keys: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    policy: str | Policy = "earliest",
    scores: np.ndarray | None = None,
    outside: np.ndarray | None = None,
) -> Clusters:
    """Joins pairs into clusters and keeps one document of each.

    Args:
        keys: uint64 [n], the keys of all documents, ascending and distinct.
        left, right: uint64 [p], the pairs; every key of theirs is in ``keys``.
        policy: a policy, or what it keeps.
        scores: number [n], for the two scored policies: the length, or the quality, of each document.
        outside: bool [n], documents that have a copy in another corpus, which is to stay in place of them.

    Raises:
        ValueError: an unknown policy, a missing or unasked-for score, keys out of order, or a pair of an unknown key.
    """
    policy = Policy(policy) if isinstance(policy, str) else policy
    policy.check_scores(scores, len(keys))
    return decide(groups(graph_among(keys, left, right), policy, scores, outside), keys, policy)


def groups(
    graph: PairGraph, policy: Policy, scores: np.ndarray | None = None, outside: np.ndarray | None = None
) -> Groups:
    """The clusters of a graph under a policy; ``scores`` and ``outside`` as for ``clusters``, one a node."""
    nodes = len(graph.keys)
    outside = np.zeros(nodes, bool) if outside is None else np.asarray(outside, bool)
    if policy.max_chain is not None:
        # A component may have several groups outside; they are one, whose documents all go.
        order = preference(policy.keep, nodes, scores)
        representative = representatives(graph, order, policy.max_chain, outside)
        gone = representative == OUTSIDE
        component = roots(union(nodes, graph.earlier, graph.later))
        label = np.where(gone, nodes + component, representative)
        return Groups(policy_kernels.first_of_each(label, 2 * nodes), representative == np.arange(nodes), gone)
    first = roots(union(nodes, graph.earlier, graph.later))
    if policy.keep == "earliest":
        stays = first == np.arange(nodes)
    elif policy.keep == "latest":
        stays = policy_kernels.last_of_each(first)
    else:
        stays = policy_kernels.best_of_each(first, np.ascontiguousarray(scores, np.float64))
    gone = np.zeros(nodes, bool)
    gone[first[outside]] = True
    return Groups(first, stays, gone[first])


def decide(found: Groups, keys: np.ndarray, policy: Policy) -> Clusters:
    """What the groups of a graph with these keys mean for each document."""
    size = np.bincount(found.first, minlength=len(keys))[found.first]
    kept = (found.stays | (size < policy.min_cluster_size)) & ~found.outside
    return Clusters(np.asarray(keys, np.uint64)[found.first], size.astype(np.uint32), kept)
