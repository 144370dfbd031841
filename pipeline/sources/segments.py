"""Stored bytes to plain bytes: gzip members, zstd frames or neither, with the way back after damage.

A file is decoded by what it holds, not by its name. Members are walked one by one, because a library that reads a file
as one stream stops at the first damage, or hides it, and cannot say where.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import zstandard

_BLOCK = 1 << 20  # read at once from the file
_PIECE = 1 << 20  # plain bytes handed on at once
_FEED = 16 << 10  # compressed bytes given to the decoder at once; most records of a crawl need one round
_ZSTD_FEED = 4 << 10  # the zstd decoder cannot bound its output, so its input is kept small
_ZSTD_WINDOW = 1 << 27
_OVERRUN = 16 << 20  # how far behind damage a decoder may notice it

_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_MAGIC = rb"\x1f\x8b\x08[\x00-\x1f]|\x28\xb5\x2f\xfd"
_MEMBER = re.compile(_MAGIC)


class Piece(NamedTuple):
    """Plain bytes. ``start``: where the member begins in the file; ``inner``: where in the member the bytes begin;
    ``last``: the member ends here and its checksum was right; ``stored``: the bytes lie in the file as they are.
    """

    data: bytes
    start: int
    inner: int
    last: bool
    stored: bool


class Break(NamedTuple):
    """Damage: what follows does not continue what came before. ``offset`` in the stored file."""

    offset: int
    reason: str
    detail: str


class _Window:
    """A seekable file seen through its last two blocks; ``position`` is the furthest byte that was asked for."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._blocks: list[tuple[int, bytes]] = []
        self._at = 0
        self.position = 0

    def view(self, start: int, size: int) -> memoryview:
        """Up to ``size`` bytes at ``start``, at least one unless the file ends there."""
        for begin, block in self._blocks:
            if begin <= start < begin + len(block):
                found = memoryview(block)[start - begin : start - begin + size]
                break
        else:
            if start != self._at:
                self._file.seek(start)
            block = self._file.read(_BLOCK)
            self._at = start + len(block)
            self._blocks = [*self._blocks[-1:], (start, block)]
            found = memoryview(block)[:size]
        self.position = max(self.position, start + len(found))
        return found

    def bytes(self, start: int, size: int) -> bytes:
        """Exactly ``size`` bytes at ``start``, less only where the file ends."""
        parts = []
        while size > 0 and (found := self.view(start, size)):
            parts.append(bytes(found))
            start += len(found)
            size -= len(found)
        return b"".join(parts)


class _Gzip:
    """Decodes one gzip member; ``step`` gives (bytes out, bytes used)."""

    feed = _FEED
    name = "gzip member"

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    def step(self, data: memoryview) -> tuple[bytes, int]:
        out = self._decoder.decompress(data, _PIECE)
        return out, len(data) - len(self._decoder.unused_data if self.eof else self._decoder.unconsumed_tail)


class _Zstd:
    """Decodes one zstd frame."""

    feed = _ZSTD_FEED
    name = "zstd frame"

    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    def step(self, data: memoryview) -> tuple[bytes, int]:
        out = self._decoder.decompress(data)
        return out, len(data) - (len(self._decoder.unused_data) if self.eof else 0)


