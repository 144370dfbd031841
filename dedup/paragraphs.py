"""Exact paragraphs: which lines of a corpus stand there word for word before, and texts without them.

A paragraph is a line, as crawls deliver text, of at least a stated number of words. Two are copies when their words are
equal one by one, words as in ``text.words``: case, white space and punctuation do not count. Lines of fewer words
(menus, headings, dates) are never removed, for they are too short to say anything of their own.

Copies are told by a 64-bit hash of the words. Of 10¹² different paragraphs one in 4 · 10⁷ meets an earlier one of the
same hash (n / 2⁶⁵ on average) and is lost by mistake: 16 bytes instead of 8 would buy nothing a corpus could show.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dedup import paragraph_kernels
from dedup.radix_kernels import sort_by
from text.arrow_buffers import text_array, text_buffers
from text.code_points import code_points
from text.words import word_table


class Paragraphs(NamedTuple):
    """The paragraphs of some documents, in their order.

    Attributes:
        documents: int64 [m], the row of the document.
        lines: uint32 [m], the number of the line in its text, from 0; line feeds end lines.
        hashes: uint64 [m], of the words.
        sizes: uint32 [m], bytes of the line, its line feed apart.
        accompanied: bool [m], whether the document has words outside its paragraphs, which will stay.
    """

    documents: np.ndarray
    lines: np.ndarray
    hashes: np.ndarray
    sizes: np.ndarray
    accompanied: np.ndarray


class Groups(NamedTuple):
    """Equal hashes put together, the groups ascending by hash.

    Attributes:
        hashes: uint64 [groups].
        first: int64 [groups], the first row of each.
        copies: int64 [groups], the sum of the counts of its rows.
        repeats: bool [rows], true for all rows of a group but the first.
    """

    hashes: np.ndarray
    first: np.ndarray
    copies: np.ndarray
    repeats: np.ndarray


def paragraphs(texts: pa.Array | pa.ChunkedArray, minimum_words: int) -> Paragraphs:
    """The paragraphs of each document.

    Args:
        texts: ``string`` or ``large_string`` [n]; nulls read as empty.
        minimum_words: words below which a line is no paragraph.

    Raises:
        ValueError: ``minimum_words`` is not positive: a line without words has nothing to compare.
    """
    if minimum_words < 1:
        raise ValueError(f"minimum_words = {minimum_words}: a paragraph has at least one word")
    data, offsets = text_buffers(texts)
    return Paragraphs(*paragraph_kernels.paragraphs(data, offsets, word_table(), minimum_words))


def groups(hashes: np.ndarray, counts: np.ndarray) -> Groups:
    """Groups equal hashes (uint64 [rows]) with their counts (integers [rows]), in linear time."""
    ordered, order = sort_by(np.ascontiguousarray(hashes, np.uint64), np.arange(len(hashes), dtype=np.uint64))
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    repeats = np.empty(len(ordered), bool)
    repeats[order] = ~new
    copies = np.add.reduceat(counts[order].astype(np.int64), starts) if len(starts) else np.empty(0, np.int64)
    return Groups(ordered[starts], order[starts].astype(np.int64), copies, repeats)


def nothing_left(keys: np.ndarray, dropped: np.ndarray, accompanied: np.ndarray) -> np.ndarray:
    """Which paragraphs belong to a document that keeps no word.

    Args:
        keys: uint64 [m], the document of each paragraph; those of one document stand together.
        dropped: bool [m], whether the paragraph goes.
        accompanied: bool [m], as in ``Paragraphs``.

    Returns:
        bool [m], the same for all paragraphs of a document.
    """
    if not len(keys):
        return np.empty(0, bool)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    left = np.logical_or.reduceat(~dropped | accompanied, starts)
    return np.repeat(~left, np.diff(starts, append=len(keys)))


def without_lines(texts: pa.Array | pa.ChunkedArray, rows: np.ndarray, lines: np.ndarray) -> pa.LargeStringArray:
    """Texts without some of their lines.

    With a line go the blank lines behind it, and where the text ends with it, those before it, so that no gap tells of
    it. All other bytes stay as they are.

    Args:
        texts: ``string`` or ``large_string`` [n]; nulls read as empty.
        rows: integers [m], ascending: of which text the line is to go.
        lines: uint32 [m], its number from 0, ascending within a text.

    Returns:
        ``large_string`` [n].
    """
    data, offsets = text_buffers(texts)
    bounds = np.searchsorted(rows, np.arange(len(offsets)))
    edited = paragraph_kernels.without_lines(
        data, offsets, code_points().flags, bounds, np.ascontiguousarray(lines, np.uint32)
    )
    return text_array(*edited)
