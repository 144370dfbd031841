# mypy: allow-untyped-defs
"""Cuts text by the classes of neighbouring characters, instead of by a chain of regular expressions.

A chain of "isolated" splits over character classes decides each boundary from the classes of the two characters that
meet there, except before white space, where what follows matters: the character after it (white space attaches to the
word or the punctuation behind it) and whether the white space runs to the end of its piece. So a table over the kinds
of three neighbours, ``windows``, answers for almost every position without a branch, and ``_space_starts_piece`` for
the rest, looking ahead only as far as the white space goes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from text.utf8_kernels import decode

# Bits of ``classes``: what a code point is to the seven steps. One code point may have several.
NEWLINE = 1  # step 1
CASED = 2  # class L, step 2
PUNCTUATION = 4  # class P, step 3
ISOLATED = 8  # class C, step 5
NUMBER = 16  # step 6
SPACE = 32  # \s without the line breaks, which step 1 has taken out before \s is looked at

# Values of ``windows``: does a piece start at the middle one of three neighbours?
TOGETHER = 0
APART = 1
LOOK_AHEAD = 2

# A code point's kind is the number of its class among those in use, so that three kinds fit twelve bits. Kind 0 is a
# line break; so is what lies outside the document.
KINDS = 16


@njit(inline="always")
def kind_at(data, position, kinds):
    byte = data[position]
    if byte < 0x80:
        return np.int64(kinds[byte]), position + 1
    point, after = decode(data, position)
    return np.int64(kinds[point]), after


@njit(inline="always")
def _class_at(data, position, kinds, classes):
    kind, after = kind_at(data, position, kinds)
    return classes[kind], after


@njit(nogil=True, cache=True)
def _space_starts_piece(data, after, stop, left, space, kinds, classes):
    """Whether a piece starts at a white-space character that ``windows`` leaves open.

    ``left`` and ``space`` are the classes of the character before and of the white space; ``after`` is the index
    behind it. Every position is looked at by at most one run, so a text of white space alone still costs linear time.
    """
    following = 0
    if after < stop:
        following, behind = _class_at(data, after, kinds, classes)
        if following & CASED:
            return True  # step 2 takes it as the \s? of a word
        if following & PUNCTUATION and not space & PUNCTUATION:
            # Step 3 takes it, unless step 2 has cut the punctuation off (U+3000 is both white space and punctuation).
            taken = False
            if following & SPACE and behind < stop:
                beyond, _ = _class_at(data, behind, kinds, classes)
                taken = beyond & CASED != 0
            if not taken:
                return True
    if left & SPACE:
        return False  # inside a run of white space that no step has cut
    # Step 4: the run starts a piece when it reaches the end of what steps 1-3 have left together.
    current = space
    while after < stop:
        following, behind = _class_at(data, after, kinds, classes)
        if following & NEWLINE or (current & PUNCTUATION and not following & PUNCTUATION):
            return True
        if not following & SPACE:
            return False
        if behind < stop:
            beyond, further = _class_at(data, behind, kinds, classes)
            if beyond & CASED:
                return True
            if not following & PUNCTUATION and beyond & PUNCTUATION:
                taken = False
                if beyond & SPACE and further < stop:
                    last, _ = _class_at(data, further, kinds, classes)
                    taken = last & CASED != 0
                if not taken:
                    return True
        current = following
        after = behind
    return True


@njit(nogil=True, cache=True)
def mark_by_classes(data, start, stop, kinds, windows, classes, marks):
    """As ``scanner_kernels.mark_pieces`` for a text that is not empty."""
    position = start
    kind, after = kind_at(data, start, kinds)
    window = kind
    while position < stop:
        following = after
        kind = 0
        if after < stop:
            kind, following = kind_at(data, after, kinds)
        window = (window << 4 | kind) & 0xFFF
        verdict = windows[window]
        if verdict == LOOK_AHEAD:
            left = classes[window >> 8]
            space = classes[window >> 4 & 15]
            verdict = np.uint8(_space_starts_piece(data, after, stop, left, space, kinds, classes))
        marks[position - start] = verdict
        position = after
        after = following
