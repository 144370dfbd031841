"""Spans of text that are found in documents, and text in which they are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import spans_kernels
from text.arrow_buffers import text_array, text_buffers


class Spans(NamedTuple):
    """Spans in the order of the text; no two overlap.

    Attributes:
        documents: int64 [s], the row of the document, ascending.
        starts, ends: int64 [s], in bytes of the document's text.
        kinds: int64 [s], what was found there; its meaning is the finder's.
        values: uint64 [s], a hash of what stands there, the same for the same thing; 0 where nobody asks.
    """

    documents: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    values: np.ndarray


def replaced(texts: pa.Array | pa.ChunkedArray, spans: Spans, replacements: Sequence[str]) -> pa.Array:
    """Text with each span replaced.

    Args:
        texts: ``string`` or ``large_string`` [n].
        spans: of these texts.
        replacements: by kind. Each ``#`` in it becomes a decimal digit that follows from the span's value.

    Returns:
        ``large_string`` [n]; ``texts`` itself where there is nothing to replace.
    """
    if len(spans.starts) == 0:
        return texts
    data, offsets = text_buffers(texts)
    words, word_offsets = text_buffers(pa.array(replacements, pa.large_string()))
    documents, starts, ends, kinds, values = spans
    out = spans_kernels.replace_spans(data, offsets, documents, starts, ends, kinds, values, words, word_offsets)
    return text_array(*out)
