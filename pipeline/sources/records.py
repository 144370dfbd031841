"""WARC records out of a stored file: framing, and the way back to the next record after damage.

WARC 1.1: https://iipc.github.io/warc-specifications/. FastWARC reads the same records faster from whole files, but goes
over damage without a word and does not check where a record ends; the tests hold both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pipeline.sources.batches import Limits
from pipeline.sources.segments import Break, Piece, Segments

_VERSION = re.compile(rb"WARC/\d{1,3}\.\d{1,3}\r?\n")
_HEADER_OR_MEMBER = re.compile(rb"(?:(?<=\n)|\A)WARC/\d{1,3}\.\d{1,3}\r?\n|\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd")
_LOOK_BACK = 32  # a version line across the border of two pieces


class Record(NamedTuple):
    """A whole record. ``fields``: its named fields in lower case; ``offset``: in the stored file."""

    fields: dict[bytes, bytes]
    content: bytes
    offset: int


class Damage(NamedTuple):
    """A stretch of the file that is no record; ``reason`` is one of ``batches.REASONS``."""

    offset: int
    reason: str
    detail: str


class WarcRecords:
    """Iterates over the records and damages of a WARC file, plain or compressed record by record or as a whole.

    Memory is bounded by the longest record that ``limits`` allow. Records of a member are given out when the member's
    checksum was right, or, in members of many records, when the next one has begun.
    """

    def __init__(self, file: BinaryIO, limits: Limits):
        self._segments = Segments(file, plausible=lambda data: bool(_VERSION.match(data)), plain=_VERSION)
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._pieces: list[tuple[int, Piece]] = []  # the pieces in the buffer, and where they begin in it
        self._break: Break | None = None
        self._ended = False

    @property
    def position(self) -> int:
        """How many bytes of the stored file are consumed."""
        return self._segments.position

    def __iter__(self) -> Iterator[Record | Damage]:
        resync = False  # the bytes that follow belong to a damage that was told already
        while True:
            found = self._next(resync)
            if found is None:
                return
            if isinstance(found, Record):
                resync = False
                yield found
            elif found.reason == "":
                resync = True
            else:
                resync = True
                yield found

    def _next(self, resync: bool) -> Record | Damage | None:
        """One step: a record, a damage, a damage without a reason when it only goes on, or None at the end."""
        self._skip_line_ends()
        if self._at >= len(self._buffer):
            if self._break:
                damage, self._break = Damage(*self._break), None
                return damage
            if self._ended or not self._fill():
                return None if self._ended and not self._break and self._at >= len(self._buffer) else Damage(0, "", "")
        start = self._at
        if not self._have(start + 16) and self._at >= len(self._buffer):
            return Damage(0, "", "")
        if not _VERSION.match(self._buffer, start):
            return self._give_up(start, start + 1, "garbage", repr(self._buffer[start : start + 40]), resync)
        head_end, body = self._find_header_end(start)
        if body < 0:
            reason = "bad-header" if len(self._buffer) - start > self._limits.header_bytes else "truncated"
            return self._give_up(start, start + 1, reason, "the header has no end", resync)
        fields = parse_fields(self._buffer[start:head_end])
        length = fields.get(b"content-length", b"")
        if b"warc-type" not in fields or not length.isdigit():
            missing = "WARC-Type" if b"warc-type" not in fields else f"valid Content-Length ({length[:40]!r})"
            return self._give_up(start, start + 1, "bad-header", f"the header has no {missing}", resync)
        end = body + int(length)
        if int(length) > self._limits.record_bytes:
            detail = f"{int(length)} bytes where {self._limits.record_bytes} are allowed"
            return self._give_up(start, body, "too-long", detail, resync)
        if not self._have(end):
            reason = "truncated" if self._ended else "bad-length"
            detail = f"{len(self._buffer) - body} bytes of {int(length)} are there"
            return self._give_up(start, body, reason, detail, resync)
        self._have(end + 5)
        after = self._buffer[end : end + 5].lstrip(b"\r\n")
        if self._break and not after:
            return self._give_up(start, body, "truncated", "", resync)
        if self._buffer[end : end + 4] != b"\r\n\r\n" and after and not b"WARC/".startswith(after):
            detail = f"{after!r} follows the {int(length)} bytes of its content"
            return self._give_up(start, body, "bad-length", detail, resync)
        self._at = end
        return Record(fields, self._buffer[body:end], self._offset(start))
