"""What every source yields: record batches of documents and rejects, and counts of what is skipped by design."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_array

DOCUMENTS = pa.schema(
    [
        pa.field("record", pa.uint32(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("date", pa.timestamp("us", "UTC")),
        pa.field("language", pa.string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
REJECTS = pa.schema(
    [
        pa.field("record", pa.uint32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)

REASONS = {
    "unreadable": "the file cannot be opened or read any further",
    "empty-file": "the file holds no record at all",
    "wrong-format": "the file is not what its format says",
    "broken-compression": "a gzip member or zstd frame is damaged",
    "truncated": "the file ends inside a record, a member or a frame",
    "garbage": "bytes between records that belong to none",
    "bad-header": "a WARC header is not whole, or lacks its type or length",
    "bad-length": "a record does not end where its Content-Length says",
    "too-long": "a record or line is longer than the limit",
    "invalid-utf8": "the text is not valid UTF-8",
    "bad-http": "the HTTP response cannot be parsed or unpacked",
    "undecodable": "no charset turns the page into text",
    "too-deep": "the page's elements are nested deeper than the limit, or its formatting is left open too often",
    "bad-json": "the line is not a JSON object",
    "no-text": "the record has no text column, or null in it",
    "not-text": "the text column holds something other than a string",
    "broken-rows": "a Parquet row group cannot be read",
}
"""Every reason for a reject, and what it says of the record."""

_BATCH_RECORDS = 1 << 16  # rejected and skipped records end a batch too, so that they cannot pile up


class Limits(NamedTuple):
    """What a source refuses to hold in memory.

    ``record_bytes``: the longest record, line or unpacked page. ``header_bytes``: the longest WARC or HTTP header.
    ``depth``: how deep the elements of a page may be nested (browsers stop at 512, too); finding main text takes time
    in proportion to the page times its depth.
    """

    record_bytes: int = 256 << 20
    header_bytes: int = 64 << 10
    depth: int = 512


class SourceBatch(NamedTuple):
    """What one stretch of a file held; each record is in exactly one of the three.

    ``documents`` has the schema ``DOCUMENTS``: ``record`` is the ordinal of the record in its file, the same for any
    batch size; ``language`` is the one that the source declares. ``rejects`` has the schema ``REJECTS``: ``offset`` is
    in bytes of the file as stored (in a compressed file, the start of the gzip member or zstd frame), ``reason`` a key
    of ``REASONS``. ``skipped`` counts records that are no documents by design. ``bytes_read`` is how much of the stored
    file was consumed since the batch before.
    """

    documents: pa.RecordBatch
    rejects: pa.RecordBatch
    skipped: dict[str, int]
    bytes_read: int


class BatchBuilder:
    """Collects records into batches; every call of ``add``, ``reject`` or ``skip`` takes the next ordinal."""

    def __init__(self, batch_bytes: int):
        self.record = 0
        self._batch_bytes = batch_bytes
        self._position = 0
        self._reset()

    def _reset(self) -> None:
        self._first = self.record
        self._records: list[int] = []
        self._ids: list[str | None] = []
        self._urls: list[str | None] = []
        self._dates: list[str | int | None] = []
        self._languages: list[str | None] = []
        self._text = bytearray()  # of all documents; their bytes are freed one by one
        self._ends: list[int] = []
        self._offsets: list[int] = []
        self._rejects: list[tuple[int, int, str, str]] = []
        self._skipped: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Whether it is time to ``take`` a batch."""
        return len(self._text) >= self._batch_bytes or self.record - self._first >= _BATCH_RECORDS

    def add(
        self,
        text: bytes,
        offset: int,
        identifier: str | None = None,
        url: str | None = None,
        date: str | int | None = None,
        language: str | None = None,
    ) -> None:
        """Adds a document; whether its text is UTF-8 is checked later, for all at once.

        ``date`` is ISO 8601 or microseconds since 1970; one that is neither reads as null.
        """
        self._records.append(self.record)
        self._ids.append(identifier)
        self._urls.append(url)
        self._dates.append(date)
        self._languages.append(language)
        self._text += text
        self._ends.append(len(self._text))
        self._offsets.append(offset)
        self.record += 1

    def reject(self, offset: int, reason: str, detail: str) -> None:
        """Counts a record as broken."""
        if reason not in REASONS:
            raise ValueError(f"`{reason}` is no reason for a reject; there are {', '.join(REASONS)}")
        self._rejects.append((self.record, offset, reason, detail.encode("utf-8", "replace").decode()[:500]))
        self.record += 1

    def skip(self, what: str) -> None:
        """Counts a record as no document by design."""
        self._skipped[what] += 1
        self.record += 1

    def take(self, position: int) -> SourceBatch:
        """Builds the batch; ``position`` is how many bytes of the stored file are consumed so far."""
        texts = self._valid_texts()
        rejects = sorted(self._rejects)
        batch = SourceBatch(
            pa.record_batch(
                [
                    pa.array(self._records, pa.uint32()),
                    _strings(self._ids),
                    _strings(self._urls),
                    timestamps(self._dates),
                    _strings(self._languages),
                    texts,
                ],
                schema=DOCUMENTS,
            ),
            pa.record_batch(
                [pa.array([row[i] for row in rejects], REJECTS.field(i).type) for i in range(len(REJECTS))],
                schema=REJECTS,
            ),
            dict(sorted(self._skipped.items())),
            max(0, position - self._position),
        )
        self._position = max(position, self._position)
        self._reset()
        return batch

    def _valid_texts(self) -> pa.Array:
        """The texts as one column; those that are not UTF-8 move to the rejects."""
        data = np.frombuffer(self._text, np.uint8)
        ends = np.array([0, *self._ends], np.int64)
        try:
            texts = text_array(data, ends)
            texts.validate(full=True)  # UTF-8 text by text
            return texts
        except pa.ArrowInvalid:
            pairs = zip(ends[:-1].tolist(), ends[1:].tolist())
            faults = [_utf8_fault(bytes(self._text[begin:end])) for begin, end in pairs]
        for record, offset, fault in zip(self._records, self._offsets, faults):
            if fault:
                self._rejects.append((record, offset, "invalid-utf8", fault))
        columns: list[list[Any]]
        columns = [self._records, self._ids, self._urls, self._dates, self._languages, self._offsets]
        for column in columns:
            column[:] = [value for value, fault in zip(column, faults) if not fault]
        kept = np.array([not fault for fault in faults], bool)
        lengths = np.diff(ends)
        data = data[np.repeat(kept, lengths)]
        return text_array(data, np.concatenate([[0], np.cumsum(lengths[kept])]))


def _utf8_fault(text: bytes) -> str | None:
    try:
        text.decode()
    except UnicodeError as error:
        return str(error)[:200]
    return None


def _strings(values: list[str | None]) -> pa.Array:
    """A string column; what cannot be written as UTF-8 in an id, URL or language is replaced."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([v if v is None else v.encode("utf-8", "replace").decode() for v in values], pa.string())


def timestamps(values: list[str | int | None]) -> pa.Array:
    """Reads ISO 8601 dates (a date without zone is UTC) and integers (microseconds) as timestamp[us, UTC].

    What is no date reads as null, because a date decides nothing about the text.
    """
    try:
        return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_timestamp(value) for value in values], pa.timestamp("us", "UTC"))


def _timestamp(value: str | int | None) -> int | None:
    if isinstance(value, str):
        for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):  # with and without a zone
            try:
                return pa.scalar(value.strip()).cast(kind).value
            except pa.ArrowInvalid:
                continue
        return None
    return value if value is not None and abs(value) < 1 << 60 else None
