"""Arrow text columns as flat NumPy views, and back, without touching a document in Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def text_buffers(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Views the text of a string column: document ``i`` is ``data[offsets[i]:offsets[i + 1]]``.

    Args:
        column: ``string`` or ``large_string``, sliced or chunked; nulls read as empty text.

    Returns:
        ``data`` uint8 [bytes] and ``offsets`` int64 [rows + 1]. Both are read-only views of Arrow memory wherever
        Arrow's layout allows it; ``offsets[0]`` need not be 0.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # pyarrow keeps zero chunks as a chunked array
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if column.null_count:
        column = column.fill_null("")
    if column.type != pa.large_string():
        column = column.cast(pa.large_string())
    if len(column) == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets_buffer, data_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[column.offset : column.offset + len(column) + 1]
    data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return data, offsets


def text_array(data: np.ndarray, offsets: np.ndarray) -> pa.LargeStringArray:
    """Wraps UTF-8 bytes and int64 offsets as a ``large_string`` array without copying; the bytes must be valid."""
    buffers = pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(np.ascontiguousarray(data))
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)
