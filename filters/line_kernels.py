# mypy: allow-untyped-defs
"""One line of a mapped text: what its words, marks, sentences and listed phrases add up to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from filters.character_maps_kernels import (
    BRACES,
    BRACKETS,
    CONTENT,
    LEADS,
    LETTERS,
    NEWLINES,
    STARTS,
    SUSPECTS,
    UPPERS,
    character,
    mark_of,
    plane,
)
from filters.phrases import CLASSES, MATCH
from filters.sentence_kernels import count_sentences
from filters.vocabulary import BULLET, LONGEST_COUNTED, TERMINAL, counted_key, counted_slot
from filters.word_kernels import Words, scan_words
from text.bits import count_bits, next_bit
from text.code_points import LETTER, NUMBER
from text.raw_memory import address_of, read_uint8, read_uint16, read_uint32, read_uint64

SHORT_CHARACTERS = 30  # FineWeb: "lines shorter than 30 characters"; its code counts 30 itself


class Tables(NamedTuple):
    """Addresses of what lines are compared with: ``code_points().flags`` and the parts of ``vocabulary()``."""

    flags: int
    listed: int
    counted: int
    marks: int
    byte_class: int
    following: int
    matched: int


@njit
def tables_of(flags, vocabulary):
    """The addresses of tables that the caller holds."""
    phrases = vocabulary.phrases
    return Tables(
        address_of(flags),
        address_of(vocabulary.listed),
        address_of(vocabulary.counted),
        address_of(vocabulary.marks),
        address_of(phrases.byte_class),
        address_of(phrases.following),
        address_of(phrases.matched),
    )


class Line(NamedTuple):
    """What is known of a line. A blank one has ``first`` -1, and nothing else but ``stop`` says anything."""

    first: int  # byte position of the first character that is not a space
    last: int  # behind the last one
    stop: int  # of the line feed or the text's end
    characters: int  # from the first to the last
    words: Words
    letters: int
    upper_case: int
    sentences: int
    curly_braces: int
    brackets: int
    javascript: int
    lorem_ipsum: int
    policy: int
    last_character: int  # code point
    is_bullet: bool
    is_terminal: bool
    ends_in_dots: bool  # three
    has_number: bool  # asked only of lines without letters
    is_counter: bool  # a number and a counted noun


@njit
def _phrases(address, stop, tables):
    """Occurrences of each group of phrases between two addresses."""
    javascript = lorem_ipsum = policy = 0
    state = np.uint64(0)
    for position in range(address, stop):
        column = read_uint64(tables.byte_class + 8 * np.int64(read_uint8(position)))
        state = np.uint64(read_uint32(tables.following + 4 * np.int64(state + column)))
        if state >= MATCH:
            state -= MATCH
            found = tables.matched + 6 * np.int64(state // CLASSES)
            javascript += read_uint16(found)
            lorem_ipsum += read_uint16(found + 2)
            policy += read_uint16(found + 4)
    return javascript, lorem_ipsum, policy


@njit
def _has_number(text, start, stop, flags):
    """Whether there is a number that is no letter."""
    content = plane(text, CONTENT)
    position = next_bit(content, start, stop)
    while position < stop:
        _, _, flag = character(text.base + position, flags)
        if flag & NUMBER and not flag & LETTER:
            return True
        position = next_bit(content, position + 1, stop)
    return False


@njit
def _is_counter(text, words, counted):
    """Whether a line of two words is a number and a counted noun."""
    if words.words != 2 or words.content_words != 2:
        return False
    if not 0x30 <= read_uint8(text.base + words.first_start) <= 0x39:
        return False
    if words.last_stop - words.last_start > LONGEST_COUNTED:
        return False
    key = counted_key(text.base + words.last_start, text.base + words.last_stop)
    slot = counted_slot(key)
    while read_uint64(counted + 8 * slot) != 0:
        if read_uint64(counted + 8 * slot) == key:
            return True
        slot = (slot + 1) & 255
    return False


@njit
def scan_line(text, start, tables, record, recorded):
    """Looks at the line that begins at a position.

    Args:
        text: a Text whose characters are mapped.
        start: byte position of the line.
        tables: Tables.
        record: a Record for the words, and
        recorded: words of the text before this line.

    Returns:
        Line.
    """
    stop = next_bit(plane(text, NEWLINES), start, text.size)
    first = next_bit(plane(text, STARTS), start, stop)
    if first == stop:
        nothing = Words(0, 0, start, 0, 0, 0, 0, 0, np.uint64(0), -1, -1, -1)
        return Line(-1, -1, stop, 0, nothing, 0, 0, 0, 0, 0, 0, 0, 0, 0, False, False, False, False, False)
    words = scan_words(text, first, stop, tables.listed, record, recorded)
    last = words.stop
    base = text.base
    letters = count_bits(plane(text, LETTERS), first, last)
    javascript = lorem_ipsum = policy = 0
    if next_bit(plane(text, SUSPECTS), first, last) < last:
        javascript, lorem_ipsum, policy = _phrases(base + first, base + last, tables)
    point, _, _ = character(base + first, tables.flags)
    end = last - 1
    while read_uint8(base + end) & 0xC0 == 0x80:
        end -= 1
    end_point, _, _ = character(base + end, tables.flags)
    dots = (
        end_point == 0x2E
        and end >= first + 2
        and read_uint8(base + end - 1) == 0x2E
        and read_uint8(base + end - 2) == 0x2E
    )
    return Line(
        first,
        last,
        stop,
        count_bits(plane(text, LEADS), first, last),
        words,
        letters,
        count_bits(plane(text, UPPERS), first, last),
        count_sentences(text, first, last, tables.flags, tables.marks),
        count_bits(plane(text, BRACES), first, last),
        count_bits(plane(text, BRACKETS), first, last),
        javascript,
        lorem_ipsum,
        policy,
        end_point,
        (mark_of(point, tables.marks) & BULLET) != 0,
        (mark_of(end_point, tables.marks) & TERMINAL) != 0,
        dots,
        letters == 0 and _has_number(text, first, last, tables.flags),
        _is_counter(text, words, tables.counted),
    )
