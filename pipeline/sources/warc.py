"""Common Crawl WARC files: the main text of the pages among the ``response`` records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.sources.batches import BatchBuilder, Limits, SourceBatch
from pipeline.sources.extraction import HTML_TYPES, ExtractionError, extract, media_type
from pipeline.sources.http_response import HttpError, parse_response
from pipeline.sources.records import Damage, Record, WarcRecords
from pipeline.sources.wet import describe, record_type


def read_warc(file: BinaryIO, builder: BatchBuilder, limits: Limits) -> Iterator[SourceBatch]:
    """Reads the pages with status 200 that are HTML, XHTML or plain text; see ``read.read_documents``."""
    records = WarcRecords(file, limits)
    for found in records:
        if isinstance(found, Damage):
            builder.reject(*found)
        elif found.fields[b"warc-type"] != b"response":
            builder.skip(record_type(found.fields[b"warc-type"]))
        else:
            _add_page(found, builder, limits)
        if builder.full:
            yield builder.take(records.position)
    yield builder.take(records.position)


def _add_page(record: Record, builder: BatchBuilder, limits: Limits) -> None:
    if not record.content.startswith(b"HTTP/"):
        builder.skip("not-http")  # dns: and whois: records are responses, too
        return
    try:
        response = parse_response(record.content, limits)
        if response.status != 200:
            builder.skip("not-200")
            return
        body = response.body()
        declared = response.fields.get(b"content-type", b"").decode("latin-1")
        kind, charset = media_type(declared)
        if kind not in HTML_TYPES and kind != "text/plain":
            kind = kind or sniff(body)
        if kind in HTML_TYPES:
            text = extract(body, charset, limits.depth)
        elif kind == "text/plain":
            text = extract(body, charset, limits.depth, plain=True)
        else:
            builder.skip("not-html")
            return
    except HttpError as error:
        builder.reject(record.offset, "bad-http", str(error))
        return
    except ExtractionError as error:
        builder.reject(record.offset, error.reason, str(error))
        return
    if text:
        builder.add(text.encode(), record.offset, *describe(record.fields))
    else:
        builder.skip("empty-text")


def sniff(body: bytes) -> str:
    """The media type of a body that came without one: ``text/html`` if it begins like a page."""
    head = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "text/html" if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) else ""
