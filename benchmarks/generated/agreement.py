"""How well found clusters agree with the true ones."""

from __future__ import annotations

import numpy as np


def adjusted_rand_index(truth: np.ndarray, found: np.ndarray) -> float:
    """The Rand index corrected for chance (Hubert and Arabie 1985): 1 for equal partitions, about 0 for unrelated ones.

    Args:
        truth, found: integer [n], the cluster of each document; only which ones are equal counts.

    Raises:
        ValueError: the two differ in length, or are empty.
    """
    if len(truth) != len(found) or not len(truth):
        raise ValueError(f"{len(truth)} true and {len(found)} found labels: give one of each for every document")
    true_ids, true_sizes = np.unique(truth, return_inverse=True)[1], np.unique(truth, return_counts=True)[1]
    found_ids, found_sizes = np.unique(found, return_inverse=True)[1], np.unique(found, return_counts=True)[1]
    _, both = np.unique(true_ids * len(found_sizes) + found_ids, return_counts=True)
    together, in_truth, in_found = (_pairs(sizes) for sizes in (both, true_sizes, found_sizes))
    expected = in_truth * in_found / _pairs(np.array([len(truth)])) if len(truth) > 1 else 0.0
    most = (in_truth + in_found) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def _pairs(sizes: np.ndarray) -> float:
    return float(np.sum(sizes.astype(np.float64) * (sizes - 1)) / 2)
