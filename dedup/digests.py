"""Digests: MinHash values cut to 16 bits, which is what travels and is compared in verification.

Two different values have one digest once in 65,536 times, so the estimate grows by less than 0.00002: nothing beside
its standard error of 0.04. Half the bytes move, and half are compared.
"""

from __future__ import annotations

import numpy as np

from dedup import digest_kernels
from dedup.banding import Banding


def digests(minima: np.ndarray) -> np.ndarray:
    """Cuts MinHash values to 16 bits that depend on all of theirs: uint32 [n, k] to uint16 [n, k]."""
    return digest_kernels.digests(np.ascontiguousarray(minima, np.uint32))


def equal_values(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray, values: int
) -> np.ndarray:
    """How many of the first values two documents share, pair by pair.

    Args:
        left, right: uint16 [l, at least values] and [r, at least values], digests.
        left_rows, right_rows: int64 [p], the row of each pair's documents in them.

    Returns:
        int32 [p].

    Raises:
        ValueError: a row is outside its matrix, fewer values are stored, or the columns differ in length.
    """
    if len(left_rows) != len(right_rows):
        raise ValueError(f"{len(left_rows)} left and {len(right_rows)} right rows: every pair has one of each")
    for rows, matrix in ((left_rows, left), (right_rows, right)):
        if matrix.shape[1] < values:
            raise ValueError(f"{values} values to compare, but {matrix.shape[1]} are stored")
        if len(rows) and not (int(np.min(rows)) >= 0 and int(np.max(rows)) < len(matrix)):
            raise ValueError(f"rows {int(np.min(rows))} to {int(np.max(rows))} are not all among {len(matrix)} given")
    return digest_kernels.equal_values(
        np.ascontiguousarray(left, np.uint16),
        np.ascontiguousarray(left_rows, np.int64),
        np.ascontiguousarray(right, np.uint16),
        np.ascontiguousarray(right_rows, np.int64),
        values,
    )


def shared_buckets(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray, banding: Banding
) -> tuple[np.ndarray, np.ndarray]:
    """The bands in which the documents of each pair agree, as buckets.

    The buckets are not those of ``banding.band_hashes``, which are made of whole values; but two documents share the
    one exactly if they share the other, up to a chance of 2^-16 to the power of the rows.

    Args:
        left, left_rows, right, right_rows: see ``equal_values``.

    Returns:
        ``pairs`` int64 [s], the number of the pair, ascending, and ``buckets`` uint64 [s]; one row a shared band.
    """
    return digest_kernels.shared_buckets(
        np.ascontiguousarray(left, np.uint16),
        np.ascontiguousarray(left_rows, np.int64),
        np.ascontiguousarray(right, np.uint16),
        np.ascontiguousarray(right_rows, np.int64),
        banding.bands,
        banding.rows,
    )