class Segments:
    """The pieces of a file, in order; ``next`` gives a ``Piece``, a ``Break``, or None at the end.

    Args:
        file: seekable.
        plausible: whether plain bytes may be the begin of a member or of a file; decides where to go on after damage.
        plain: what uncompressed data begins with; None if it may begin with anything.
    """

    def __init__(self, file: BinaryIO, plausible: Callable[[bytes], bool], plain: re.Pattern[bytes] | None):
        self._window = _Window(file)
        self._plausible = plausible
        self._plain = plain
        self._begin = re.compile(_MAGIC + b"|" + plain.pattern) if plain else _MEMBER
        self._at = 0
        self._member: _Gzip | _Zstd | None = None
        self._start = 0  # of the member, or of the stretch of stored bytes
        self._inner = 0
        self._stored = False

    @property
    def position(self) -> int:
        """How far the file was consumed."""
        return self._window.position

    def next(self) -> Piece | Break | None:
        """The next piece; see the class."""
        if self._member:
            return self._continue()
        if self._stored:
            return self._next_stored()
        head = self._window.bytes(self._at, 8)
        if head[:1] == b"\0" and self._at:  # padding between members
            self._skip_zeros()
            head = self._window.bytes(self._at, 8)
        if not head:
            return None
        self._start, self._inner = self._at, 0
        if head.startswith(_GZIP):
            self._member = _Gzip()
            return self._continue()
        if head.startswith(_ZSTD):
            self._member = _Zstd()
            return self._continue()
        if len(head) == 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:  # zstd's skippable frame
            self._at += 8 + int.from_bytes(head[4:], "little")
            return self.next()
        if self._begins_plain(self._at):
            self._stored = True
            return self._next_stored()
        if self._at == 0:
            return self._lost(0, "wrong-format", f"begins with {self._window.bytes(0, 40)!r}")
        return self._lost(self._at, "garbage", f"{self._window.bytes(self._at, 40)!r} where a member should begin")

    def restart(self, offset: int) -> bool:
        """Goes on at ``offset`` if a whole new member can begin there; for members in the midst of stored bytes."""
        if not self._opens(offset):
            return False
        self._at, self._member, self._stored = offset, None, False
        return True

    def _continue(self) -> Piece | Break:
        """One piece out of the member under way."""
        assert self._member
        parts: list[bytes] = []
        size = 0
        feed = self._member.feed
        while not self._member.eof and size < _PIECE:
            data = self._window.view(self._at, feed)
            try:
                out, used = self._member.step(data)
            except (zlib.error, zstandard.ZstdError) as error:
                detail = f"{self._member.name} from {self._start}: {' '.join(str(error).split())}"
                return self._lost(self._start, "broken-compression", detail)
            if not data and not out:
                detail = f"{self._member.name} from {self._start} ends with the file"
                return self._lost(self._start, "truncated", detail)
            self._at += used
            if out:
                parts.append(out)
                size += len(out)
            if isinstance(self._member, _Gzip):
                feed = min(4 * feed, _BLOCK)
        last = self._member.eof
        piece = Piece(parts[0] if len(parts) == 1 else b"".join(parts), self._start, self._inner, last, False)
        self._inner += size
        if last:
            self._member = None
        return piece

    def _next_stored(self) -> Piece | None:
        data = bytes(self._window.view(self._at, _BLOCK))
        if not data:
            self._stored = False
            return None
        piece = Piece(data, self._start, self._at - self._start, False, True)
        self._at += len(data)
        return piece

    def _lost(self, offset: int, reason: str, detail: str) -> Break:
        """Reports damage at ``offset`` and goes to the next place where data may begin.

        The search starts right behind the begin of the broken member: the decoder may have run into the ones behind it.
        """
        begin = (
            _MEMBER if self._member else self._begin
        )  # a member may hold its records uncompressed, without a checksum
        self._member = None
        self._stored = False
        at = max(offset + 1, self._at - _OVERRUN)
        size = _FEED
        while True:
            data = self._window.bytes(at, size)
            for found in begin.finditer(data):
                if self._opens(at + found.start()) or self._begins_plain(at + found.start()):
                    self._at = at + found.start()
                    return Break(offset, reason, detail)
            if len(data) < size:
                self._at = at + len(data)
                return Break(offset, reason, detail)
            at += size - 64  # a header across the border
            size = min(4 * size, _BLOCK)

    def _opens(self, offset: int) -> bool:
        """Whether what is at ``offset`` decodes to something that may begin a member."""
        head = self._window.bytes(offset, 4)
        if not _MEMBER.match(head):
            return False
        decoder = _Gzip() if head.startswith(_GZIP) else _Zstd()
        out = b""
        try:  # in small steps, so that a member counts whose damage lies further on: it is told of its own
            while not decoder.eof and len(out) < 64 and (data := self._window.view(offset, 256)):
                step, used = decoder.step(data)
                out += step
                offset += used
        except (zlib.error, zstandard.ZstdError):
            pass
        return self._plausible(out)

    def _begins_plain(self, offset: int) -> bool:
        if self._plain is None:
            return offset == 0
        return bool(self._plain.match(self._window.bytes(offset, 64)))

    def _skip_zeros(self) -> None:
        while data := self._window.view(self._at, _BLOCK):
            rest = bytes(data).lstrip(b"\0")
            self._at += len(data) - len(rest)
            if rest:
                return
