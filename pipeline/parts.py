"""Parts: the Parquet files of a stage, one beside each input file, read and written as record batches.

A part has one name through all stages, ``dump=<dump>/part-<file index>``: what a stage says of a document lies in
the file of that name in its own folder, in the same order of keys.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.errors import GristmillError

MAKE_AGAIN = "delete it and run again"  # what a person is told of a file that cannot be right
_ROW_GROUP_BYTES = 16 << 20  # bounds the memory of a reader: it holds one row group at a time


class PartWriter:
    """Collects record batches into row groups of bounded size. ``rows`` counts what was written."""

    def __init__(self, parquet: pq.ParquetWriter, schema: pa.Schema):
        self._parquet = parquet
        self._schema = schema
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends a batch; columns are put into the schema's order, and extra ones are an error."""
        self._pending.append(batch)
        self._pending_bytes += batch.nbytes
        self.rows += batch.num_rows
        if self._pending_bytes >= _ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending as one row group."""
        if self._pending:
            table = pa.Table.from_batches(self._pending, self._schema)
            self._parquet.write_table(table, row_group_size=max(1, table.num_rows))
            self._pending, self._pending_bytes = [], 0


@contextlib.contextmanager
def write_part(path: str, schema: pa.Schema) -> Iterator[tuple[PartWriter, storage.AtomicFile]]:
    """Writes one part, zstd-compressed; it appears under its name only when whole."""
    with storage.atomic_write(path) as file:
        sink = pa.PythonFile(file.stream, mode="w")
        with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=_dictionary_columns(schema)) as parquet:
            writer = PartWriter(parquet, schema)
            yield writer, file
            writer.flush()


def _dictionary_columns(schema: pa.Schema) -> list[str]:
    """Columns worth a dictionary: short strings that repeat. Text, ids, keys and hashes are not."""
    repeating = {"dump", "source", "language", "reason", "file", "rule"}
    return [field.name for field in schema if field.name in repeating]


def read_part(path: str, columns: Sequence[str] | None = None, remedy: str = MAKE_AGAIN) -> Iterator[pa.RecordBatch]:
    """Reads one part, one record batch a row group. ``remedy``: what to do about a file that cannot be read.

    Raises:
        GristmillError: the file is missing, damaged, or lacks a column.
    """
    with _opened(path, columns, remedy) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns, use_threads=False)
            yield from table.combine_chunks().to_batches()


def read_rows(
    path: str, columns: Sequence[str], keys: np.ndarray, remedy: str = MAKE_AGAIN
) -> Iterator[pa.RecordBatch]:
    """Reads the rows of some documents, one record batch a row group that has any; others are not decoded.

    Args:
        keys: uint64 [n], ascending and distinct; the part's own ``key`` column ascends too.

    Raises:
        GristmillError: see ``read_part``.
    """
    with _opened(path, ["key", *columns], remedy) as file:
        for group in range(file.num_row_groups):
            here = file.read_row_group(group, columns=["key"], use_threads=False)["key"].to_numpy()
            place = np.searchsorted(keys, here)
            found = place < len(keys)
            found[found] = keys[place[found]] == here[found]
            if found.any():
                table = file.read_row_group(group, columns=list(columns), use_threads=False)
                table = table if found.all() else table.filter(pa.array(found))
                yield from table.combine_chunks().to_batches()


def read_whole(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Reads a part of narrow columns at once; raises like ``read_part``."""
    with _opened(path, columns) as file:
        return file.read(columns=columns, use_threads=False)


def read_schema(path: str, remedy: str = MAKE_AGAIN) -> pa.Schema:
    """The schema of a part, with its metadata; raises like ``read_part``."""
    with _opened(path, None, remedy) as file:
        return file.schema_arrow


@contextlib.contextmanager
def _opened(path: str, columns: Sequence[str] | None, remedy: str = MAKE_AGAIN) -> Iterator[pq.ParquetFile]:
    try:
        with storage.open_read(path) as raw:
            file = pq.ParquetFile(raw, pre_buffer=False)
            missing = set(columns or ()) - set(file.schema_arrow.names)
            if missing:
                raise GristmillError(
                    f"{path} has no column {', '.join(sorted(missing))}; it has {', '.join(file.schema_arrow.names)}"
                )
            yield file
    except FileNotFoundError as error:
        again = "run again, and the job that writes it will" if remedy == MAKE_AGAIN else remedy
        raise GristmillError(f"{path} is missing: {again}") from error
    except GristmillError:  # what a store has to say is no fault of the file
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise GristmillError(f"{path} cannot be read ({error}): {remedy}") from error


def text_bytes(column: pa.Array) -> int:
    """Bytes of text in a string column."""
    return pc.sum(pc.binary_length(column)).as_py() or 0
