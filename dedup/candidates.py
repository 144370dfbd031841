"""Candidate pairs: documents that share a bucket, linked by linear many pairs whatever the size of the bucket.

A bucket is one value of a band or content hash. All its pairs would be quadratic; a star has one pair per document and
the same connected component. The star has two levels, after the dump in the key: every document is linked to the
smallest key of its own dump, and that one to the smallest key of the bucket. Each is also linked to the one before it:
where verification refuses a centre that met the others by chance, the copies among them still find each other. So the
pairs within any one dump connect what deduplicating that dump alone would connect, the pairs within any first dumps
what those would, and one set of pairs serves global, per-dump and prefix rates exactly.
"""

from __future__ import annotations

import numpy as np

from dedup import candidate_kernels
from dedup.radix_kernels import sort_pairs

DUMP_SHIFT = 52  # the dump index is the key's top 12 bits


def dump_of(keys: np.ndarray) -> np.ndarray:
    """The dump index of each document key: uint64 [...] to int64 [...]."""
    return (np.asarray(keys, np.uint64) >> np.uint64(DUMP_SHIFT)).astype(np.int64)


def partition_of(hashes: np.ndarray, partitions: int) -> np.ndarray:
    """The partition [0, partitions) of each band or content hash: uint64 [...] to int64 [...], by its top 32 bits.

    Raises:
        ValueError: there is no partition, or more than 2^31.
    """
    if not 1 <= partitions <= 2**31:
        raise ValueError(f"partitions = {partitions}: give a number from 1 to {2**31}")
    top = np.asarray(hashes, np.uint64) >> np.uint64(32)
    return ((top * np.uint64(partitions)) >> np.uint64(32)).astype(np.int64)


def candidate_pairs(keys: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Links the documents of each bucket by a two-level star and a chain.

    Args:
        keys: uint64 [m], document keys; a key may stand under many hashes, and twice under the same one.
        hashes: uint64 [m], its band or content hashes, all those of one partition.

    Returns:
        ``left`` and ``right``, uint64: pairs with left < right, by bucket and then by right; fewer than two for each
        document of a bucket. The same whatever the order of the rows. Linear time and memory.
    """
    hashes, keys = sort_pairs(_column(hashes), _column(keys))
    return candidate_kernels.stars(hashes, keys)


def unique_pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of two uint64 columns, ascending by left and then right."""
    left, right = sort_pairs(_column(left), _column(right))
    new = np.ones(len(left), bool)
    new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[new], right[new]


def _column(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.uint64)
