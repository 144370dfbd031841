"""What is broken in the sample: records and whole files that a reader must survive, count and report.

Every broken record is a page that no whole record holds, so that reading it or losing it changes no other
count. Behind it stands a metadata record, which is no document either: a reader that runs over the end of the broken
one swallows only that.
"""

import random
from collections.abc import Callable

from pipeline.sample.warc_writer import Record, member

TRUNCATED_MEMBER = "truncated-member"
GARBAGE = "garbage-between-records"
EMPTY_FILE = "empty-file"
NOT_A_WARC = "not-a-warc"


def truncated_member(record: Record, rng: random.Random) -> bytes:
    """The file ends in the middle of the record's gzip member, as an interrupted download does."""
    data = member(record.serialised())
    return data[: len(data) * 3 // 5]


def garbage_between_records(record: Record, rng: random.Random) -> bytes:
    """Bytes that are neither gzip nor WARC, before a record that is whole."""
    return rng.randbytes(777).replace(b"\x1f\x8b", b"\0\0") + member(record.serialised())


def broken_member(record: Record, rng: random.Random) -> bytes:
    """Bytes in the middle of the compressed data have been overwritten."""
    data = bytearray(member(record.serialised()))
    middle = len(data) // 2
    data[middle : middle + 64] = rng.randbytes(64).replace(b"\x1f\x8b", b"\0\0")
    return bytes(data)


def content_length_too_long(record: Record, rng: random.Random) -> bytes:
    """The record says that it is 900 bytes longer than it is."""
    return member(record.serialised(len(record.block) + 900))


def content_length_too_short(record: Record, rng: random.Random) -> bytes:
    """The record says that it is 900 bytes shorter than it is."""
    return member(record.serialised(len(record.block) - 900))


def invalid_utf8(record: Record, rng: random.Random) -> bytes:
    """A page that is declared as UTF-8 and holds bytes that are not."""
    start = record.block.index(b"\r\n\r\n") + 4
    block = bytearray(record.block)
    for _ in range(12):
        position = rng.randrange(start + 600, len(block) - 200)
        block[position] = 0xFF
    return member(Record(record.kind, record.id, bytes(block), record.headers).serialised())


def broken_header(record: Record, rng: random.Random) -> bytes:
    """A record without its version line and with a header line that has no colon."""
    return member(record.serialised().replace(b"WARC/1.1\r\nWARC-Type: ", b"WARC-Type ", 1))


Damage = Callable[[Record, random.Random], bytes]

# In the order in which the files of a sample get them.
RECORD_DAMAGES: dict[str, Damage] = {
    TRUNCATED_MEMBER: truncated_member,
    GARBAGE: garbage_between_records,
    "broken-member": broken_member,
    "content-length-too-long": content_length_too_long,
    "content-length-too-short": content_length_too_short,
    "invalid-utf8": invalid_utf8,
    "broken-header": broken_header,
}

FILE_DAMAGES: dict[str, bytes] = {
    EMPTY_FILE: b"",
    NOT_A_WARC: b"<!DOCTYPE html>\n<html><head><title>503 Slow Down</title></head>\n"
    b"<body><h1>Please reduce your request rate.</h1></body></html>\n",
}
