"""Piece counts: the whole of what a corpus says to BPE training, mergeable and durable.

A count table has the columns ``piece`` (large_binary, ascending by bytes, distinct) and ``count`` (int64), and carries
the pre-tokenizer's name and fingerprint in its schema metadata, so counts of different pre-tokenizers never mix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from text.arrow_buffers import text_buffers
from tokenizer.count_kernels import count_distinct, gather_pieces, sum_equal_neighbours
from tokenizer.pretokenizers import Pretokenizer

_NAME = b"gristmill.pretokenizer"
_FINGERPRINT = b"gristmill.pretokenizer.fingerprint"
_BATCH_ROWS = 1 << 17
_STREAM_ROWS = 1 << 20  # rows held in memory while files are merged


def schema(pretokenizer: Pretokenizer) -> pa.Schema:
    """The schema of a count table made with ``pretokenizer``."""
    fields = [pa.field("piece", pa.large_binary(), nullable=False), pa.field("count", pa.int64(), nullable=False)]
    metadata = {_NAME: pretokenizer.name.encode(), _FINGERPRINT: pretokenizer.fingerprint.encode()}
    return pa.schema(fields, metadata)


def count_pieces(
    texts: pa.Array | pa.ChunkedArray, pretokenizer: Pretokenizer, weights: np.ndarray | None = None
) -> pa.Table:
    """Counts the pieces of a text column.

    Args:
        texts: ``string`` or ``large_string`` [rows]; nulls count as empty.
        pretokenizer: decides the pieces.
        weights: int64 [rows], how often each document counts (its copies in the mixture); 1 when absent.

    Returns:
        A count table, sorted by piece.

    Raises:
        ValueError: a text is not valid UTF-8, or a weight is negative.
    """
    data, offsets = valid_text_buffers(texts)
    rows = len(offsets) - 1
    weights = np.ones(rows, np.int64) if weights is None else np.ascontiguousarray(weights, np.int64)
    if len(weights) != rows:
        raise ValueError(f"weights has {len(weights)} rows and texts {rows}: give one weight a document")
    if rows and weights.min() < 0:
        raise ValueError(f"weights holds {weights.min()}: a document counts 0 times or more")
    starts, lengths, counts = count_distinct(data, offsets, weights, *pretokenizer.tables_for(data, offsets))
    piece_data, piece_offsets = gather_pieces(data, starts, lengths)
    return _sorted_table(piece_data, piece_offsets, counts, schema(pretokenizer))


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


def merge_counts(tables: Sequence[pa.Table]) -> pa.Table:
    """Adds count tables of one pre-tokenizer together; the same table for any order of them.

    Raises:
        ValueError: no table, or tables of different pre-tokenizers.
    """
    if not tables:
        raise ValueError("there are no counts to merge: give at least one table")
    for table in tables[1:]:
        _check_same(tables[0].schema, table.schema)
    return _summed(pa.concat_tables([table.replace_schema_metadata(tables[0].schema.metadata) for table in tables]))


def merge_count_files(paths: Sequence[str | Path], destination: str | Path) -> int:
    """Adds count files together into one, holding a bounded part of each in memory.

    Returns:
        The number of distinct pieces written.

    Raises:
        ValueError: no file, or files of different pre-tokenizers.
    """
    if not paths:
        raise ValueError("there are no counts to merge: give at least one file")
    files = [pq.ParquetFile(path) for path in paths]
    try:
        schemas = [file.schema_arrow for file in files]
        for other in schemas[1:]:
            _check_same(schemas[0], other)
        batch_rows = max(1 << 10, _STREAM_ROWS // len(files))
        pieces = 0
        with pq.ParquetWriter(destination, schemas[0], compression="zstd") as writer:
            streams = [file.iter_batches(batch_size=batch_rows) for file in files]
            for table in _merged_stream(streams, schemas[0]):
                writer.write_table(table, row_group_size=_BATCH_ROWS)
                pieces += table.num_rows
        return pieces
    finally:
        for file in files:
            file.close()


def write_counts(table: pa.Table, destination: Any) -> None:
    """Writes a count table as Parquet (zstd) to a path or a file object."""
    pq.write_table(table, destination, compression="zstd", row_group_size=_BATCH_ROWS)


def read_counts(source: Any, pretokenizer: Pretokenizer | None = None) -> pa.Table:
    """Reads a count file from a path or a file object.

    Raises:
        ValueError: the file holds no counts, or counts of another pre-tokenizer than the one given.
    """
    table = pq.read_table(source)
    if table.column_names != ["piece", "count"] or _FINGERPRINT not in (table.schema.metadata or {}):
        raise ValueError(f"{source}: holds columns {table.column_names}, which is no count file; make one by counting")
    if pretokenizer is not None:
        _check_same(schema(pretokenizer), table.schema)
    return table.cast(pa.schema(table.schema.remove_metadata(), table.schema.metadata))


def check_counts(table: pa.Table, pretokenizer: Pretokenizer) -> None:
    """Raises ``ValueError`` naming both when ``table`` was counted with another pre-tokenizer."""
    _check_same(schema(pretokenizer), table.schema)


def _check_same(expected: pa.Schema, found: pa.Schema) -> None:
    left, right = expected.metadata or {}, found.metadata or {}
    if left.get(_FINGERPRINT) != right.get(_FINGERPRINT):
        names = [
            f"{metadata.get(_NAME, b'unknown').decode()!r} ({metadata.get(_FINGERPRINT, b'none').decode()[:12]})"
            for metadata in (left, right)
        ]
        raise ValueError(f"counts of pre-tokenizer {names[1]} cannot serve {names[0]}: count the documents again")


def _buffers(pieces: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    return text_buffers(pieces.cast(pa.large_binary()).view(pa.large_string()))


def _sorted_table(data: np.ndarray, offsets: np.ndarray, counts: np.ndarray, of: pa.Schema) -> pa.Table:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    pieces = pa.Array.from_buffers(pa.large_binary(), len(counts), buffers)
    order = pc.sort_indices(pieces)
    return pa.table([pieces.take(order), pa.array(counts).take(order)], schema=of)


def _summed(table: pa.Table) -> pa.Table:
    table = table.combine_chunks()
    pieces, counts = (table[name].combine_chunks() for name in ("piece", "count"))
    order = pc.sort_indices(pieces)
    pieces, counts = pieces.take(order), counts.take(order)
    if isinstance(pieces, pa.ChunkedArray):
        pieces, counts = pieces.combine_chunks(), counts.combine_chunks()
    data, offsets = _buffers(pieces)
    first, sums = sum_equal_neighbours(data, offsets, counts.to_numpy(zero_copy_only=False))
    return pa.table([pieces.take(pa.array(first)), pa.array(sums)], schema=table.schema)


def _merged_stream(streams: Sequence[Iterable[pa.RecordBatch]], of: pa.Schema) -> Iterator[pa.Table]:
    """Merges sorted streams of counts; holds at most one batch of each, and what is left of the ones before."""
    iterators = [iter(stream) for stream in streams]
    heads: list[pa.Table | None] = [None] * len(iterators)
    while True:
        for i, iterator in enumerate(iterators):
            head = heads[i]
            while head is None or head.num_rows == 0:
                batch = next(iterator, None)
                if batch is None:
                    head = None
                    break
                head = pa.Table.from_batches([batch]).cast(of.remove_metadata())
            heads[i] = head
        live = [(i, head) for i, head in enumerate(heads) if head is not None]
        if not live:
            return
        # Every piece up to the smallest last piece is complete: no stream can still bring a smaller one.
        bound = min(head["piece"][-1].as_py() for _, head in live)
        taken = []
        for i, head in live:
            rows = pc.sum(pc.less_equal(head["piece"], pa.scalar(bound, pa.large_binary()))).as_py() or 0
            taken.append(head.slice(0, rows))
            heads[i] = head.slice(rows)
        yield _summed(pa.concat_tables(taken)).replace_schema_metadata(of.metadata)
