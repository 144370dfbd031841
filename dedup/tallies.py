"""What one partition of whole components adds to the figures of a corpus, and how partitions add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from dedup import rates
from dedup.chains import distances
from dedup.limits import FARTHEST
from dedup.pair_graph import PairGraph, graph_among, graph_of
from dedup.policies import Clusters, Groups, Policy, decide, groups

LARGEST = 20  # clusters that are told of
MEMBERS = 5  # documents of each


class Tally(NamedTuple):
    """Sums over components; documents that stand in no pair are in none of them.

    Attributes:
        documents, clusters: in pairs of either order.
        removed, removed_alone: int64 [D], see ``rates.removed``; ``reversed_removed``, ``reversed_alone``: the same
            from the last dump backwards, zeros where it was not asked for.
        overlap: int64 [D, D], see ``rates.overlap``.
        sizes: how many clusters have each size.
        largest: size, id and first keys of the largest clusters, largest first.
        spared: documents that stay because of ``max_chain``.
        by_distance: int64 [FARTHEST], removed documents by the pairs between them and the copy that stays, from 1 on.
        outside: documents removed for a copy in another corpus.
    """

    documents: int
    clusters: int
    removed: np.ndarray
    removed_alone: np.ndarray
    reversed_removed: np.ndarray
    reversed_alone: np.ndarray
    overlap: np.ndarray
    sizes: dict[int, int]
    largest: list[tuple[int, int, list[int]]]
    spared: int
    by_distance: np.ndarray
    outside: int


class Documents(NamedTuple):
    """What a decision may need of documents: uint64 keys [m], ascending and distinct; number scores [m] or None; bool
    outside [m], whether another corpus has a copy.
    """

    keys: np.ndarray
    scores: np.ndarray | None
    outside: np.ndarray


def judge(
    left: np.ndarray,
    right: np.ndarray,
    orders: np.ndarray,
    policy: Policy,
    dumps: np.ndarray,
    documents: Documents | None = None,
    both_orders: bool = False,
) -> tuple[np.ndarray, Clusters, Tally]:
    """Decides on all documents of some whole components.

    Args:
        left, right: uint64 [p], pairs; orders: uint8 [p], bit 0 for pairs of the dumps in their order, which alone
            decide, bit 1 for pairs of the opposite order.
        dumps: int64 [D], ascending, the dump indexes of the corpus.
        documents: attributes of every document in a pair, where the policy or another corpus asks for them.
        both_orders: whether to count from the last dump backwards too.

    Returns:
        uint64 keys [d], ascending, of the documents in a pair of either order; their clusters; and the tally.
    """
    whole = graph_of(left, right)
    graph = _with_edges(whole, (orders & 1) != 0)
    scores, outside = _attributes(documents, graph.keys)
    found = groups(graph, policy, scores, outside)
    decided = decide(found, graph.keys, policy)
    together, alone = rates.removed(graph, dumps, policy, scores, outside)
    mirrored = np.zeros_like(together), np.zeros_like(alone)
    if both_orders:
        mirrored = _reversed(_with_edges(whole, (orders & 2) != 0), policy, dumps, documents)
    tally = Tally(
        len(graph.keys),
        int((found.first == np.arange(len(graph.keys))).sum()),
        together,
        alone,
        *mirrored,
        rates.overlap(graph.keys, decided.cluster_id, dumps)[1],
        _sizes(found),
        _largest(graph.keys, found),
        _spared(graph, policy, scores, outside, decided),
        _by_distance(graph, found, decided, outside),
        int(found.outside.sum()),
    )
    return graph.keys, decided, tally


def add(tallies: Iterable[Tally], dumps: int) -> Tally:
    """The tally of all partitions together; of none of them, zeros for so many dumps."""
    every = list(tallies)
    sizes: Counter[int] = Counter()
    for each in every:
        sizes.update(each.sizes)
    largest = sorted((entry for each in every for entry in each.largest), key=lambda entry: (-entry[0], entry[1]))
    return Tally(
        sum(each.documents for each in every),
        sum(each.clusters for each in every),
        _total([each.removed for each in every], dumps),
        _total([each.removed_alone for each in every], dumps),
        _total([each.reversed_removed for each in every], dumps),
        _total([each.reversed_alone for each in every], dumps),
        _total([each.overlap for each in every], dumps, dumps),
        dict(sorted(sizes.items())),
        largest[:LARGEST],
        sum(each.spared for each in every),
        _total([each.by_distance for each in every], FARTHEST),
        sum(each.outside for each in every),
    )


def _total(arrays: list[np.ndarray], *shape: int) -> np.ndarray:
    return np.asarray(np.sum(arrays, axis=0), np.int64) if arrays else np.zeros(shape, np.int64)


def _attributes(documents: Documents | None, keys: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Scores and flags of documents by key."""
    if documents is None:
        return None, None
    rows = np.searchsorted(documents.keys, keys)
    return None if documents.scores is None else documents.scores[rows], documents.outside[rows]


