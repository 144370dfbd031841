"""Common Crawl WET files: the text of a page as a ``conversion`` record, kept byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.sources.batches import BatchBuilder, Limits, SourceBatch
from pipeline.sources.records import Damage, WarcRecords


def read_wet(file: BinaryIO, builder: BatchBuilder, limits: Limits) -> Iterator[SourceBatch]:
    """Reads the conversion records; see ``read.read_documents``. The text is kept as it is, control characters too."""
    records = WarcRecords(file, limits)
    for found in records:
        if isinstance(found, Damage):
            builder.reject(*found)
        else:
            fields, content, offset = found
            kind = fields[b"warc-type"]
            if kind != b"conversion":
                builder.skip(record_type(kind))
            elif not content or content.isspace():
                builder.skip("empty-text")
            else:
                builder.add(content, offset, *describe(fields))
        if builder.full:
            yield builder.take(records.position)
    yield builder.take(records.position)


_DESCRIPTION = (b"warc-record-id", b"warc-target-uri", b"warc-date", b"warc-identified-content-language")
_TYPES = ["warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"]


def record_type(kind: bytes) -> str:
    """The type of a record that is skipped; one that WARC does not know is ``unknown``."""
    name = kind.decode("latin-1").lower()
    return name if name in _TYPES else "unknown"


def describe(fields: dict[bytes, bytes]) -> tuple[str | None, str | None, str | None, str | None]:
    """The id, URL, date and declared language of a record, as its header has them."""
    identifier, url, date, language = map(fields.get, _DESCRIPTION)
    return (
        identifier.decode("utf-8", "replace") if identifier else None,
        url.decode("utf-8", "replace") if url else None,
        date.decode("utf-8", "replace") if date else None,
        language.decode("utf-8", "replace") if language else None,
    )
