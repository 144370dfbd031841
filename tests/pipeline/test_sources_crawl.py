"""Intact WET and WARC files: the same records as FastWARC reads, for any batch size."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fastwarc.warc import ArchiveIterator

from pipeline.errors import ConfigError
from pipeline.sources.batches import DOCUMENTS, REASONS, REJECTS, BatchBuilder
from pipeline.sources.read import read_documents
from pipeline.sources.records import parse_fields

INTACT = [
    "commoncrawl/chinese-gbk-2020.warc.gz",
    "commoncrawl/filter-test.warc.wet.gz",
    "commoncrawl/wget-0000.warc.gz",
    "commoncrawl/wget-0001.warc.gz",
    "commoncrawl/whirlwind.warc.gz",
    "commoncrawl/whirlwind.warc.wet.gz",
    "dumps/2020-07-01.warc.wet.gz",
]


def read(path: Path, format: str, **options: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Counter[str]]:
    documents, rejects, skipped = [], [], Counter[str]()
    for batch in read_documents(str(path), format, **options):
        assert batch.documents.schema == DOCUMENTS
        assert batch.rejects.schema == REJECTS
        batch.documents.validate(full=True)
        documents += batch.documents.to_pylist()
        rejects += batch.rejects.to_pylist()
        skipped.update(batch.skipped)
    return documents, rejects, skipped


@pytest.mark.parametrize("name", INTACT)
def test_documents_are_those_that_fastwarc_reads(shared_data: Path, name: str) -> None:
    expected = []
    types: Counter[str] = Counter()
    for ordinal, record in enumerate(ArchiveIterator(str(shared_data / name), parse_http=False)):
        content = record.reader.read()
        types[record.headers["WARC-Type"]] += 1
        if record.headers["WARC-Type"] == "conversion":
            date = datetime.strptime(record.headers["WARC-Date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
            expected.append(
                {
                    "record": ordinal,
                    "id": record.headers["WARC-Record-ID"],
                    "url": record.headers["WARC-Target-URI"],
                    "date": date,
                    "language": record.headers.get("WARC-Identified-Content-Language"),
                    "text": content.decode(),
                }
            )
    documents, rejects, skipped = read(shared_data / name, "wet")
    assert documents == expected
    assert rejects == []
    assert len(documents) + sum(skipped.values()) == sum(types.values())
    assert skipped == Counter({kind: count for kind, count in types.items() if kind != "conversion"})


def test_language_is_what_the_record_declares(shared_data: Path) -> None:
    documents, _, _ = read(shared_data / "commoncrawl/whirlwind.warc.wet.gz", "wet")
    plain = gzip.decompress((shared_data / "commoncrawl/whirlwind.warc.wet.gz").read_bytes())
    declared = plain.split(b"WARC-Identified-Content-Language: ")[1].split(b"\r\n")[0].decode()
    assert [document["language"] for document in documents] == [declared] == ["spa"]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("dumps/2020-07-01.warc.wet.gz", "wet"),
        ("commoncrawl/sparkwarc-2016.warc.wet.gz", "wet"),
        ("malformed/appended_zip_fragment_unexpected_eof.wet.gz", "wet"),
        ("commoncrawl/wget-0001.warc.gz", "warc"),
    ],
)
def test_batch_size_changes_nothing_but_the_batches(shared_data: Path, name: str, format: str) -> None:
    whole = read(shared_data / name, format, batch_bytes=1 << 30)
    for batch_bytes in (1, 20_000):
        assert read(shared_data / name, format, batch_bytes=batch_bytes) == whole
    sizes = [b.documents["text"].nbytes for b in read_documents(str(shared_data / name), format, batch_bytes=20_000)]
    assert len(sizes) > 1


@pytest.mark.parametrize(
    ("name", "documents", "reasons", "skipped"),
    [
        # Counts of version lines and of gzip members in the files say what there should be.
        ("malformed/appended_zip_fragment_unexpected_eof.wet.gz", 15, ["truncated"], {"warcinfo": 1}),
        ("malformed/corrupt_starts_with_conversion.wet.gz", 5, [], {"warcinfo": 1}),
        ("malformed/corrupt_two_warcinfo.wet.gz", 5, [], {"warcinfo": 2}),
        ("malformed/file_headers_only.wet.gz", 0, [], {"warcinfo": 1}),
        ("malformed/fragment1_incomplete_last.wet.gz", 1, ["truncated"], {"warcinfo": 1}),
        ("commoncrawl/sparkwarc-2016.warc.wet.gz", 65, ["bad-length", "invalid-utf8", "invalid-utf8"], {"warcinfo": 1}),
    ],
)
def test_files_that_were_broken_on_purpose(
    shared_data: Path, name: str, documents: int, reasons: list[str], skipped: dict[str, int]
) -> None:
    found, rejects, skips = read(shared_data / name, "wet")
    assert len(found) == documents
    assert sorted(reject["reason"] for reject in rejects) == reasons
    assert skips == skipped


def test_lengths_from_before_a_line_end_conversion(shared_data: Path) -> None:
    """r-spark's files have LF where their lengths count CRLF: 18 records, none of them broken otherwise."""
    plain = gzip.decompress((shared_data / "commoncrawl/sparkwarc-2016.warc.gz").read_bytes())
    assert plain.count(b"WARC/1.0\n") == 18
    documents, rejects, skipped = read(shared_data / "commoncrawl/sparkwarc-2016.warc.gz", "warc")
    assert rejects == []
    assert skipped == {"warcinfo": 1, "request": 6, "metadata": 5}
    assert [document["url"] for document in documents] == [
        record.split(b"WARC-Target-URI: ")[1].split(b"\n")[0].decode()
        for record in plain.split(b"WARC/1.0\n")
        if b"WARC-Type: response" in record
    ]
    assert "спортивный клуб" in documents[0]["text"]


