# mypy: allow-untyped-defs
"""Cuts text into pieces with two small tables instead of a chain of regular expressions.

A chain of "isolated" splits over character classes decides each boundary from the classes of the two characters that
meet there, except before white space, where what follows matters: the character after it (white space attaches to the
word or the punctuation behind it) and whether the white space runs to the end of its piece. So ``pairs`` answers for
almost every position, and ``_space_starts_piece`` for the rest, looking ahead only as far as the white space goes.
"""

from __future__ import annotations

from numba import njit

from text.utf8_kernels import decode

# Bits of ``classes``: what a code point is to the seven steps. One code point may have several.
NEWLINE = 1  # step 1
CASED = 2  # class L, step 2
PUNCTUATION = 4  # class P, step 3
ISOLATED = 8  # class C, step 5
NUMBER = 16  # step 6
SPACE = 32  # \s without the line breaks, which step 1 has taken out before \s is looked at

# Values of ``pairs[left << 6 | right]``.
TOGETHER = 0
APART = 1
LOOK_AHEAD = 2


@njit(inline="always")
def _class_at(data, position, classes):
    byte = data[position]
    if byte < 0x80:
        return classes[byte], position + 1
    point, after = decode(data, position)
    return classes[point], after


@njit(nogil=True, cache=True)
def _space_starts_piece(data, after, stop, left, space, classes):
    """Whether a piece starts at a white-space character that ``pairs`` leaves open.

    ``left`` and ``space`` are the classes of the character before and of the white space; ``after`` is the index
    behind it. Every position is looked at by at most one run, so a text of white space alone still costs linear time.
    """
    following = 0
    if after < stop:
        following, behind = _class_at(data, after, classes)
        if following & CASED:
            return True  # step 2 takes it as the \s? of a word
        if following & PUNCTUATION and not space & PUNCTUATION:
            # Step 3 takes it, unless step 2 has cut the punctuation off (U+3000 is both white space and punctuation).
            taken = False
            if following & SPACE and behind < stop:
                beyond, _ = _class_at(data, behind, classes)
                taken = beyond & CASED != 0
            if not taken:
                return True
    if left & SPACE:
        return False  # inside a run of white space that no step has cut
    # Step 4: the run starts a piece when it reaches the end of what steps 1-3 have left together.
    current = space
    while after < stop:
        following, behind = _class_at(data, after, classes)
        if following & NEWLINE or (current & PUNCTUATION and not following & PUNCTUATION):
            return True
        if not following & SPACE:
            return False
        if behind < stop:
            beyond, further = _class_at(data, behind, classes)
            if beyond & CASED:
                return True
            if not following & PUNCTUATION and beyond & PUNCTUATION:
                taken = False
                if beyond & SPACE and further < stop:
                    last, _ = _class_at(data, further, classes)
                    taken = last & CASED != 0
                if not taken:
                    return True
        current = following
        after = behind
    return True


@njit(inline="always")
def piece_end(data, start, stop, classes, pairs):
    """Index behind the piece that starts at ``start``.

    Args:
        data: uint8 [bytes], valid UTF-8.
        start: first byte of a piece.
        stop: end of the document; pieces never reach over it.
        classes: uint8 [0x110000], this module's bits or-ed per code point.
        pairs: uint8 [4096], see ``pretokenizers.pair_table``.
    """
    left, position = _class_at(data, start, classes)
    while position < stop:
        right, after = _class_at(data, position, classes)
        verdict = pairs[(left << 6) | right]
        if verdict != TOGETHER and (verdict == APART or _space_starts_piece(data, after, stop, left, right, classes)):
            break
        left = right
        position = after
    return position


@njit(nogil=True, cache=True)
def piece_ends(data, start, stop, classes, pairs, out):
    """Writes the end of every piece of ``data[start:stop]`` to ``out`` (int64, at least ``stop - start`` long).

    Returns how many pieces there are.
    """
    count = 0
    while start < stop:
        start = piece_end(data, start, stop, classes, pairs)
        out[count] = start
        count += 1
    return count
