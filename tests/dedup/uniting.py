"""Components by themselves, out of the kernels with which ``dedup.policies`` makes clusters."""

from __future__ import annotations

import numpy as np

from dedup import component_kernels
from dedup.pair_graph import graph_of


def components(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Components of a graph given by its edges, in any order and direction, with repetitions.

    Args:
        left, right: uint64 [p], keys of documents.

    Returns:
        ``keys`` uint64 [d], the distinct keys of the edges, ascending; ``roots`` uint64 [d], the smallest key of each
        one's component.

    Raises:
        ValueError: the columns differ in length.
    """
    graph = graph_of(left, right)
    parents = component_kernels.union(len(graph.keys), graph.earlier, graph.later)
    return graph.keys, graph.keys[component_kernels.roots(parents)]
