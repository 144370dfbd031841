"""Messages: columns of numbers packed into bytes for a shuffle.

An engine holds and copies what it shuffles several times over, so a message is made small: sorted keys become
differences, equal bytes of neighbours come together, and zstd takes what that leaves.
"""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa

_CODEC = pa.Codec("zstd", compression_level=1)


def pack(*columns: np.ndarray) -> bytes:
    """Packs integer or float arrays of any shapes."""
    return pickle.dumps([_packed(np.ascontiguousarray(column)) for column in columns], protocol=5)


def unpack(message: bytes) -> tuple[np.ndarray, ...]:
    """The columns of a message."""
    return tuple(_unpacked(*packed) for packed in pickle.loads(message))


def _packed(column: np.ndarray) -> tuple[str, tuple[int, ...], bool, bytes]:
    raw = column.tobytes()
    if column.ndim == 1 and column.dtype.kind in "iu":
        steps = np.diff(column, prepend=column.dtype.type(0)) if len(column) else column  # wraps around, and back again
        planes = np.ascontiguousarray(steps.view(np.uint8).reshape(-1, column.itemsize).T)
        small = _CODEC.compress(planes.tobytes(), asbytes=True)
        if len(small) < 0.9 * len(raw):
            return column.dtype.str, column.shape, True, small
    return column.dtype.str, column.shape, False, raw


def _unpacked(dtype: str, shape: tuple[int, ...], compressed: bool, data: bytes) -> np.ndarray:
    if not compressed:
        return np.frombuffer(data, dtype).reshape(shape)
    kind = np.dtype(dtype)
    planes = np.frombuffer(_CODEC.decompress(data, shape[0] * kind.itemsize, asbytes=True), np.uint8)
    steps = np.ascontiguousarray(planes.reshape(kind.itemsize, -1).T).view(kind).reshape(-1)
    return np.cumsum(steps, dtype=kind)
