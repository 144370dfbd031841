# mypy: allow-untyped-defs
"""Copying bounded samples of documents."""

from __future__ import annotations

import numpy as np
from numba import njit

_NEAR = 64  # bytes to look for a space in before a cut


@njit(nogil=True, cache=True)
def cut_before(data, low, position):
    """The nearest place at or before ``position``, but behind ``low``, where text may be cut.

    Behind a space within 64 bytes if there is one, else between two characters.
    """
    i = position
    while i > low and position - i < _NEAR:
        if data[i - 1] <= 0x20:
            return i
        i -= 1
    i = position
    while i > low and (data[i] & 0xC0) == 0x80:
        i -= 1
    return i


@njit(nogil=True, cache=True)
def _copy(data, start, stop, out, written):
    for i in range(start, stop):
        byte = data[i]
        if byte == 0xA0 and i > start and data[i - 1] == 0xC2:  # U+00A0 joins words to a model that cuts at spaces
            out[written - 1] = 0x20
            byte = 0x20
        out[written] = 0x20 if byte < 0x20 or byte == 0x7F else byte
        written += 1
    return written


@njit(nogil=True, cache=True)
def sample_lines(data, offsets, sample_bytes):
    """Samples each document, see ``filters.samples.line_samples``; returns ``data`` and ``offsets``."""
    documents = len(offsets) - 1
    total = np.int64(0)
    for d in range(documents):
        total += min(offsets[d + 1] - offsets[d], sample_bytes)
    out = np.empty(total, np.uint8)
    out_offsets = np.zeros(documents + 1, np.int64)
    written = np.int64(0)
    for d in range(documents):
        start, stop = offsets[d], offsets[d + 1]
        if stop - start <= sample_bytes:
            written = _copy(data, start, stop, out, written)
        else:
            half = sample_bytes // 2
            head = cut_before(data, start, start + half)
            written = _copy(data, start, head, out, written)
            middle = cut_before(data, head, start + (stop - start) // 2)
            # One byte stays for the space between the two parts.
            end = cut_before(data, middle, min(stop - 1, middle + half - 1))
            if end > middle:
                out[written] = 0x20
                written = _copy(data, middle, end, out, written + 1)
        out_offsets[d + 1] = written
    return out[:written].copy(), out_offsets
