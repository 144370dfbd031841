# mypy: allow-untyped-defs
"""Counting words for fertility, and characters for coverage."""

from __future__ import annotations

import numpy as np
from numba import njit

from text.code_points import UNSEGMENTED, WORD
from text.utf8_kernels import decode


@njit(nogil=True, cache=True)
def count_words(data, offsets, flags):
    """Words per document, int64: runs of letters, marks and numbers; in scripts without spaces every character is one.

    ``data`` and ``offsets`` are a text column, ``flags`` the table of ``text.code_points``.
    """
    counts = np.zeros(len(offsets) - 1, np.int64)
    for row in range(len(counts)):
        position = offsets[row]
        inside = False
        while position < offsets[row + 1]:
            point, position = decode(data, position)
            flag = flags[point]
            if flag & UNSEGMENTED:
                counts[row] += 1
                inside = False
            elif flag & WORD:
                if not inside:
                    counts[row] += 1
                inside = True
            else:
                inside = False
    return counts


@njit(nogil=True, cache=True)
def count_characters(data, offsets):
    """How often each code point occurs in a text column: int64 [0x110000]."""
    counts = np.zeros(0x110000, np.int64)
    position = offsets[0]
    while position < offsets[-1]:
        point, position = decode(data, position)
        counts[point] += 1
    return counts