def test_old_records_with_lf_headers_and_odd_dates(shared_data: Path) -> None:
    documents, rejects, skipped = read(shared_data / "malformed/clueweb-quirk.warc.gz", "warc")
    assert (len(documents), rejects, skipped) == (29, [], {"warcinfo": 1})
    assert all("吉田カバン" in document["text"] for document in documents)  # EUC-JP, in a body said to be gzip
    assert all(document["date"] is None for document in documents)  # 2008-10-294


def test_a_clipped_warc_is_one_reject(shared_data: Path) -> None:
    documents, rejects, skipped = read(shared_data / "malformed/clipped.warc.gz", "warc")
    assert (documents, [reject["reason"] for reject in rejects], skipped) == ([], ["truncated"], {})


def record(kind: str, content: bytes, **fields: str) -> bytes:
    lines = [f"WARC-Type: {kind}", f"Content-Length: {len(content)}", *(f"{k}: {v}" for k, v in fields.items())]
    return b"WARC/1.1\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n" + content + b"\r\n\r\n"


def test_fields_in_any_case_folded_or_repeated() -> None:
    header = b"WARC/1.0\r\nwarc-TYPE : conversion \r\nX-Long: one\r\n\ttwo\r\nX-Long: three\r\nno colon\r\nEmpty:\r\n"
    assert parse_fields(header) == {b"warc-type": b"conversion", b"x-long": b"one two", b"empty": b""}


def test_blank_conversions_are_skipped_and_control_characters_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.wet"
    path.write_bytes(record("conversion", b" \n") + record("conversion", b"a\0b\x07\r\n") + record("surprise", b"x"))
    documents, rejects, skipped = read(path, "wet")
    assert [document["text"] for document in documents] == ["a\0b\x07\r\n"]
    assert documents[0]["record"] == 1
    assert (rejects, skipped) == ([], {"empty-text": 1, "unknown": 1})


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024-05-18T01:58:10Z", datetime(2024, 5, 18, 1, 58, 10, tzinfo=timezone.utc)),
        ("2024-05-18T01:58:10.123456Z", datetime(2024, 5, 18, 1, 58, 10, 123456, tzinfo=timezone.utc)),
        ("2024-05-18T03:58:10+02:00", datetime(2024, 5, 18, 1, 58, 10, tzinfo=timezone.utc)),
        ("2024-05-18", datetime(2024, 5, 18, tzinfo=timezone.utc)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(tmp_path: Path, date: str, expected: datetime | None) -> None:
    path = tmp_path / "a.wet"
    good = record("conversion", b"x", **{"WARC-Date": "2020-01-01T00:00:00Z"})
    path.write_bytes(good + record("conversion", b"y", **{"WARC-Date": date}))
    documents, _, _ = read(path, "wet")
    assert [document["date"] for document in documents] == [datetime(2020, 1, 1, tzinfo=timezone.utc), expected]


def test_unknown_format_and_unknown_reason() -> None:
    with pytest.raises(ConfigError, match="`wat` is no source format; there are wet, warc, jsonl, parquet"):
        list(read_documents("x", "wat"))
    with pytest.raises(ValueError, match="`odd` is no reason"):
        BatchBuilder(1).reject(0, "odd", "")
    assert all(text for text in REASONS.values())


class EndlessWet(io.RawIOBase):
    """A stream of ``size`` bytes of gzip members, none of which is held."""

    def __init__(self, members: bytes, size: int):
        self.members, self.size, self.at = members, size - size % len(members), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (self.at if whence == 1 else self.size if whence == 2 else 0)
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.size - self.at, 1 << 20)
        begin = self.at % len(self.members)
        self.at += size
        return (self.members * (2 + size // len(self.members)))[begin : begin + size]


@pytest.mark.parametrize("case", ["wet", "one member", "damaged", "jsonl", "long line"])
def test_memory_does_not_grow_with_the_file(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """200 MB of records, peak memory within a few batches."""
    import tracemalloc

    from pipeline.sources import read as module

    text = (b"the quick brown fox jumps over the lazy dog, again and again\n" * 5000)[:300_000]
    if case == "jsonl":
        unit = b'{"text": "' + text.replace(b"\n", b" ") + b'"}\n'
    elif case == "long line":
        unit = text.replace(b"\n", b" ")
    elif case == "damaged":
        unit = bytearray(b"".join(gzip.compress(record("conversion", text), 0) for _ in range(2)))
        unit[1000] ^= 0xFF
        unit = bytes(unit)
    else:
        unit = record("conversion", text)
        unit = gzip.compress(unit, 0) if case == "wet" else unit
    stream = EndlessWet(unit, 200_000_000)
    monkeypatch.setattr(module, "open_input", lambda path: stream)
    format = "jsonl" if case in ("jsonl", "long line") else "wet"
    limits = module.Limits(record_bytes=1 << 20)
    tracemalloc.start()
    total = rejects = read_bytes = 0
    for batch in read_documents("endless", format, batch_bytes=1 << 20, limits=limits):
        total += batch.documents["text"].nbytes
        rejects += batch.rejects.num_rows
        read_bytes += batch.bytes_read
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read_bytes == stream.size
    assert total > 90_000_000 or case == "long line"
    assert rejects == {"damaged": stream.size // len(unit), "long line": 1}.get(case, 0)
    assert peak < 16 << 20
