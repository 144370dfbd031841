"""Arrow columns of numbers as NumPy arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def vector(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A column of numbers without nulls [n]; a view where Arrow allows it."""
    return column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
