# mypy: allow-untyped-defs
"""Rules that drop a line, and the copy of documents without such lines."""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.character_maps_kernels import Text, map_characters
from filters.line_kernels import scan_line, tables_of
from filters.word_kernels import Record
from text.bits import lowest
from text.raw_memory import address_of, read_float64, read_int32, read_uint8, write_uint8

# Columns of a line-rule row (float64).
MAX_WORD_CHARACTERS = 0  # 0 switches a rule off
REQUIRE_END_MARK = 1
REFUSE_ELLIPSIS = 2
MIN_WORDS = 3
DROP_JAVASCRIPT = 4
DROP_POLICY = 5
REMOVE_CITATIONS = 6
MAX_UPPER_FRACTION = 7  # 1 switches it off
DROP_NUMERIC = 8
DROP_COUNTERS = 9
KEEP_BLANK_LINES = 10
RULE_COLUMNS = 11

KEEP, LONG_WORD, NO_END_MARK, FEW_WORDS, SAYS_JAVASCRIPT, SAYS_POLICY, UPPER_LINE, NUMERIC_LINE, COUNTER_LINE = range(9)


@njit
def _starts_with(address, stop, expected):
    if stop - address < len(expected):
        return False
    for i in range(len(expected)):  # noqa: SIM110 (numba knows no all() over generators)
        if read_uint8(address + i) != expected[i]:
            return False
    return True


@njit
def without_citations(start, stop, out):
    """Copies the bytes between two addresses to ``out`` without ``[12]``, ``[]``, ``[edit]``, ``[citation needed]``.

    Returns:
        The bytes written, at most ``stop - start``.
    """
    written = out
    position = start
    while position < stop:
        byte = read_uint8(position)
        if byte == 0x5B:
            behind = position + 1
            while behind < stop and 0x30 <= read_uint8(behind) <= 0x39:
                behind += 1
            if behind < stop and read_uint8(behind) == 0x5D:
                position = behind + 1
                continue
            if _starts_with(position + 1, stop, b"edit]"):
                position += 6
                continue
            if _starts_with(position + 1, stop, b"citation needed]"):
                position += 17
                continue
        write_uint8(written, byte)
        written += 1
        position += 1
    return written - out


@njit(inline="always")
def judge_line(line, longest_word, rules, end_marks, mark_count):
    """Says which rule of a set drops a line, in the order of TFDS' ``c4_utils.py``, then RefinedWeb's table 2.

    Args:
        line: a Line that is not blank.
        longest_word: characters of its longest word; before citations were removed, if they were.
        rules: address of float64 [RULE_COLUMNS].
        end_marks: address of int32 [mark_count], code points that may end a line; padded with -1.

    Returns:
        KEEP or the code of the first rule that drops it.
    """
    ends = False
    for i in range(mark_count):
        ends |= line.last_character == read_int32(end_marks + 4 * i)
    ends &= not (line.ends_in_dots and rule(rules, REFUSE_ELLIPSIS) > 0)
    limit = rule(rules, MAX_WORD_CHARACTERS)
    # A bit a rule that drops it: which one does is hard to guess for a processor.
    reasons = (
        np.int64((limit > 0) & (longest_word > limit)) << LONG_WORD
        | np.int64((rule(rules, REQUIRE_END_MARK) > 0) & (not ends)) << NO_END_MARK
        | np.int64(line.words.words < rule(rules, MIN_WORDS)) << FEW_WORDS
        | np.int64((line.javascript > 0) & (rule(rules, DROP_JAVASCRIPT) > 0)) << SAYS_JAVASCRIPT
        | np.int64((line.policy > 0) & (rule(rules, DROP_POLICY) > 0)) << SAYS_POLICY
        | np.int64(line.upper_case > rule(rules, MAX_UPPER_FRACTION) * line.letters) << UPPER_LINE
        | np.int64(line.has_number & (rule(rules, DROP_NUMERIC) > 0)) << NUMERIC_LINE
        | np.int64(line.is_counter & (rule(rules, DROP_COUNTERS) > 0)) << COUNTER_LINE
    )
    return lowest(np.uint64(reasons)) if reasons else KEEP


@njit
def rule(rules, column):
    """A value of the row of rules at an address."""
    return read_float64(rules + 8 * column)


@njit(nogil=True, cache=True)
def edit_documents(data, offsets, flags, vocabulary, rules, end_marks, scratch, out):
    """Writes every document's kept lines, stripped and joined by line feeds.

    Args:
        data: uint8 [bytes] and
        offsets: int64 [n + 1], see ``text_buffers``.
        flags: uint16 [0x110000], ``code_points().flags``.
        vocabulary: ``filters.vocabulary.vocabulary()``.
        rules: float64 [1, RULE_COLUMNS] and
        end_marks: int32 [1, marks], see ``judge_line``.
        scratch: ``filters.scratch.Scratch`` for the longest document.
        out: uint8, as many bytes as the documents.

    Returns:
        int64 [n + 1], the offsets in ``out``, from 0.
    """
    documents = len(offsets) - 1
    tables = tables_of(flags, vocabulary)
    row, marks = address_of(rules), address_of(end_marks)
    record = Record(0, 0, 0)
    copy, stride = address_of(scratch.copy), scratch.stride
    target = address_of(out)
    readable = address_of(data) + len(data)
    out_offsets = np.zeros(documents + 1, np.int64)
    written = np.int64(0)
    for d in range(documents):
        begin = written
        blank = False
        text = Text(
            address_of(data) + offsets[d], offsets[d + 1] - offsets[d], readable, address_of(scratch.maps), stride
        )
        map_characters(text, tables.flags, tables.marks, address_of(scratch.tail))
        position = np.int64(0)
        while position <= text.size:
            line = scan_line(text, position, tables, record, 0)
            position = line.stop + 1
            if line.first < 0:
                blank = True
                continue
            source, longest = text.base, line.words.longest
            if line.brackets > 0 and rule(row, REMOVE_CITATIONS) > 0:
                size = without_citations(source + line.first, source + line.last, copy)
                cited = Text(copy, size, copy + size, address_of(scratch.copy_maps), stride)
                map_characters(cited, tables.flags, tables.marks, address_of(scratch.tail))
                line = scan_line(cited, 0, tables, record, 0)
                source = copy
                if line.first < 0:
                    continue
            if judge_line(line, longest, row, marks, end_marks.shape[1]) != KEEP:
                continue
            if written > begin:
                write_uint8(target + written, np.uint8(0x0A))
                written += 1
                if blank and rule(row, KEEP_BLANK_LINES) > 0:
                    write_uint8(target + written, np.uint8(0x0A))
                    written += 1
            blank = False
            for i in range(line.first, line.last):
                write_uint8(target + written, read_uint8(source + i))
                written += 1
        out_offsets[d + 1] = written
    return out_offsets
