# mypy: allow-untyped-defs
"""Cuts text into pieces with small tables instead of a chain of regular expressions.

There are two families of tables: ``class_kernels`` for chains of splits over classes, as DeepSeek LLM's, and
``pattern_kernels`` for regular expressions that ``automaton`` compiles. Whatever neither runs is marked elsewhere, text
by text. The counter and the encoder know only ``mark_pieces`` and ``next_mark``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from tokenizer.class_kernels import KINDS, mark_by_classes
from tokenizer.pattern_kernels import mark_by_pattern
from tokenizer.piece_kernels import trailing_zeros, word_at

# The families, ``classes[KINDS]``.
BY_CLASSES = 0
BY_PATTERN = 1
MARKED = 2

MARK_PADDING = 16  # bytes that ``marks`` must be longer than the longest document


class ScannerTables(NamedTuple):
    """What decides the pieces, three arrays of bytes so that one kernel serves every family.

    =========  ==========================  ==================================  ==============================
    field      BY_CLASSES                  BY_PATTERN                          MARKED
    =========  ==========================  ==================================  ==============================
    kinds      [0x110000], the kind of     the same; 0 is kept for the end     unused
               each code point
    windows    [4096], a verdict for       [65536], verdict << 6 | state       [bytes of the text], 1 where a
               three neighbouring kinds    behind                              piece starts
    classes    [KINDS], the class of each  see ``pattern_kernels``             unused
               kind
    =========  ==========================  ==================================  ==============================

    In all of them ``classes[KINDS]`` is the family. The index of ``windows`` is ``left << 8 | middle << 4 | right``
    by classes, ``middle << 12 | right << 8 | entry before`` by pattern.
    """

    kinds: np.ndarray
    windows: np.ndarray
    classes: np.ndarray


@njit(nogil=True, cache=True)
def mark_pieces(data, start, stop, kinds, windows, classes, marks):
    """Marks where pieces start.

    Args:
        data: uint8 [bytes], valid UTF-8.
        start, stop: the document; no piece reaches over its end.
        kinds, windows, classes: ``ScannerTables``.
        marks: uint8, at least ``stop - start + MARK_PADDING`` long; receives 1 where a piece starts and at the end,
            0 elsewhere.
    """
    marks[stop - start] = 1
    if start == stop:
        return
    if classes[KINDS] == MARKED:
        marks[: stop - start] = windows[start:stop]
        return
    marks[: stop - start] = 0
    if classes[KINDS] == BY_PATTERN:
        mark_by_pattern(data, start, stop, kinds, windows, classes[KINDS + 1 :], marks)
    else:
        mark_by_classes(data, start, stop, kinds, windows, classes, marks)


@njit(inline="always")
def next_mark(marks, position):
    """Index of the first mark at or behind ``position``."""
    while True:
        word = word_at(marks, position, 8)
        if word:
            return position + (trailing_zeros(word) >> 3)
        position += 8


@njit(nogil=True, cache=True)
def piece_ends(data, start, stop, kinds, windows, classes):
    """The end of every piece of ``data[start:stop]``, int64."""
    marks = np.empty(stop - start + MARK_PADDING, np.uint8)
    mark_pieces(data, start, stop, kinds, windows, classes, marks)
    out = np.empty(stop - start, np.int64)
    count = 0
    position = 0
    while position < stop - start:
        position = next_mark(marks, position + 1)
        out[count] = start + position
        count += 1
    return out[:count].copy()
