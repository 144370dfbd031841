"""WARC records out of a stored file: framing, and the way back to the next record after damage.

WARC 1.1: https://iipc.github.io/warc-specifications/. FastWARC reads whole files faster, but goes over damage without a
word and does not check where a record ends; the tests hold both against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pipeline.sources.batches import Limits
from pipeline.sources.segments import Break, Piece, Segments

_VERSION = re.compile(rb"WARC/\d{1,3}\.\d{1,3}\r?\n")
_NEXT = re.compile(rb"(?<=\n)WARC/\d{1,3}\.\d{1,3}\r?\n|\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd")
_LF_VERSION = re.compile(rb"\n(WARC)/\d{1,3}\.\d{1,3}\n[^\n]{1,200}:")
_FIELD = re.compile(rb"\n([^\s:]+)[ \t]*:([^\r\n]*)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_ACROSS = 32  # a version line may lie across the border of two pieces


class Record(NamedTuple):
    """A whole record. ``fields``: its named fields, names in lower case; ``offset``: in the stored file."""

    fields: dict[bytes, bytes]
    content: bytes
    offset: int


class Damage(NamedTuple):
    """A stretch of the file that is no record; ``reason`` is one of ``batches.REASONS``."""

    offset: int
    reason: str
    detail: str


class WarcRecords:
    """Iterates over the records and damages of a WARC file: plain, compressed record by record, or as a whole.

    Memory is bounded by the longest record that ``limits`` allow. A record is given out when the checksum of its member
    was right, or, in a member of many records, when the next one has begun.

    The buffer holds one stretch of bytes that belong together: it never goes beyond a break, nor into a member that
    begins with a record of its own. What comes behind the stretch waits in ``_behind``.
    """

    def __init__(self, file: BinaryIO, limits: Limits):
        self._segments = Segments(file, plausible=lambda data: bool(_VERSION.match(data)), plain=_VERSION)
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self._pieces: list[tuple[int, Piece]] = []  # those in the buffer, and at which index each begins
        self._behind: Piece | Break | None = None
        self._ended = False

    @property
    def position(self) -> int:
        """How many bytes of the stored file are consumed."""
        return self._segments.position

    def __iter__(self) -> Iterator[Record | Damage]:
        told = False  # whether the bytes at hand belong to a damage that was reported already
        while True:
            self._skip_line_ends()
            if not self._has(1):
                if isinstance(self._behind, Break):
                    if not (told and self._in_broken_member):
                        yield Damage(*self._behind)
                elif self._behind is None:
                    return
                self._next_stretch()
                told = False
                continue
            found = self._record()
            if isinstance(found, Record):
                told = False
                yield found
            elif found is not None:
                if not (told and found.reason in ("garbage", "bad-header")):
                    yield found
                told = True

    def _record(self) -> Record | Damage | None:
        """The record or damage at the current position, which moves behind it; None if a member begins there."""
        offset = self._offset()
        if not _VERSION.match(self._buffer, self._at):
            self._has(_ACROSS)
        if not _VERSION.match(self._buffer, self._at):
            if self._restart(self._at):
                return None
            return self._give_up(1, offset, "garbage", f"{self._buffer[self._at : self._at + 40]!r}")
        size = self._header_size()
        if not size:
            return self._give_up(1, offset, "bad-header", "the header has no end")
        fields = parse_fields(self._buffer[self._at : self._at + size])
        length = fields.get(b"content-length", b"")
        if b"warc-type" not in fields or not length.isdigit() or len(length) > 18:
            return self._give_up(1, offset, "bad-header", f"its Content-Length is {length[:40]!r}")
        end = size + int(length)
        if int(length) > self._limits.record_bytes:
            detail = f"{int(length)} bytes where {self._limits.record_bytes} are allowed"
            return self._give_up(size, offset, "too-long", detail)
        if self._buffer.endswith(b"\n\n", self._at, self._at + size):
            end = size + self._converted_length(size, int(length))
        if not self._has(end):
            detail = f"its Content-Length is {int(length)}, but only {len(self._buffer) - self._at - size} bytes follow"
            return self._give_up(size, offset, "bad-length", detail)
        if not self._closes(end):
            if self._in_broken_member and len(self._buffer) - self._at - end < 5:
                return self._give_up(size, offset, "broken-compression", "the member breaks at its end")
            behind = self._buffer[self._at + end : self._at + end + 8]
            return self._give_up(size, offset, "bad-length", f"{behind!r} follows its content of {int(length)} bytes")
        content = self._buffer[self._at + size : self._at + end]
        self._at += end
        return Record(fields, content, offset)

    def _header_size(self) -> int:
        """The length of the header and the empty line behind it; 0 if there is no end to it."""
        limit = self._limits.header_bytes
        while True:
            stop = self._at + limit
            crlf = self._buffer.find(b"\r\n\r\n", self._at, stop)
            lf = self._buffer.find(b"\n\n", self._at, stop if crlf < 0 else crlf)  # ClueWeb and other old writers
            if lf >= 0:
                return lf + 2 - self._at
            if crlf >= 0:
                return crlf + 4 - self._at
            if not self._has(min(limit, len(self._buffer) - self._at + 1)) or len(self._buffer) - self._at >= limit:
                return 0

    def _closes(self, end: int) -> bool:
        """Whether a record that ends here is followed by what should follow, and its member's checksum was right."""
        if self._buffer.startswith(b"\r\n\r\n", self._at + end):
            if len(self._buffer) - self._at > end + 4:
                return True
            last = self._pieces[-1][1]
            return last.last or last.stored or self._has(end + 5) or not self._in_broken_member
        if not self._has(end + 5) and self._in_broken_member:
            return False
        behind = self._buffer[self._at + end : self._at + end + 5].lstrip(b"\r\n")
        return not behind or b"WARC/".startswith(behind)

    def _converted_length(self, size: int, length: int) -> int:
        """The length of the content of a record with LF line ends, when lengths were written before CRLF became LF.

        Then at most one byte a line is missing. Such files exist: r-spark's samples of Common Crawl are.
        """
        whole = self._has(size + length + 300)
        start = self._at + size
        following = _LF_VERSION.search(self._buffer, start, start + length + 300)
        if following:
            stop = following.start(1)
        elif whole or self._behind:
            return length
        else:
            stop = len(self._buffer)
        lines = self._buffer.count(b"\n", start, stop)
        content = len(self._buffer[start:stop].rstrip(b"\n"))
        return content if content <= length <= stop - start + lines else length

    def _give_up(self, skip: int, offset: int, reason: str, detail: str) -> Damage:
        """Reports a damage at the current position and moves to the next record, ``skip`` bytes on or later."""
        self._at += skip
        found = self._search()
        if not found:
            if isinstance(self._behind, Break) and self._in_broken_member:
                return Damage(offset, self._behind.reason, self._behind.detail)
            if self._behind is None and reason in ("bad-length", "bad-header"):
                reason = "truncated"
        return Damage(offset, reason, detail)

    def _search(self) -> bool:
        """Moves to the next version line of the stretch, or to its end."""
        while True:
            for match in _NEXT.finditer(self._buffer, self._at):
                if match.group()[:1] == b"W":
                    self._at = match.start()
                    return True
                if self._restart(match.start()):
                    return True
            self._at = max(self._at, len(self._buffer) - _ACROSS)
            if not self._has(len(self._buffer) - self._at + 1):
                self._at = len(self._buffer)
                return False

    def _restart(self, index: int) -> bool:
        """Goes over to a member that begins amid stored bytes, if one does."""
        if not self._pieces[-1][1].stored or not self._segments.restart(self._offset(index)):
            return False
        self._buffer, self._at, self._pieces, self._behind, self._ended = b"", 0, [], None, False
        return True

    @property
    def _in_broken_member(self) -> bool:
        """Whether the break behind the stretch is one of the member that the stretch ends in."""
        last = self._pieces[-1][1] if self._pieces else None
        return isinstance(self._behind, Break) and last is not None and not last.last and not last.stored

    def _has(self, size: int) -> bool:
        """Whether the stretch has ``size`` bytes from the current position on; reads them."""
        missing = size - (len(self._buffer) - self._at)
        if missing <= 0:
            return True
        if self._ended or self._behind is not None:
            return False
        parts = [self._buffer[self._at :]]
        self._pieces = [(index - self._at, piece) for index, piece in self._pieces]
        while len(self._pieces) > 1 and self._pieces[1][0] <= 0:
            self._pieces.pop(0)
        while missing > 0:
            piece = self._segments.next()
            if piece is None:
                self._ended = True
                break
            elif isinstance(piece, Break) or (
                not piece.stored and not piece.inner and self._pieces and _VERSION.match(piece.data)
            ):
                self._behind = piece
                break
            else:
                self._pieces.append((sum(map(len, parts)), Piece(b"", *piece[1:])))
                parts.append(piece.data)
                missing -= len(piece.data)
        self._buffer = parts[0] if len(parts) == 1 else b"".join(parts)
        self._at = 0
        return missing <= 0

    def _next_stretch(self) -> None:
        """Goes over to what is behind the stretch."""
        behind, self._behind = self._behind, None
        self._buffer, self._at, self._pieces = b"", 0, []
        if isinstance(behind, Piece):
            self._buffer, self._pieces = behind.data, [(0, Piece(b"", *behind[1:]))]

    def _offset(self, index: int | None = None) -> int:
        """Where in the stored file the byte at an index of the buffer lies: in a compressed file, its member."""
        index = self._at if index is None else index
        begin, piece = next(found for found in reversed(self._pieces) if found[0] <= index)
        return piece.start + piece.inner + index - begin if piece.stored else piece.start

    def _skip_line_ends(self) -> None:
        if self._buffer.startswith(b"\r\n\r\n", self._at):
            self._at += 4
            if self._at < len(self._buffer) and self._buffer[self._at] == 87:  # the W of the next record
                return
        while self._has(1):
            rest = self._buffer[self._at : self._at + 64]
            ends = len(rest) - len(rest.lstrip(b"\r\n"))
            self._at += ends
            if ends < len(rest):
                return


def parse_fields(header: bytes) -> dict[bytes, bytes]:
    """The named fields of a WARC or HTTP header, names in lower case; of a name that repeats, the first."""
    if b"\n " in header or b"\n\t" in header:
        header = _FOLD.sub(b" ", header)
    return {name.lower(): value.strip() for name, value in reversed(_FIELD.findall(header))}
