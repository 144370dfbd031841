"""Reads one input file as batches of documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from pipeline import storage
from pipeline.errors import ConfigError
from pipeline.sources import https
from pipeline.sources.batches import BatchBuilder, Limits, SourceBatch
from pipeline.sources.jsonl import read_jsonl
from pipeline.sources.parquet import read_parquet
from pipeline.sources.warc import read_warc
from pipeline.sources.wet import read_wet

FORMATS = ("wet", "warc", "jsonl", "parquet")


def read_documents(
    path: str,
    format: str,
    columns: Mapping[str, str] | None = None,
    batch_bytes: int = 8 << 20,
    limits: Limits | None = None,
) -> Iterator[SourceBatch]:
    """Reads the documents of one file: local, ``s3://``, ``gs://``, ``hdfs://`` or ``https://``.

    Nothing that is wrong with the file ends the iteration: every record comes out as a document, a reject or a skip,
    and a file that cannot be opened is one reject.

    Args:
        path: the file; its compression is told by its first bytes, not by its name.
        format: one of ``FORMATS``.
        columns: for ``jsonl`` and ``parquet``, which column is ``text``, ``id``, ``url``, ``date``, ``language``; each
            is looked for under its own name when not given, and only ``text`` must be there.
        batch_bytes: text in a batch, at most plus one record.
        limits: see ``Limits``.

    Raises:
        ConfigError: an unknown format, or a column that the file does not have.
        ConnectionError: a server could not be reached in several attempts: that says nothing about the file.
    """
    limits = limits or Limits()
    if format not in FORMATS:
        raise ConfigError(f"`{format}` is no source format; there are {', '.join(FORMATS)}")
    builder = BatchBuilder(batch_bytes)
    try:
        with open_input(path) as file:
            if format == "wet":
                yield from read_wet(file, builder, limits)
            elif format == "warc":
                yield from read_warc(file, builder, limits)
            elif format == "jsonl":
                yield from read_jsonl(file, builder, limits, columns or {}, path)
            else:
                yield from read_parquet(file, builder, limits, columns or {}, path)
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        builder.reject(0, "unreadable", str(error))
        yield builder.take(0)
        return
    if not builder.record:
        builder.reject(0, "empty-file", "there is no record in it")
        yield builder.take(0)


def open_input(path: str) -> BinaryIO:
    """Opens an input file for reading as it is stored; seekable.

    Raises:
        OSError: it cannot be opened.
    """
    return https.open_https(path) if https.is_https(path) else storage.open_read(path)
