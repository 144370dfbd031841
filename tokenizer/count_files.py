"""Count files: piece counts as sorted Parquet, with what decided the pieces in the metadata.

A count table has the columns ``piece`` (large_binary, ascending by bytes, distinct) and ``count`` (int64), and carries
the pre-tokenizer's name and fingerprint, so counts of different pre-tokenizers never mix. Counts of weighted documents
are kept as whole numbers of a ``unit``, 1/n of an occurrence, until all of them are added up (``count_addition``), and
rounded only then: however a corpus is cut into parts, the sum is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tokenizer.pretokenizers import Pretokenizer, pretokenizer

_NAME = b"gristmill.pretokenizer"
_FINGERPRINT = b"gristmill.pretokenizer.fingerprint"
_UNIT = b"gristmill.counts.unit"
BATCH_ROWS = 1 << 17  # rows of a row group


def schema(pretokenizer: Pretokenizer, unit: int = 1) -> pa.Schema:
    """The schema of a count table made with ``pretokenizer``, of counts in ``unit``-ths of an occurrence."""
    metadata = {_NAME: pretokenizer.name.encode(), _FINGERPRINT: pretokenizer.fingerprint.encode()}
    return with_unit(pa.schema(_FIELDS, metadata), unit)


_FIELDS = [pa.field("piece", pa.large_binary(), nullable=False), pa.field("count", pa.int64(), nullable=False)]


def pretokenizer_of(of: pa.Schema) -> Pretokenizer:
    """The pre-tokenizer that a count file names; whether it is still the same, ``check_same`` tells.

    Raises:
        ValueError: there is no such pre-tokenizer.
    """
    name = (of.metadata or {})[_NAME].decode()
    return pretokenizer({"regex": name.removeprefix("regex ")} if name.startswith("regex ") else name)


def unit_of(of: pa.Schema) -> int:
    """How many counts make one occurrence."""
    return int((of.metadata or {}).get(_UNIT, b"1"))


def with_unit(of: pa.Schema, unit: int) -> pa.Schema:
    metadata = {key: value for key, value in (of.metadata or {}).items() if key != _UNIT}
    return pa.schema(_FIELDS, metadata | ({_UNIT: str(unit).encode()} if unit != 1 else {}))


def count_table(data: np.ndarray, offsets: np.ndarray, counts: np.ndarray, of: pa.Schema) -> pa.Table:
    """A count table of pieces ``data[offsets[i]:offsets[i + 1]]``, without copying."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    pieces = pa.Array.from_buffers(pa.large_binary(), len(counts), buffers)
    return pa.table([pieces, pa.array(counts)], schema=of)


class CountWriter:
    """Writes a count file in row groups of one size, so that equal counts are equal bytes. ``rows`` counts them."""

    def __init__(self, destination: Any, of: pa.Schema, compression: str = "zstd"):
        self._parquet = pq.ParquetWriter(destination, of, compression=compression, use_dictionary=["count"])
        self._schema = of
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self.rows = 0

    def __enter__(self) -> CountWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._pending_rows:
            self._parquet.write_table(pa.concat_tables(self._pending), row_group_size=BATCH_ROWS)
        self._parquet.close()

    def write(self, table: pa.Table) -> None:
        """Appends rows, which come in order."""
        self._pending.append(table.replace_schema_metadata(self._schema.metadata))
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        if self._pending_rows >= BATCH_ROWS:
            table = pa.concat_tables(self._pending)
            whole = table.num_rows // BATCH_ROWS * BATCH_ROWS
            self._parquet.write_table(table.slice(0, whole), row_group_size=BATCH_ROWS)
            self._pending, self._pending_rows = [table.slice(whole)], table.num_rows - whole


def write_counts(table: pa.Table, destination: Any) -> None:
    """Writes a count table as Parquet (zstd) to a path or a file object."""
    with CountWriter(destination, table.schema) as writer:
        writer.write(table)


class CountFile:
    """A count file, read in batches.

    Raises:
        ValueError: the source holds no counts, is damaged, or holds counts of another pre-tokenizer than the one given.
    """

    def __init__(self, source: Any, pretokenizer: Pretokenizer | None = None, name: str | None = None):
        self.name = str(source if name is None else name)
        try:
            self._file = pq.ParquetFile(source, pre_buffer=False, buffer_size=1 << 16)
        except (pa.ArrowInvalid, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{self.name}: is damaged or no count file ({_brief(error)}); count again") from error
        self.schema = self._file.schema_arrow
        self.num_rows: int = self._file.metadata.num_rows
        if self.schema.names != ["piece", "count"] or _FINGERPRINT not in (self.schema.metadata or {}):
            raise ValueError(
                f"{self.name}: holds columns {self.schema.names}, which is no count file; make one by counting"
            )
        if pretokenizer is not None:
            check_same(schema(pretokenizer), self.schema, self.name)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows in order, so many at a time."""
        try:
            for batch in self._file.iter_batches(rows, use_threads=False):
                yield batch.cast(pa.schema(_FIELDS)) if batch.schema.types != [f.type for f in _FIELDS] else batch
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{self.name}: is damaged ({_brief(error)}); count again") from error

    def table(self) -> pa.Table:
        """All rows."""
        return pa.Table.from_batches([*self.batches()], pa.schema(_FIELDS)).replace_schema_metadata(
            self.schema.metadata
        )

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _brief(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".")[:120]


def read_counts(source: Any, pretokenizer: Pretokenizer | None = None) -> pa.Table:
    """Reads a count file from a path or a file object; errors are those of ``CountFile``."""
    file = CountFile(source, pretokenizer)
    try:
        return file.table().combine_chunks()
    finally:
        file.close()


def check_counts(table: pa.Table, pretokenizer: Pretokenizer) -> None:
    """Raises ``ValueError`` naming both when ``table`` was counted with another pre-tokenizer."""
    check_same(schema(pretokenizer), table.schema)


def check_same(expected: pa.Schema, found: pa.Schema, name: str = "") -> None:
    left, right = expected.metadata or {}, found.metadata or {}
    if left.get(_FINGERPRINT) != right.get(_FINGERPRINT):
        names = [
            f"{metadata.get(_NAME, b'unknown').decode()!r} ({metadata.get(_FINGERPRINT, b'none').decode()[:12]})"
            for metadata in (left, right)
        ]
        where = f"{name}: " if name else ""
        raise ValueError(
            f"{where}counts of pre-tokenizer {names[1]} cannot serve {names[0]}: count the documents again"
        )
