"""Connected components by rounds of shuffles, for graphs whose edges no single machine holds.

Alternating large-star and small-star (Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii: Connected Components in
MapReduce and Beyond, SoCC 2014, section 4). A round is two shuffles: the first brings every node together with all its
neighbours, the second with its smaller ones. These are the functions of one partition of each; when a round moves no
edge, every edge ties a node to the smallest of its component.

Both operations keep the components. If neither moves an edge, then no node with a larger neighbour has a smaller one
(large-star), and every other node has exactly one (small-star): the graph is one star a component.
"""

from __future__ import annotations

import numpy as np

from dedup import star_kernels
from dedup.candidates import partition_of, unique_pairs
from dedup.radix_kernels import sort_pairs
from text.hashing import keyed_hash

# Rounds before convergence is given up. The paper proves O(log² n) and observes O(log n): 18 on a path of 100,000.
MOST_ROUNDS = 64
_SEED = 0x57A2


def partition_of_nodes(nodes: np.ndarray, partitions: int) -> np.ndarray:
    """The partition [0, partitions) in which each node (uint64 [m]) is gathered: int64 [m]."""
    return partition_of(keyed_hash(np.ascontiguousarray(nodes, np.uint64), _SEED), partitions)


def both_ways(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every edge (uint64 [p]) seen from each of its ends: nodes and neighbours, uint64 [2 p]."""
    return np.concatenate((left, right)), np.concatenate((right, left))


def large_star(nodes: np.ndarray, neighbours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ties the larger neighbours of each node to the smallest of node and neighbours.

    Args:
        nodes, neighbours: uint64 [m], all edges at the nodes of this partition, each from that node's side; in any
            order, with repetitions, without loops.

    Returns:
        ``ends`` and ``centres``, uint64, with end > centre; ``moved`` bool, whether the edge led elsewhere before.
    """
    return star_kernels.large_star(*sort_pairs(_column(nodes), _column(neighbours)))


def small_star(nodes: np.ndarray, neighbours: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Ties each node and its smaller neighbours to the smallest of these.

    Args:
        nodes, neighbours: uint64 [m], all edges of the nodes of this partition to smaller neighbours; in any order,
            with repetitions.

    Returns:
        ``ends`` and ``centres``, uint64, distinct edges with end > centre, ascending; how many edges were moved.
    """
    ends, centres, moved = star_kernels.small_star(*sort_pairs(_column(nodes), _column(neighbours)))
    return *unique_pairs(ends, centres), moved


def roots_of(keys: np.ndarray, ends: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The smallest key of each key's component, out of the edges of a round that moved none.

    Args:
        keys: uint64 [m], in any order; ends, centres: uint64 [e], ends ascending: all edges of the partition's nodes.

    Returns:
        uint64 [m]; a key without an edge of its own is its component's smallest.
    """
    if not len(ends):
        return _column(keys).copy()
    rows = np.minimum(np.searchsorted(ends, keys), len(ends) - 1)
    return np.where(ends[rows] == keys, centres[rows], keys)


def _column(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.uint64)
