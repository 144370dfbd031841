"""Damage anywhere in a crawl file costs the records it touches, is told, and costs no others."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.batches import Limits
from pipeline.sources.read import read_documents


class Result(NamedTuple):
    documents: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    skipped: dict[str, int]
    bytes_read: int

    @property
    def texts(self) -> list[bytes]:
        return [document["text"].encode() for document in self.documents]

    @property
    def reasons(self) -> list[str]:
        return [reject["reason"] for reject in self.rejects]


def read(path: Path, format: str = "wet", **options: Any) -> Result:
    """Reads a file whole, and checks what holds for every file: each record once, the file consumed to its end."""
    documents, rejects, skipped, size = [], [], {}, 0
    for batch in read_documents(str(path), format, **options):
        documents += batch.documents.to_pylist()
        rejects += batch.rejects.to_pylist()
        size += batch.bytes_read
        for what, count in batch.skipped.items():
            skipped[what] = skipped.get(what, 0) + count
    told = [row["record"] for row in documents + rejects]
    records = len(told) + sum(skipped.values())
    assert len(set(told)) == len(told)
    assert all(0 <= record < records for record in told)
    assert [row["record"] for row in documents] == sorted(row["record"] for row in documents)
    assert all(0 <= row["offset"] <= path.stat().st_size for row in rejects)
    assert size == path.stat().st_size
    return Result(documents, rejects, skipped, size)


class Member(NamedTuple):
    """A gzip member of an intact file: its stored bytes, and the text of the record in it."""

    stored: bytes
    plain: bytes
    text: bytes


def members_of(data: bytes, count: int) -> list[Member]:
    """An independent plain reader: one gzip member after the other, one record in each."""
    members: list[Member] = []
    while data and len(members) < count:
        decoder = zlib.decompressobj(31)
        plain = decoder.decompress(data)
        stored = data[: len(data) - len(decoder.unused_data)]
        header, _, rest = plain.partition(b"\r\n\r\n")
        length = int(next(line for line in header.split(b"\r\n") if line.startswith(b"Content-Length:")).split()[1])
        members.append(Member(stored, plain, rest[:length]))
        data = decoder.unused_data
    return members


@pytest.fixture(scope="module")
def members(shared_data: Path) -> list[Member]:
    """The first members of a real file: a warcinfo, then conversions with distinct texts."""
    return members_of((shared_data / "dumps/2020-07-01.warc.wet.gz").read_bytes(), 60)


KINDS = ("flip", "overwrite", "insert", "delete", "zero", "truncate")


def damage(data: bytes, kind: str, at: int, length: int, noise: random.Random) -> tuple[bytes, int, int]:
    """The damaged bytes, and the stretch of the intact ones that was touched."""
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << noise.randrange(8))]) + data[at + 1 :], at, at + 1
    if kind == "overwrite":
        return data[:at] + noise.randbytes(len(data[at : at + length])) + data[at + length :], at, at + length
    if kind == "insert":
        return data[:at] + noise.randbytes(length) + data[at:], at, at
    if kind == "delete":
        return data[:at] + data[at + length :], at, at + length
    if kind == "zero":
        return data[:at] + bytes(len(data[at : at + length])) + data[at + length :], at, at + length
    return data[:at], at, len(data)


def untouched(stored: list[bytes], begin: int, end: int) -> list[int]:
    """Which of the pieces have no byte in the stretch; one that only borders on it counts as untouched."""
    out, at = [], 0
    for index, piece in enumerate(stored):
        if at + len(piece) <= begin or at >= max(end, begin + 1) or (begin == end and at == begin):
            out.append(index)
        at += len(piece)
    return out


@settings(max_examples=250)
@given(
    kind=st.sampled_from(KINDS),
    where=st.floats(0, 0.999999),
    length=st.sampled_from([1, 3, 20, 500, 5000]),
    seed=st.integers(0, 1 << 20),
)
def test_gzip_members_far_from_the_damage_all_come_out(
    members: list[Member], tmp_path_factory: pytest.TempPathFactory, kind: str, where: float, length: int, seed: int
) -> None:
    data = b"".join(member.stored for member in members)
    broken, begin, end = damage(data, kind, int(where * len(data)), length, random.Random(seed))
    path = tmp_path_factory.getbasetemp() / "damaged.warc.wet.gz"
    path.write_bytes(broken)
    result = read(path)
    texts = set(result.texts)
    assert {members[i].text for i in untouched([member.stored for member in members], begin, end) if i > 0} <= texts
    assert texts <= {member.text for member in members[1:]}  # the checksum lets no altered text through
    assert [member.text for member in members if member.text in texts] == result.texts
    if len(result.documents) + sum(result.skipped.values()) < len(members) and kind != "truncate":
        assert result.rejects


@settings(max_examples=120)
@given(
    kind=st.sampled_from(KINDS),
    where=st.floats(0, 0.999999),
    length=st.sampled_from([1, 3, 20, 500, 5000]),
    seed=st.integers(0, 1 << 20),
    codec=st.sampled_from(["plain", "zstd"]),
)
def test_plain_and_zstd_records_far_from_the_damage_all_come_out(
    members: list[Member],
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    where: float,
    length: int,
    seed: int,
    codec: str,
) -> None:
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    stored = [member.plain if codec == "plain" else compressor.compress(member.plain) for member in members]
    data = b"".join(stored)
    broken, begin, end = damage(data, kind, int(where * len(data)), length, random.Random(seed))
    path = tmp_path_factory.getbasetemp() / "damaged.warc.wet"
    path.write_bytes(broken)
    result = read(path)
    texts = set(result.texts)
    assert {members[i].text for i in untouched(stored, begin, end) if i > 0} <= texts
    if codec == "zstd":
        assert texts <= {member.text for member in members}


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_intact_file_has_no_rejects(members: list[Member], tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.gz", *(member.stored for member in members)))
    assert result.texts == [member.text for member in members[1:]]
    assert result.skipped == {"warcinfo": 1}
    assert result.rejects == []


def test_garbage_between_members_is_one_reject_with_its_offset(members: list[Member], tmp_path: Path) -> None:
    garbage = b"<html>503 Slow Down</html>" * 50
    before = b"".join(member.stored for member in members[:5])
    result = read(write(tmp_path / "a.gz", before, garbage, *(member.stored for member in members[5:])))
    assert result.texts == [member.text for member in members[1:]]
    assert [(row["offset"], row["reason"], row["record"]) for row in result.rejects] == [(len(before), "garbage", 5)]
    assert "503 Slow Down" in result.rejects[0]["detail"]


def test_zeros_between_and_after_members_are_padding(members: list[Member], tmp_path: Path) -> None:
    parts = [members[1].stored, bytes(1000), members[2].stored, bytes(3_000_000)]
    result = read(write(tmp_path / "a.gz", *parts))
    assert result.texts == [members[1].text, members[2].text]
    assert result.rejects == []


def test_each_broken_member_is_a_reject_of_its_own(members: list[Member], tmp_path: Path) -> None:
    stored = [member.stored for member in members[:8]]
    for index in (3, 4, 6):
        stored[index] = stored[index][:-5] + bytes([stored[index][-5] ^ 1]) + stored[index][-4:]  # the checksum
    result = read(write(tmp_path / "a.gz", *stored))
    assert result.texts == [members[i].text for i in (1, 2, 5, 7)]
    assert result.reasons == ["broken-compression"] * 3
    assert [row["offset"] for row in result.rejects] == [sum(map(len, stored[:i])) for i in (3, 4, 6)]


def test_truncated_last_member(members: list[Member], tmp_path: Path) -> None:
    last = members[3].stored
    for cut in (len(last) - 1, len(last) // 2, 15, 3):
        result = read(write(tmp_path / "a.gz", members[1].stored, members[2].stored, last[:cut]))
        assert result.texts == [members[1].text, members[2].text]
        assert len(result.rejects) == 1
        assert result.rejects[0]["offset"] == len(members[1].stored) + len(members[2].stored)
        assert result.reasons == ["truncated"]


def reframed(member: Member, length: int) -> bytes:
    """The record with another Content-Length in its header."""
    header, _, rest = member.plain.partition(b"\r\n\r\n")
    lines = [line for line in header.split(b"\r\n") if not line.startswith(b"Content-Length:")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length]) + b"\r\n\r\n" + rest


@pytest.mark.parametrize("change", [-100, -1, 5, 3000, 10**7, 10**12])
@pytest.mark.parametrize("storage", ["members", "plain", "one member"])
def test_a_lying_content_length_costs_its_record_only(
    members: list[Member], tmp_path: Path, change: int, storage: str
) -> None:
    plain = [member.plain for member in members[:9]]
    plain[4] = reframed(members[4], len(members[4].text) + change)
    if storage == "members":
        data = b"".join(map(gzip.compress, plain))
    else:
        data = b"".join(plain) if storage == "plain" else gzip.compress(b"".join(plain))
    result = read(write(tmp_path / "a.warc.wet", data), limits=Limits(record_bytes=1 << 24))
    assert result.texts == [members[i].text for i in (1, 2, 3, 5, 6, 7, 8)]
    assert result.reasons == ["too-long" if change == 10**12 else "bad-length"]
    assert result.rejects[0]["record"] == 4
    offset = {"members": sum(len(gzip.compress(p)) for p in plain[:4]), "plain": sum(map(len, plain[:4]))}
    assert result.rejects[0]["offset"] == offset.get(storage, 0)


@pytest.mark.parametrize("storage", ["members", "plain"])
def test_a_length_that_is_wrong_by_line_ends_only_is_taken(members: list[Member], tmp_path: Path, storage: str) -> None:
    plain = [member.plain for member in members[:6]]
    plain[2] = reframed(members[2], len(members[2].text) + 3)
    plain[3] = plain[3].removesuffix(b"\r\n\r\n")
    data = b"".join(plain if storage == "plain" else map(gzip.compress, plain))
    result = read(write(tmp_path / "a.warc.wet", data))
    assert [text.rstrip(b"\r\n") for text in result.texts] == [member.text.rstrip(b"\r\n") for member in members[1:6]]
    assert result.rejects == []


def test_two_lying_records_in_a_row_are_two_rejects(members: list[Member], tmp_path: Path) -> None:
    plain = [member.plain for member in members[:8]]
    for index in (3, 4):
        plain[index] = reframed(members[index], len(members[index].text) - 7)
    result = read(write(tmp_path / "a.warc.wet", *plain))
    assert result.texts == [members[i].text for i in (1, 2, 5, 6, 7)]
    assert [row["record"] for row in result.rejects] == [3, 4]


def test_whole_file_in_one_member_keeps_what_comes_before_the_damage(members: list[Member], tmp_path: Path) -> None:
    plain = b"".join(member.plain for member in members) * 20
    data = bytearray(gzip.compress(plain))
    data[len(data) // 2] ^= 0xFF
    result = read(write(tmp_path / "a.warc.wet.gz", bytes(data)))
    whole = [member.text for member in members[1:]] * 20
    assert result.texts[: len(whole) // 3] == whole[: len(whole) // 3]
    assert len(set(result.texts) - set(whole)) <= 2  # one checksum for all: only lengths and UTF-8 can tell
    assert result.reasons[-1] == "broken-compression"


@pytest.mark.parametrize("field", [b"WARC-Type", b"Content-Length"])
def test_a_header_without_what_it_needs(members: list[Member], tmp_path: Path, field: bytes) -> None:
    plain = [member.plain for member in members[:6]]
    plain[2] = plain[2].replace(field, b"X-" + field, 1)
    for data in (b"".join(plain), b"".join(map(gzip.compress, plain))):
        result = read(write(tmp_path / "a.warc.wet", data))
        assert result.texts == [members[i].text for i in (1, 3, 4, 5)]
        assert result.reasons == ["bad-header"]


def test_a_header_without_end_is_not_held_in_memory(members: list[Member], tmp_path: Path) -> None:
    endless = b"WARC/1.0\r\nWARC-Type: conversion\r\n" + b"X-Filler: yes\r\n" * 500_000
    result = read(write(tmp_path / "a.warc.wet", members[1].plain, endless, members[2].plain))
    assert result.texts == [members[1].text, members[2].text]
    assert result.reasons == ["bad-header"]


def test_stored_records_and_members_in_one_file(members: list[Member], tmp_path: Path) -> None:
    mixed = [members[1].stored, members[2].plain, members[3].stored, members[4].stored, b"noise", members[5].stored]
    result = read(write(tmp_path / "a.warc.wet.gz", *mixed))
    assert result.texts == [members[i].text for i in (1, 2, 3, 4, 5)]
    assert result.reasons[-1:] == ["garbage"]


def test_invalid_utf8_is_a_reject_at_its_record(members: list[Member], tmp_path: Path) -> None:
    plain = [member.plain for member in members[:6]]
    text = members[3].text
    spoiled = text[:50] + b"\xc3\x28\xed\xa0\x80" + text[55:]
    plain[3] = plain[3].replace(text, spoiled)
    stored = [gzip.compress(part) for part in plain]
    result = read(write(tmp_path / "a.warc.wet.gz", *stored))
    assert result.texts == [members[i].text for i in (1, 2, 4, 5)]
    assert [(row["record"], row["reason"], row["offset"]) for row in result.rejects] == [
        (3, "invalid-utf8", sum(map(len, stored[:3])))
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty-file"),
        (gzip.compress(b"", mtime=0), "empty-file"),
        (b"<html><body>404 Not Found</body></html>", "wrong-format"),
        (gzip.compress(b"just some text\n" * 1000, mtime=0), "garbage"),
        (bytes(range(256)) * 4096, "wrong-format"),
        (b"\n\n\n", "wrong-format"),
        (b"PK\x03\x04" + bytes(5000), "wrong-format"),
    ],
)
@pytest.mark.parametrize("format", ["wet", "warc"])
def test_a_file_that_is_no_crawl_file_is_one_reject(tmp_path: Path, content: bytes, reason: str, format: str) -> None:
    result = read(write(tmp_path / "a.warc.wet.gz", content), format)
    assert result.reasons == [reason]
    assert result.documents == []
    assert result.skipped == {}


def test_an_uncompressed_file_under_a_compressed_name(members: list[Member], tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.warc.wet.gz", *(member.plain for member in members)))
    assert result.texts == [member.text for member in members[1:]]
    assert result.rejects == []


def test_a_file_that_cannot_be_opened_is_one_reject(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.gz", tmp_path):
        batches = list(read_documents(str(path), "wet"))
        assert [batch.rejects.to_pylist()[0]["reason"] for batch in batches] == ["unreadable"]
        assert path.name in batches[0].rejects.to_pylist()[0]["detail"]
