# mypy: allow-untyped-defs
"""Copying text with some spans of it replaced."""

from __future__ import annotations

import numpy as np
from numba import njit

_HASH = np.uint8(ord("#"))
_ZERO = np.uint64(ord("0"))
_TEN = np.uint64(10)


@njit(nogil=True, cache=True)
def replace_spans(data, offsets, documents, starts, ends, choices, values, words, word_offsets):
    """Copies documents with spans replaced; see ``filters.spans.replaced``.

    Args:
        data, offsets: uint8 [bytes] and int64 [n + 1], the documents.
        documents, starts, ends: int64 [s], as in ``filters.spans.Spans``.
        choices: int64 [s], the replacement of each span.
        values: uint64 [s], what digits are drawn from.
        words, word_offsets: uint8 and int64 [r + 1], the replacements.

    Returns:
        uint8 [bytes] and int64 [n + 1], the documents anew.
    """
    rows = len(offsets) - 1
    size = offsets[rows] - offsets[0]
    for span in range(len(starts)):
        choice = choices[span]
        size += word_offsets[choice + 1] - word_offsets[choice] - (ends[span] - starts[span])
    out = np.empty(size, np.uint8)
    out_offsets = np.zeros(rows + 1, np.int64)
    at = 0
    span = 0
    for row in range(rows):
        position = offsets[row]
        while span < len(starts) and documents[span] == row:
            start = offsets[row] + starts[span]
            out[at : at + start - position] = data[position:start]
            at += start - position
            position = offsets[row] + ends[span]
            value = values[span]
            for i in range(word_offsets[choices[span]], word_offsets[choices[span] + 1]):
                byte = words[i]
                if byte == _HASH:
                    byte = np.uint8(_ZERO + value % _TEN)
                    value //= _TEN
                out[at] = byte
                at += 1
            span += 1
        stop = offsets[row + 1]
        out[at : at + stop - position] = data[position:stop]
        at += stop - position
        out_offsets[row + 1] = at
    return out, out_offsets
