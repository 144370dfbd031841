"""A bounded, one-line sample of each document: what a model reads when a whole document would take too long."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.samples_kernels import sample_lines
from text.arrow_buffers import text_buffers


def line_samples(texts: pa.Array | pa.ChunkedArray, sample_bytes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Takes the beginning and the middle of each document, as one line.

    Half of the sample comes from the beginning, half from the middle, which is less often a menu or a notice. Samples
    are cut between characters, and within 64 bytes between words where there is a space.

    Args:
        texts: ``string`` or ``large_string`` [n]; nulls read as empty.
        sample_bytes: the most bytes to take, at least 16; None takes whole documents.

    Returns:
        ``data`` uint8 and ``offsets`` int64 [n + 1]: UTF-8 in which control characters, line ends and
        no-break spaces are spaces (as many as they had bytes).

    Raises:
        ValueError: fewer than 16 sample bytes.
    """
    if sample_bytes is not None and sample_bytes < 16:
        raise ValueError(f"a sample of {sample_bytes} bytes is too small; take at least 16, or none to read all")
    data, offsets = text_buffers(texts)
    return sample_lines(data, offsets, np.iinfo(np.int64).max if sample_bytes is None else sample_bytes)
