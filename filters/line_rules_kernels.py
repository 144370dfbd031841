# mypy: allow-untyped-defs
"""Copying documents without the lines that line rules drop."""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.line_kernels import (
    BRACKETS,
    FEATURES,
    FIRST,
    KEEP,
    KEEP_BLANK_LINES,
    LAST,
    LINE_STOP,
    LONGEST_WORD,
    REMOVE_CITATIONS,
    judge_line,
    scan_line,
    without_citations,
)


@njit(nogil=True, cache=True)
def edit_documents(data, offsets, flags, vocabulary, rules, end_marks):
    """Writes every document's kept lines, stripped and joined by line feeds.

    Args:
        data: uint8 [bytes] and
        offsets: int64 [n + 1], see ``text_buffers``.
        flags: uint16 [0x110000], ``code_points().flags``.
        vocabulary: ``filters.vocabulary.vocabulary()``.
        rules: float64 [1, RULE_COLUMNS] and
        end_marks: int32 [1, marks], see ``judge_line``.

    Returns:
        The new ``data`` and ``offsets``, the latter from 0.
    """
    documents = len(offsets) - 1
    out = np.empty(offsets[documents] - offsets[0], np.uint8)
    out_offsets = np.zeros(documents + 1, np.int64)
    lines = np.empty((1, FEATURES), np.int64)
    line = lines[0]
    nothing = np.empty(0, np.uint64)
    no_sizes = np.empty(0, np.int32)
    copy = np.empty(1024, np.uint8)
    written = np.int64(0)
    for d in range(documents):
        begin = written
        blank = False
        position, stop = offsets[d], offsets[d + 1]
        while position <= stop:
            scan_line(data, position, stop, flags, vocabulary, nothing, no_sizes, 0, line)
            position = line[LINE_STOP] + 1
            if line[FIRST] < 0:
                blank = True
                continue
            source, first, last = data, line[FIRST], line[LAST]
            if rules[0, REMOVE_CITATIONS] > 0 and line[BRACKETS] > 0:
                if last - first > len(copy):
                    copy = np.empty(2 * (last - first), np.uint8)
                length = without_citations(data, first, last, copy)
                longest = line[LONGEST_WORD]
                scan_line(copy, 0, length, flags, vocabulary, nothing, no_sizes, 0, line)
                line[LONGEST_WORD] = longest
                source, first, last = copy, line[FIRST], line[LAST]
                if first < 0:
                    continue
            if judge_line(lines, 0, rules, 0, end_marks) != KEEP:
                continue
            if written > begin:
                out[written] = 0x0A
                written += 1
                if blank and rules[0, KEEP_BLANK_LINES] > 0:
                    out[written] = 0x0A
                    written += 1
            blank = False
            out[written : written + last - first] = source[first:last]
            written += last - first
        out_offsets[d + 1] = written
    return out[:written].copy(), out_offsets