def _with_edges(graph: PairGraph, chosen: np.ndarray) -> PairGraph:
    """The same documents with some of the pairs (bool [p])."""
    return graph if chosen.all() else PairGraph(graph.keys, graph.earlier[chosen], graph.later[chosen])


def _reversed(
    graph: PairGraph, policy: Policy, dumps: np.ndarray, documents: Documents | None
) -> tuple[np.ndarray, np.ndarray]:
    """What is removed from the last dump backwards."""
    mirrored = rates.reversed_dumps(graph.keys, dumps)
    keys = np.sort(mirrored)
    turned = graph_among(keys, mirrored[graph.earlier], mirrored[graph.later])
    attributes = _attributes(documents, rates.reversed_dumps(keys, dumps))
    return rates.removed(turned, np.sort(dumps[0] + dumps[-1] - dumps), policy, *attributes)


def _sizes(found: Groups) -> dict[int, int]:
    sizes = np.bincount(found.first)
    counts = np.bincount(sizes[sizes > 0])
    return {size: int(counts[size]) for size in np.flatnonzero(counts).tolist()}


def _largest(keys: np.ndarray, found: Groups) -> list[tuple[int, int, list[int]]]:
    sizes = np.bincount(found.first)
    several = np.flatnonzero(sizes > 1)
    chosen = several[np.lexsort((several, -sizes[several]))[:LARGEST]]
    return [
        (int(sizes[first]), int(keys[first]), keys[np.flatnonzero(found.first == first)[:MEMBERS]].tolist())
        for first in chosen.tolist()
    ]


def _spared(
    graph: PairGraph, policy: Policy, scores: np.ndarray | None, outside: np.ndarray | None, decided: Clusters
) -> int:
    if policy.max_chain is None:
        return 0
    unbound = Policy(policy.keep, None, policy.min_cluster_size)
    without = decide(groups(graph, unbound, scores, outside), graph.keys, unbound)
    return int(decided.kept.sum()) - int(without.kept.sum())


def _by_distance(graph: PairGraph, found: Groups, decided: Clusters, outside: np.ndarray | None) -> np.ndarray:
    elsewhere = found.outside & outside if outside is not None else found.outside
    far = distances(graph, found.first, found.stays & ~found.outside, elsewhere)[~decided.kept]
    return np.bincount(np.minimum(far, FARTHEST), minlength=FARTHEST + 1)[1:]


def to_json(tally: Tally) -> dict[str, Any]:
    """A tally as JSON."""
    value = tally._asdict()
    plain = {name: each.tolist() if isinstance(each, np.ndarray) else each for name, each in value.items()}
    return plain | {"sizes": sorted(tally.sizes.items())}


def from_json(value: dict[str, Any]) -> Tally:
    """What ``to_json`` was given."""
    arrays = ("removed", "removed_alone", "reversed_removed", "reversed_alone", "overlap", "by_distance")
    found: dict[str, Any] = {name: np.array(each, np.int64) if name in arrays else each for name, each in value.items()}
    return Tally(**found | {"sizes": dict(value["sizes"])})
