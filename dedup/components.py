"""Connected components of document pairs, by union-find in the memory of one machine.

Roots are linked towards the smaller key, and finding halves paths (Tarjan and van Leeuwen 1984), so nothing recurses
and a chain of millions of documents costs no more than a star. Memory: about 130 bytes a pair while it runs.
"""

from __future__ import annotations

import numpy as np

from dedup import component_kernels


def components(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Components of a graph given by its edges, in any order and direction, with repetitions.

    Args:
        left, right: uint64 [p], keys of documents.

    Returns:
        ``keys`` uint64 [d], the distinct keys of the edges, ascending; ``roots`` uint64 [d], the smallest key of each
        one's component.
    """
    keys, left_rows, right_rows = dense_edges(left, right)
    parents, _ = component_kernels.union(len(keys), left_rows, right_rows)
    return keys, keys[component_kernels.roots(parents)]


def dense_edges(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers the keys of edges: ascending distinct keys uint64 [d], and int64 [p] positions of left and right in it.

    Raises:
        ValueError: the columns differ in length.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} left and {len(right)} right keys: every pair has one of each")
    keys, rows = component_kernels.number(np.concatenate((np.asarray(left, np.uint64), np.asarray(right, np.uint64))))
    return keys, rows[: len(left)], rows[len(left) :]
