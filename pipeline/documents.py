"""The document dataset: its columns and how record batches of sources become documents with keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus import RECORD_BITS
from pipeline.errors import GristmillError

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("id", pa.string()),
        ("url", pa.string()),
        ("dump", pa.string()),
        ("source", pa.string()),
        ("date", pa.timestamp("us", "UTC")),
        ("text", pa.large_string()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
    ]
)

# What the filter keeps: the cluster that dedup found a document in, and how many documents that has, for re-weighting.
KEPT_SCHEMA = pa.schema([*SCHEMA, ("cluster", pa.uint64()), ("cluster_size", pa.uint32())])

REJECTS_SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("file", pa.string()),
        ("record", pa.uint32()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


def keys_of(records: pa.Array, first_key: int) -> np.ndarray:
    """uint64 keys of records, given the key of the file's record 0.

    Raises:
        GristmillError: more records in a file than a key can tell apart.
    """
    numbers = records.to_numpy(zero_copy_only=False).astype(np.uint64)
    if len(numbers) and int(numbers.max()) >> RECORD_BITS:
        raise GristmillError(f"a file of more than {1 << RECORD_BITS} records: split it into smaller files")
    return numbers + np.uint64(first_key)


def to_documents(batch: pa.RecordBatch, first_key: int, dump: str, source: str) -> pa.RecordBatch:
    """A source's batch (record, id, url, date, language, text) as documents.

    The language a crawl declares is not kept: ``language`` is what the language model of the filter stage finds.
    """
    rows = batch.num_rows
    columns = {
        "key": pa.array(keys_of(batch["record"], first_key)),
        "id": batch["id"],
        "url": batch["url"],
        "dump": _constant(dump, rows),
        "source": _constant(source, rows),
        "date": batch["date"],
        "text": batch["text"],
        "language": pa.nulls(rows, pa.string()),
        "language_score": pa.nulls(rows, pa.float32()),
    }
    return pa.record_batch([columns[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names], schema=SCHEMA)


def to_rejects(batch: pa.RecordBatch, first_key: int, file: str) -> pa.RecordBatch:
    """A source's rejects (record, offset, reason, detail) with their keys and the file they are from."""
    columns = [
        pa.array(keys_of(batch["record"], first_key)),
        _constant(file, batch.num_rows),
        batch["record"].cast(pa.uint32()),
        batch["offset"].cast(pa.int64()),
        batch["reason"].cast(pa.string()),
        batch["detail"].cast(pa.string()),
    ]
    return pa.record_batch(columns, schema=REJECTS_SCHEMA)


def by_language(language: pa.Array, text: pa.Array) -> dict[str, dict[str, int]]:
    """Documents and bytes of text of each language in a batch."""
    table = pa.table([language, pc.binary_length(text)], ["language", "bytes"])
    groups = table.group_by("language").aggregate([("bytes", "sum"), ("bytes", "count")]).to_pylist()
    return {row["language"]: {"documents": row["bytes_count"], "text_bytes": row["bytes_sum"]} for row in groups}


def _constant(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), rows)
