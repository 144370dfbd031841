# mypy: allow-untyped-defs
"""Walks the automaton that ``automaton`` compiles from regular expressions, one table look-up a character.

``steps`` holds two tables of a byte for each state and kind (``state << 4 | kind``), behind each other. The first says
whether a piece may end before a character of that kind (bit 0), and the state behind it if the piece goes on (0 where
it cannot); the second the state behind it if it starts a piece.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tokenizer.class_kernels import APART, LOOK_AHEAD, TOGETHER, kind_at


@njit(nogil=True, cache=True)
def _entry_ahead(data, position, stop, state, kind, kinds, steps):
    """The entry for a character of ``kind`` before ``position`` that starts a piece unless a longer match comes.

    Looks no farther than to the next match, or to where the automaton dies.
    """
    going_on = np.int64(steps[state << 4 | kind]) >> 1
    ahead = going_on
    following = np.int64(-1)
    while following != 0:
        following = 0
        if position < stop:
            following, position = kind_at(data, position, kinds)
        step = np.int64(steps[ahead << 4 | following])
        if step & 1:
            return TOGETHER << 6 | going_on
        ahead = step >> 1
        if ahead == 0:
            break
    return APART << 6 | np.int64(steps[(len(steps) >> 1) + (state << 4 | kind)])


@njit(nogil=True, cache=True)
def mark_by_pattern(data, start, stop, kinds, entries, steps, marks):
    """As ``scanner_kernels.mark_pieces`` for a text that is not empty."""
    position = start
    kind, after = kind_at(data, start, kinds)
    window = kind
    entry = np.uint8(0)
    while position < stop:
        following = after
        kind = 0
        if after < stop:
            kind, following = kind_at(data, after, kinds)
        window = (window << 4 | kind) & 0xFF
        before = np.int64(entry)
        entry = entries[window << 8 | before]
        if entry >= LOOK_AHEAD << 6:
            entry = np.uint8(_entry_ahead(data, after, stop, before & 63, window >> 4, kinds, steps))
        marks[position - start] = entry >> 6
        position = after
        after = following
