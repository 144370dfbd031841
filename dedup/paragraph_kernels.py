# mypy: allow-untyped-defs
"""Walking the lines of documents: hashing those long enough to be paragraphs, and copying text without some of them."""

from __future__ import annotations

import numpy as np
from numba import njit

from text.code_points import SPACE
from text.hashing import mix64
from text.utf8_kernels import decode
from text.word_kernels import next_word

PARAGRAPH_SEED = np.uint64(0x8E51ECB3C4F7D2A9)
STEP = np.uint64(0x9E3779B97F4A7C15)
_LINE_FEED = np.uint8(0x0A)


@njit
def _line_end(data, position, stop):
    """Where the line that starts at ``position`` ends: its line feed, or ``stop``."""
    while position < stop and data[position] != _LINE_FEED:
        position += 1
    return position


@njit(nogil=True, cache=True)
def paragraphs(data, offsets, table, minimum_words):
    """The lines of ``minimum_words`` words or more; see ``dedup.paragraphs.paragraphs``.

    Args:
        data: uint8 [bytes] and
        offsets: int64 [n + 1], see ``text_buffers``.
        table: ``text.words.word_table()``.
        minimum_words: int64, at least 1.

    Returns:
        ``documents`` int64, ``lines`` uint32, ``hashes`` uint64, ``sizes`` uint32 and ``accompanied`` bool, all [m].
    """
    most = len(offsets) - 1
    for i in range(offsets[0], offsets[-1]):
        most += data[i] == _LINE_FEED
    documents, lines = np.empty(most, np.int64), np.empty(most, np.uint32)
    hashes, sizes = np.empty(most, np.uint64), np.empty(most, np.uint32)
    accompanied = np.empty(most, np.bool_)
    start, points = data.ctypes.data, table.ctypes.data
    found = 0
    for document in range(len(offsets) - 1):
        first = found
        others = False
        position, stop = offsets[document], offsets[document + 1]
        line = 0
        while position <= stop:
            end = _line_end(data, position, stop)
            address, behind = start + position, start + end
            words = 0
            value = PARAGRAPH_SEED
            while True:
                word, address, there = next_word(address, behind, points)
                if not there:
                    break
                value = mix64((value ^ word) + STEP)
                words += 1
            if words >= minimum_words:
                documents[found] = document
                lines[found] = line
                hashes[found] = value
                sizes[found] = end - position
                found += 1
            elif words:
                others = True
            line += 1
            position = end + 1
        accompanied[first:found] = others
    return (
        documents[:found].copy(),
        lines[:found].copy(),
        hashes[:found].copy(),
        sizes[:found].copy(),
        accompanied[:found].copy(),
    )


@njit
def _blank(data, position, stop, flags):
    """Whether there is nothing but white space between two positions."""
    while position < stop:
        point, position = decode(data, position)
        if not flags[point] & SPACE:
            return False
    return True


@njit(nogil=True, cache=True)
def without_lines(data, offsets, flags, bounds, lines):
    """Copies documents without some of their lines; see ``dedup.paragraphs.without_lines``.

    Args:
        data: uint8 [bytes], valid UTF-8, and
        offsets: int64 [n + 1], see ``text_buffers``.
        flags: uint16 [0x110000], ``code_points().flags``.
        bounds: int64 [n + 1]: the lines of document ``i`` to drop are ``lines[bounds[i]:bounds[i + 1]]``.
        lines: uint32, line numbers from 0, ascending within a document.

    Returns:
        The new ``data`` and ``offsets``, the latter from 0.
    """
    documents = len(offsets) - 1
    out = np.empty(offsets[documents] - offsets[0], np.uint8)
    out_offsets = np.zeros(documents + 1, np.int64)
    written = np.int64(0)
    for document in range(documents):
        position, stop = offsets[document], offsets[document + 1]
        drop, last = bounds[document], bounds[document + 1]
        if drop == last:
            out[written : written + stop - position] = data[position:stop]
            written += stop - position
            out_offsets[document + 1] = written
            continue
        begun = False
        skipping = False  # behind a dropped line, where white space goes with it
        solid = written  # behind the last line that is not blank
        line = 0
        while position <= stop:
            end = _line_end(data, position, stop)
            if drop < last and lines[drop] == line:
                drop += 1
                skipping = True
            else:
                blank = _blank(data, position, end, flags)
                if not (skipping and blank):
                    skipping = False
                    if begun:
                        out[written] = _LINE_FEED
                        written += 1
                    begun = True
                    out[written : written + end - position] = data[position:end]
                    written += end - position
                    if not blank:
                        solid = written
            line += 1
            position = end + 1
        if skipping:
            written = solid
        out_offsets[document + 1] = written
    return out[:written].copy(), out_offsets
