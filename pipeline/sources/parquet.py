"""Parquet files: one document a row, read in pieces of a row group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.sources.batches import BatchBuilder, Limits, SourceBatch
from pipeline.sources.columns import FIELDS, ColumnError, missing_column

_DECODED_ROWS = 1024  # decoded at once, at most
_DECODED_BYTES = 8 << 20
_MAGIC = b"PAR1"


def read_parquet(
    file: BinaryIO, builder: BatchBuilder, limits: Limits, columns: Mapping[str, str], path: str
) -> Iterator[SourceBatch]:
    """Reads the columns it needs, and no others; see ``read.read_documents``. The record is the row of the file.

    Raises:
        ColumnError: the text column, or one that ``columns`` names, is missing or of a type that is no text.
    """
    counted = _CountedFile(file)
    head = counted.read(4)
    if not head:
        return
    try:
        parquet = pq.ParquetFile(pa.PythonFile(counted, mode="r"), pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = "wrong-format" if head != _MAGIC else "truncated" if "footer" in str(error) else "broken-rows"
        builder.reject(0, reason, _one_line(error))
        yield builder.take(counted.size)
        return
    schema = parquet.schema_arrow
    names = {field: columns.get(field, field) for field in FIELDS}
    for field, name in names.items():
        if name not in schema.names and (field == "text" or field in columns):
            raise ColumnError(missing_column(path, field, name, schema.names))
    kind = schema.field(names["text"]).type
    if not _is_text(kind):
        raise ColumnError(f"{path}: columns.text: `{names['text']}` is {kind}, not text; set columns.text")
    there = {field: name for field, name in names.items() if name in schema.names}
    wanted = sorted(set(there.values()))
    for group in range(parquet.num_row_groups):
        metadata = parquet.metadata.row_group(group)
        offset = min(_chunk_offset(metadata.column(i)) for i in range(metadata.num_columns))
        rows = 0
        row_bytes = metadata.total_byte_size // max(1, metadata.num_rows) + 1
        size = max(1, min(_DECODED_ROWS, _DECODED_BYTES // row_bytes))
        batches = parquet.iter_batches(size, row_groups=[group], columns=wanted, use_threads=False)
        while rows < metadata.num_rows:
            try:
                batch = next(batches)
            except (StopIteration, pa.ArrowException, OSError) as error:
                detail = f"row group {group}: {_one_line(error) or 'it has fewer rows than it says'}"
                for _ in range(rows, metadata.num_rows):
                    builder.reject(offset, "broken-rows", detail)
                break
            for _ in _add_rows(batch, there, offset, builder, limits):
                yield builder.take(counted.position)
            rows += batch.num_rows
    yield builder.take(counted.size)


def _chunk_offset(column: pq.ColumnChunkMetaData) -> int:
    return min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)


def _add_rows(
    batch: pa.RecordBatch, there: dict[str, str], offset: int, builder: BatchBuilder, limits: Limits
) -> Iterator[None]:
    """Adds the rows one by one; stops wherever the builder is full."""
    texts = _binary(batch.column(there["text"])).to_pylist()
    ids = _strings(batch, there.get("id"))
    urls = _strings(batch, there.get("url"))
    languages = _strings(batch, there.get("language"))
    dates = _dates(batch, there.get("date"))
    for row, text in enumerate(texts):
        if text is None:
            builder.reject(offset, "no-text", f"`{there['text']}` is null")
        elif len(text) > limits.record_bytes:
            builder.reject(offset, "too-long", f"{len(text)} bytes where {limits.record_bytes} are allowed")
        elif not text or text.isspace():
            builder.skip("empty-text")
        else:
            builder.add(text, offset, ids[row], urls[row], dates[row], languages[row])
        if builder.full:
            yield


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def _binary(column: pa.Array) -> pa.Array:
    """A column of text in any of Arrow's types, its UTF-8 not yet checked."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_binary())


def _strings(batch: pa.RecordBatch, name: str | None) -> list[str | None]:
    if name is None:
        return [None] * batch.num_rows
    column = batch.column(name)
    if _is_text(column.type):
        return [None if value is None else value.decode("utf-8", "replace") for value in _binary(column).to_pylist()]
    return [None if value is None else str(value) for value in column.to_pylist()]


def _dates(batch: pa.RecordBatch, name: str | None) -> list[str | int | None]:
    """Dates as ISO 8601 or microseconds; numbers count seconds since 1970."""
    if name is None:
        return [None] * batch.num_rows
    column = batch.column(name)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        micros = pc.cast(column, pa.timestamp("us", zone), safe=False).cast(pa.int64())
        return micros.to_pylist()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return [
            round(value * 1_000_000) if value is not None and abs(value) < 1e11 else None
            for value in column.to_pylist()
        ]
    if _is_text(kind):
        values: list[str | int | None] = list(_strings(batch, name))
        return values
    return [None] * batch.num_rows


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


class _CountedFile:
    """A file that knows how far it was read."""

    def __init__(self, file: BinaryIO):
        self._file = file
        file.seek(0, 2)
        self.size = file.tell()
        file.seek(0)
        self.position = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        at = self._file.tell()
        if at < self.size - 8:  # the footer is read first and says nothing of how far the rows are
            self.position = max(self.position, at)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
