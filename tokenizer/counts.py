"""Counting pieces: from text columns to a sorted table of distinct pieces, in bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_buffers
from tokenizer.count_addition import added_files, temporary_folder
from tokenizer.count_files import BATCH_ROWS, CountWriter, count_table, schema
from tokenizer.count_kernels import BYTES, ROWS, count_documents, rehash, take_pieces
from tokenizer.order_kernels import leading_words, sort_ties
from tokenizer.pretokenizers import Pretokenizer

TABLE_BYTES = 1 << 28  # of a counter's table; what does not fit goes to disk in sorted runs
_ROW_BYTES = 32  # of the table, for each row there is room for
LARGEST = 2**63 - 1


def count_pieces(
    texts: pa.Array | pa.ChunkedArray, pretokenizer: Pretokenizer, weights: np.ndarray | None = None
) -> pa.Table:
    """Counts the pieces of a text column, all in memory.

    Args:
        texts: ``string`` or ``large_string`` [rows]; nulls count as empty.
        pretokenizer: decides the pieces.
        weights: int64 [rows], how often each document counts (its copies in the mixture); 1 when absent.

    Returns:
        A count table, sorted by piece.

    Raises:
        ValueError: a text is not valid UTF-8, or a weight is negative or too large.
    """
    with PieceCounter(pretokenizer, table_bytes=LARGEST) as counter:
        counter.add(texts, weights)
        return counter.table()


class PieceCounter:
    """Counts the pieces of many batches of text in bounded memory.

    Args:
        pretokenizer: decides the pieces.
        unit: the weights are in so many parts of an occurrence.
        table_bytes: memory for the table; a table that would outgrow it is sorted, written to a temporary file and
            begun again. A single document may exceed it.
        folder: where those files go; the system's temporary folder when empty.
    """

    def __init__(
        self,
        pretokenizer: Pretokenizer,
        unit: int = 1,
        table_bytes: int | None = None,
        folder: str | None = None,
    ):
        self.schema = schema(pretokenizer, unit)
        self._pretokenizer = pretokenizer
        self._table_bytes = TABLE_BYTES if table_bytes is None else table_bytes
        self._folder = folder
        self._runs = contextlib.ExitStack()
        self._run_paths: list[Path] = []
        self._weight = 0  # of all pieces so far, at most: no count can be more
        self._clear()

    def __enter__(self) -> PieceCounter:
        return self

    def __exit__(self, *_: object) -> None:
        self._runs.close()

    def _clear(self) -> None:
        self._rows = np.zeros(((1 << 11) + 1, 2), np.int64)
        self._slots = np.zeros(1 << 12, np.uint64)
        self._arena = np.empty(1 << 15, np.uint8)
        self._used = np.zeros(2, np.int64)

    def add(self, texts: pa.Array | pa.ChunkedArray, weights: np.ndarray | None = None) -> None:
        """Counts a text column; arguments and errors are those of ``count_pieces``."""
        data, offsets = valid_text_buffers(texts)
        documents = len(offsets) - 1
        weights = np.ones(documents, np.int64) if weights is None else np.ascontiguousarray(weights, np.int64)
        if len(weights) != documents:
            raise ValueError(f"weights has {len(weights)} rows and texts {documents}: give one weight a document")
        if documents and weights.min() < 0:
            raise ValueError(f"weights holds {weights.min()}: a document counts 0 times or more")
        self._weight += _dot(weights, np.diff(offsets))
        if self._weight > LARGEST:
            raise ValueError(
                f"weights up to {weights.max()} can add up to more than 2^63: give weights with fewer digits"
            )
        tables = self._pretokenizer.tables_for(data, offsets)
        first = 0
        while True:
            first, rows, size = count_documents(
                data, offsets, weights, *tables, first, self._rows, self._slots, self._arena, self._used
            )
            if first == documents:
                return
            self._make_room(rows, size)

    def _make_room(self, more_rows: int, more_bytes: int) -> None:
        """Grows the table for one more document, or begins a new one."""
        room = _grown(len(self._rows) - 1, int(self._used[ROWS]) + more_rows)
        arena = _grown(len(self._arena), int(self._used[BYTES]) + more_bytes)
        if _ROW_BYTES * room + arena > self._table_bytes and self._used[ROWS]:
            self._spill()
            return
        if room > len(self._rows) - 1:
            grown = np.zeros((room + 1, 2), np.int64)
            grown[: len(self._rows)] = self._rows
            slots = np.zeros(2 * room, np.uint64)
            rehash(self._slots, slots)
            self._rows, self._slots = grown, slots
        if arena > len(self._arena):
            more = np.empty(arena, np.uint8)
            more[: self._used[BYTES]] = self._arena[: self._used[BYTES]]
            self._arena = more

    def _spill(self) -> None:
        if not self._run_paths:
            self._run_folder = Path(self._runs.enter_context(temporary_folder(self._folder)))
        path = self._run_folder / f"{len(self._run_paths):06}.parquet"
        with CountWriter(path, self.schema, "lz4") as writer:
            for table in self._sorted_tables():
                writer.write(table)
        self._run_paths.append(path)
        self._clear()

    def _sorted_tables(self) -> Iterator[pa.Table]:
        """What the table holds, in the order of the pieces."""
        rows = int(self._used[ROWS])
        starts = self._rows[: rows + 1, 0].copy()
        words = leading_words(self._arena, starts)
        order = np.argsort(words)
        sort_ties(self._arena, starts, words, order)
        del words, starts
        for first in range(0, rows, BATCH_ROWS):
            data, offsets, counts = take_pieces(self._arena, self._rows, order[first : first + BATCH_ROWS])
            yield count_table(data, offsets, counts, self.schema)

    def tables(self) -> Iterator[pa.Table]:
        """All that was counted, in the order of the pieces, a bounded number of them at a time."""
        if not self._run_paths:
            yield from self._sorted_tables()
            return
        if self._used[ROWS]:
            self._spill()
        with added_files(self._run_paths, self.schema, [Fraction(1)] * len(self._run_paths), self._folder) as tables:
            yield from tables

    def table(self) -> pa.Table:
        """All that was counted as one table."""
        return pa.concat_tables([self.schema.empty_table(), *self.tables()]).combine_chunks()

    def write(self, destination: Any) -> int:
        """Writes a count file to a path or a file object; returns its rows."""
        with CountWriter(destination, self.schema) as writer:
            for table in self.tables():
                writer.write(table)
        return writer.rows


def _dot(weights: np.ndarray, lengths: np.ndarray) -> int:
    """The exact sum of products, for numbers whose products may be beyond int64."""
    if len(weights) == 0:
        return 0
    if int(weights.max()) * int(lengths.sum()) <= LARGEST:
        return int(weights @ lengths)
    return sum(weight * length for weight, length in zip(weights.tolist(), lengths.tolist()))


def _grown(room: int, needed: int) -> int:
    while room < needed:
        room *= 2
    return room


def valid_text_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """``text_buffers`` after a check that every text is UTF-8, without which the scanner would read out of bounds.

    Raises:
        ValueError: names the first bad row.
    """
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    rows_before = 0
    for chunk in chunks:
        try:
            chunk.validate(full=True)
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"texts from row {rows_before} on: {error}; replace or reject invalid UTF-8 before tokenizing"
            ) from error
        rows_before += len(chunk)
    return text_buffers(texts)
