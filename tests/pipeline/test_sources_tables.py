"""JSONL and Parquet: columns by name, broken lines and row groups told, memory bounded."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.batches import Limits
from pipeline.sources.columns import ColumnError
from pipeline.sources.read import read_documents

Rows = list[dict[str, Any]]


def read(path: Path, format: str, columns: dict[str, str] | None = None, **options: Any) -> tuple[Rows, Rows, Counter]:
    documents, rejects, skipped, size = [], [], Counter[str](), 0
    for batch in read_documents(str(path), format, columns, **options):
        batch.documents.validate(full=True)
        documents += batch.documents.to_pylist()
        rejects += batch.rejects.to_pylist()
        skipped.update(batch.skipped)
        size += batch.bytes_read
    assert size == path.stat().st_size
    return documents, rejects, skipped


ROWS = [
    {"text": "first", "id": "a", "url": "http://x/1", "date": "2024-05-18T01:58:10Z", "language": "en", "other": 1},
    {"text": "zweiter \u00fc\n\ttext", "id": 7, "url": None, "date": 1716000000, "language": "de"},
    {"text": "第三", "date": "never"},
]


def jsonl(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("codec", ["plain", "gz", "gz members", "zst", "zst frames", "bom", "no last newline", "crlf"])
def test_jsonl_in_every_wrapping(tmp_path: Path, codec: str) -> None:
    data = jsonl(ROWS)
    lines = data.splitlines(keepends=True)
    compress = zstandard.ZstdCompressor().compress
    stored = {
        "plain": data,
        "gz": gzip.compress(data),
        "gz members": gzip.compress(data[:100]) + gzip.compress(data[100:]),
        "zst": compress(data),
        "zst frames": b"".join(map(compress, lines)) + b"\x50\x2a\x4d\x18\x04\0\0\0skip",
        "bom": b"\xef\xbb\xbf" + data,
        "no last newline": data[:-1],
        "crlf": data.replace(b"\n", b"\r\n\r\n"),
    }[codec]
    path = tmp_path / "a.jsonl.any"  # the name says nothing
    path.write_bytes(stored)
    documents, rejects, skipped = read(path, "jsonl")
    assert [row["text"] for row in documents] == [row["text"] for row in ROWS]
    assert [row["id"] for row in documents] == ["a", "7", None]
    assert [row["language"] for row in documents] == ["en", "de", None]
    assert [row["date"] for row in documents] == [
        datetime(2024, 5, 18, 1, 58, 10, tzinfo=timezone.utc),
        datetime.fromtimestamp(1716000000, timezone.utc),
        None,
    ]
    assert (rejects, skipped) == ([], {})


def test_jsonl_columns_by_other_names(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl([{"content": "x", "uri": "http://x", "text": 1}]))
    documents, _, _ = read(path, "jsonl", {"text": "content", "url": "uri"})
    assert (documents[0]["text"], documents[0]["url"]) == ("x", "http://x")


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_a_missing_column_names_those_there_are(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a.{format}"
    rows = [{"content": "x", "uri": "http://x"}] * 3
    if format == "jsonl":
        path.write_bytes(jsonl(rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(ColumnError, match=r"no column `contents` for columns\.text; did you mean `content`.* uri"):
        read(path, format, {"text": "contents"})
    with pytest.raises(ColumnError, match=r"no column `text` for columns.text; .*it has content, uri"):
        read(path, format)
    with pytest.raises(ColumnError, match=r"no column `url2` for columns.url; it has content, uri|did you mean"):
        read(path, format, {"text": "content", "url": "url2"})


def test_jsonl_rejects_say_which_line_and_why(tmp_path: Path) -> None:
    lines = [
        b'{"text": "good 0"}',
        b'{"text": "cut',
        b"",
        b"[1, 2]",
        b'{"text": 5}',
        b'{"text": null}',
        b'{"other": "x"}',
        b'{"text": "\xff\xfe"}',
        b'{"text": "\\ud800 alone"}',
        b'{"text": "  "}',
        b'{"text": "' + b"long " * 1000 + b'"}',
        b"[" * 100_000,
        b'{"text": "good 1"}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    documents, rejects, skipped = read(path, "jsonl", limits=Limits(record_bytes=4000))
    assert [(row["record"], row["text"]) for row in documents] == [(0, "good 0"), (11, "good 1")]
    starts = [sum(len(line) + 1 for line in lines[:i]) for i in range(len(lines))]
    assert [(row["record"], row["offset"], row["reason"]) for row in rejects] == [
        (1, starts[1], "bad-json"),
        (2, starts[3], "bad-json"),
        (3, starts[4], "not-text"),
        (4, starts[5], "no-text"),
        (5, starts[6], "no-text"),
        (6, starts[7], "invalid-utf8"),
        (7, starts[8], "invalid-utf8"),
        (9, starts[10], "too-long"),
        (10, starts[11], "too-long"),
    ]
    assert all(f"line {row['record'] + 1 + (row['record'] > 1)}" in row["detail"] for row in rejects)
    assert skipped == {"empty-text": 1}
    documents, rejects, _ = read(path, "jsonl")
    assert len(documents) == 3  # the long line is within the limit
    assert [row["reason"] for row in rejects][-1] == "bad-json"  # nested too deep for the parser


@given(st.lists(st.binary(max_size=30), max_size=12), st.integers(1, 400))
def test_any_lines_are_documents_rejects_or_skips(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], batch_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    data = b"".join(line.replace(b"\n", b"") + b"\n" + b'{"text": "ok"}\n' for line in lines) + b'{"text": "ok"}'
    if data.startswith((b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")):
        return
    path.write_bytes(data)
    documents, rejects, skipped = read(path, "jsonl", batch_bytes=batch_bytes)
    records = sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    assert len(documents) + len(rejects) + sum(skipped.values()) == records
    assert len(documents) == len(lines) + 1


def test_jsonl_damage_in_a_member_costs_that_member(tmp_path: Path) -> None:
    parts = [gzip.compress(jsonl([{"text": f"{part} {row}"} for row in range(50)])) for part in range(5)]
    parts[2] = parts[2][:60] + b"\xff" + parts[2][61:]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"".join(parts))
    documents, rejects, _ = read(path, "jsonl")
    assert [row["text"] for row in documents] == [f"{part} {row}" for part in (0, 1, 3, 4) for row in range(50)]
    assert [(row["reason"], row["offset"]) for row in rejects] == [("broken-compression", sum(map(len, parts[:2])))]


def test_truncated_jsonl_keeps_what_comes_before(tmp_path: Path) -> None:
    rows = [{"text": "grist " * 200 + str(row)} for row in range(20_000)]
    stored = gzip.compress(jsonl(rows), 1)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(stored[: len(stored) // 2])
    documents, rejects, _ = read(path, "jsonl")
    assert [row["text"] for row in documents] == [row["text"] for row in rows[: len(documents)]]
    assert len(documents) > 5000
    assert [row["reason"] for row in rejects] == ["truncated"]


def test_parquet_types_of_text_id_and_date(tmp_path: Path) -> None:
    texts = ["a", "ü", None, " ", "第三"]
    when = datetime(2024, 5, 18, 1, 58, 10, tzinfo=timezone.utc)
    for kind in (pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())):
        for dates, expected in (
            (pa.array([when] * 5, pa.timestamp("ms", "UTC")), when),
            (pa.array([when] * 5, pa.timestamp("ns", "Europe/Berlin")), when),
            (pa.array([date(2024, 5, 18)] * 5), datetime(2024, 5, 18, tzinfo=timezone.utc)),
            (pa.array(["2024-05-18T01:58:10Z"] * 5), when),
            (pa.array([int(when.timestamp())] * 5), when),
        ):
            raw = pa.array([t.encode() if t is not None else None for t in texts], pa.binary())
            column = raw if kind == pa.binary() else pa.array(texts, pa.string()).cast(kind)
            path = tmp_path / "a.parquet"
            pq.write_table(
                pa.table({"text": column, "id": [1, 2, 3, 4, 5], "date": dates, "wide": ["x" * 9] * 5}), path
            )
            documents, rejects, skipped = read(path, "parquet")
            assert [(row["record"], row["text"], row["id"], row["date"]) for row in documents] == [
                (0, "a", "1", expected),
                (1, "ü", "2", expected),
                (4, "第三", "5", expected),
            ]
            assert [(row["record"], row["reason"]) for row in rejects] == [(2, "no-text")]
            assert skipped == {"empty-text": 1}


def test_parquet_invalid_utf8_and_non_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([b"ok", b"\xff"], pa.binary()), "number": [1, 2]}), path)
    documents, rejects, _ = read(path, "parquet")
    assert [row["text"] for row in documents] == ["ok"]
    assert [row["reason"] for row in rejects] == ["invalid-utf8"]
    with pytest.raises(ColumnError, match="`number` is int64, not text"):
        read(path, "parquet", {"text": "number"})


def test_parquet_is_read_in_pieces_with_the_same_records(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {i} " * 50 for i in range(5000)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=1500)
    whole = read(path, "parquet", batch_bytes=1 << 30)
    assert [row["text"] for row in whole[0]] == texts
    assert read(path, "parquet", batch_bytes=10_000) == whole
    sizes = [batch.documents["text"].nbytes for batch in read_documents(str(path), "parquet", batch_bytes=100_000)]
    assert len(sizes) > 20 and max(sizes) < 120_000


def test_a_broken_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"text {i} " * 20 for i in range(400)]}), path, row_group_size=100)
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(0)
    data = bytearray(path.read_bytes())
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    data[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(bytes(data))
    documents, rejects, _ = read(path, "parquet")
    assert [row["record"] for row in documents] == [*range(200), *range(300, 400)]
    assert [row["record"] for row in rejects] == list(range(200, 300))
    assert {(row["reason"], row["offset"]) for row in rejects} == {("broken-rows", begin)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"<html>no</html>", "wrong-format"), (b"", "empty-file"), (b"PAR1 cut off before its footer", "truncated")],
)
def test_a_file_that_is_no_parquet_file(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    documents, rejects, _ = read(path, "parquet")
    assert (documents, [row["reason"] for row in rejects]) == ([], [reason])


def test_empty_tables_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    assert [row["reason"] for row in read(path, "parquet")[1]] == ["empty-file"]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n \n")
    assert [row["reason"] for row in read(path, "jsonl")[1]] == ["empty-file"]
