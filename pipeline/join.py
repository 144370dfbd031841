"""Joining parts by key: what one stage says of documents with what another says. Keys are sorted within a part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.arrays import vector


def matching_rows(keys: pa.Array, wanted: pa.Array) -> pa.Array:
    """Which keys are among the wanted ones: bool [n]. Both uint64; ``wanted`` sorted."""
    return pa.array(found_rows(vector(keys), vector(wanted))[1])


def rows_of(keys: pa.Array | np.ndarray, table_keys: np.ndarray) -> np.ndarray:
    """Row of each key in a sorted key column: int64 [n].

    Raises:
        KeyError: a key is not there.
    """
    wanted = keys if isinstance(keys, np.ndarray) else vector(keys)
    rows, found = found_rows(wanted, table_keys)
    if not found.all():
        raise KeyError(f"{int((~found).sum())} documents are missing in a part, the first is {wanted[~found][0]}")
    return rows


def found_rows(keys: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of each key in a sorted key column, int64 [n], and whether it is there, bool [n]; both uint64."""
    if len(among) == 0:
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
    rows = np.minimum(np.searchsorted(among, keys), len(among) - 1)
    return rows, among[rows] == keys
