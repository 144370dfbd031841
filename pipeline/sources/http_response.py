"""HTTP responses as crawlers store them: header, transfer and content encodings, in any state of disorder.

Crawlers often store a body already decoded and leave its header as it was, so an encoding is undone only where the body
has it.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import NamedTuple

from fastwarc.stream_io import BrotliReader

from pipeline.sources.batches import Limits
from pipeline.sources.records import parse_fields

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


class HttpError(ValueError):
    """A response that cannot be parsed or unpacked."""


class Response(NamedTuple):
    """A parsed response; ``fields`` in lower case, ``stored`` the body with its encodings still on."""

    status: int
    fields: dict[bytes, bytes]
    stored: bytes
    limit: int

    def body(self) -> bytes:
        """The body with transfer and content encodings undone; what a cut body still gives.

        Raises:
            HttpError: an unknown encoding, a body that is not what its encoding says, or more than the limit.
        """
        body = self.stored
        if b"chunked" in self.fields.get(b"transfer-encoding", b"").lower():
            body = dechunk(body)
        codings = [name.strip() for name in self.fields.get(b"content-encoding", b"").lower().split(b",")]
        for name in reversed(codings):
            if name in (b"", b"identity", b"none", b"utf-8", b"iso-8859-1"):  # the last two: servers' mistakes
                continue
            body = _undo(body, name, self.limit)
        return body


def parse_response(content: bytes, limits: Limits) -> Response:
    """Parses a status line and a header; LF line ends are taken as well.

    Raises:
        HttpError: no status line, or a header without an end.
    """
    status = _STATUS.match(content)
    if not status:
        raise HttpError(f"{content[:40]!r} is no HTTP status line")
    end = content.find(b"\r\n\r\n", 0, limits.header_bytes)
    lf = content.find(b"\n\n", 0, limits.header_bytes if end < 0 else end)
    if end < 0 and lf < 0:
        raise HttpError(f"the HTTP header does not end within {limits.header_bytes} bytes")
    head, body = (content[:end], content[end + 4 :]) if lf < 0 else (content[:lf], content[lf + 2 :])
    return Response(int(status[1]), parse_fields(head), body, limits.record_bytes)


def dechunk(body: bytes) -> bytes:
    """Undoes chunked transfer encoding (RFC 9112, section 7.1); a body that is not chunked comes back as it is."""
    parts: list[bytes] = []
    at = 0
    while match := _CHUNK.match(body, at):
        size = int(match[1], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[match.end() : match.end() + size])
        at = match.end() + size
        if body.startswith(b"\r\n", at):
            at += 2
        elif body.startswith(b"\n", at):
            at += 1
        elif at < len(body):  # the size was a lie, or a page that begins with a number
            return body if len(parts) == 1 else b"".join(parts)
    return b"".join(parts) if parts else body


def _undo(body: bytes, coding: bytes, limit: int) -> bytes:
    if coding in (b"gzip", b"x-gzip"):
        return _inflate(body, 31, limit) if body.startswith(b"\x1f\x8b") else body
    if coding == b"deflate":  # zlib by the standard, raw deflate by many servers
        for bits in (15, -15):
            try:
                return _inflate(body, bits, limit)
            except HttpError:
                continue
        return _unencoded(body, coding)
    if coding == b"br":
        return _unbrotli(body, limit)
    raise HttpError(f"content encoding {coding.decode('latin-1')[:40]!r} is not supported")


def _inflate(body: bytes, bits: int, limit: int) -> bytes:
    decoder = zlib.decompressobj(bits)
    out = b""
    try:
        out = decoder.decompress(body, limit)
    except zlib.error as error:
        out = _inflate_until_fault(body, bits)
        if not out:
            raise HttpError(f"the body cannot be inflated: {error}") from None
    if decoder.unconsumed_tail:
        raise HttpError(f"the body unpacks to more than {limit} bytes")
    return out


def _inflate_until_fault(body: bytes, bits: int) -> bytes:
    """What a damaged stream gives before its fault, in steps of some bytes; as browsers show it."""
    decoder = zlib.decompressobj(bits)
    parts = []
    try:
        for at in range(0, len(body), 256):
            parts.append(decoder.decompress(body[at : at + 256]))
    except zlib.error:
        pass
    return b"".join(parts)


def _unbrotli(body: bytes, limit: int) -> bytes:
    out = bytearray()
    reader = BrotliReader(io.BytesIO(body))
    try:
        while data := reader.read(1 << 16):
            out += data
            if len(out) > limit:
                raise HttpError(f"the body unpacks to more than {limit} bytes")
    except OSError:
        if not out:
            return _unencoded(body, b"br")
    return bytes(out)


def _unencoded(body: bytes, coding: bytes) -> bytes:
    """The body itself, if it is markup under a header that claims an encoding."""
    if not body or body.lstrip()[:1] == b"<":
        return body
    raise HttpError(f"the body is not {coding.decode()}, as its header says")
