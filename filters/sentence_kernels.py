# mypy: allow-untyped-defs
"""How many sentences a line has, looking only at its end marks."""

from __future__ import annotations

from numba import njit

from filters.character_maps_kernels import CONTENT, END_MARKS, character, mark_of, plane
from filters.vocabulary import CLOSER, SOFT_END, WIDE_END
from text.bits import next_bit
from text.code_points import LOWER, SPACE, UPPER, WORD
from text.raw_memory import read_uint8


@njit
def _character_before(base, position, start):
    """Where the character before a position begins, or -1 at the start."""
    if position == start:
        return -1
    position -= 1
    while read_uint8(base + position) & 0xC0 == 0x80:
        position -= 1
    return position


@njit
def _is_initial(base, position, start, flags):
    """Whether a single upper-case letter stands before a position, as in "J. Smith"."""
    letter = _character_before(base, position, start)
    if letter < 0:
        return False
    _, _, flag = character(base + letter, flags)
    if not flag & WORD or not flag & UPPER:
        return False
    before = _character_before(base, letter, start)
    if before < 0:
        return True
    _, _, flag = character(base + before, flags)
    return not flag & WORD


@njit
def count_sentences(text, start, stop, flags, marks):
    """Counts the sentences between two positions of a text, neither of them in a space.

    A sentence ends behind a cluster of end marks, the closing marks that touch it and the spaces between its end marks,
    if a space follows or one of the marks is full-width; but not in "e.g. this", "J. Smith" and "3.14". Only what holds
    a letter, mark or number is a sentence.

    Args:
        text: a Text.
        start, stop: byte positions.
        flags: address of ``code_points().flags``.
        marks: address of ``Vocabulary.marks``.
    """
    sentences = 0
    content, end_marks = plane(text, CONTENT), plane(text, END_MARKS)
    begin = start  # of the open sentence
    position = next_bit(end_marks, start, stop)
    while position < stop:
        first_mark = position
        is_wide, is_dots, is_spaced = False, True, False
        goes_on = False
        while position < stop:
            point, size, flag = character(text.base + position, flags)
            mark = mark_of(point, marks)
            if mark & (SOFT_END | WIDE_END):
                is_wide |= (mark & WIDE_END) != 0
                is_dots &= point == 0x2E
                is_spaced = False
            elif flag & SPACE:
                is_spaced = True
            elif is_spaced or not mark & CLOSER:
                goes_on = (flag & LOWER) != 0
                break
            position += size
        if position >= stop:
            break
        if is_wide or (is_spaced and not (is_dots and (goes_on or _is_initial(text.base, first_mark, start, flags)))):
            sentences += next_bit(content, begin, position) < position
            begin = position
        position = next_bit(end_marks, position, stop)
    return sentences + (next_bit(content, begin, stop) < stop)
