"""WARC 1.1 records, one gzip member each, with the same bytes whenever they are written (ISO 28500:2017)."""

import base64
import gzip
import hashlib
import uuid
from dataclasses import dataclass

from pipeline.sample.sites import Encoding

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://gristmill.example/sample")


@dataclass(frozen=True)
class Record:
    """One WARC record before compression."""

    kind: str  #: WARC-Type
    id: str  #: `<urn:uuid:…>`
    block: bytes
    headers: tuple[tuple[str, str], ...]

    def serialised(self, content_length: int | None = None) -> bytes:
        """The record's bytes. Another `content_length` than the block's makes a record that lies."""
        length = len(self.block) if content_length is None else content_length
        lines = [("WARC-Type", self.kind), ("WARC-Record-ID", self.id), *self.headers, ("Content-Length", str(length))]
        head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
        return head.encode() + self.block + b"\r\n\r\n"


def member(data: bytes) -> bytes:
    """One gzip member without a file name or a time."""
    return gzip.compress(data, 6, mtime=0)


def record_id(*parts: object) -> str:
    """The same id for the same parts."""
    return f"<urn:uuid:{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts)))}>"


def warcinfo(id: str, date: str, name: str) -> Record:
    """The record that opens a file."""
    block = f"software: gristmill sample\r\nformat: WARC File Format 1.1\r\nisPartOf: {name}\r\n".encode()
    return Record("warcinfo", id, block, (("WARC-Date", date), ("Content-Type", "application/warc-fields")))


def request(id: str, url: str, date: str) -> Record:
    """The request that a response answers."""
    host, _, path = url.removeprefix("https://").partition("/")
    block = (
        f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gristmill-sample\r\nAccept: text/html\r\n\r\n".encode()
    )
    return Record("request", id, block, (*_about(url, date), ("Content-Type", "application/http; msgtype=request")))


def metadata(id: str, url: str, date: str, fields: str) -> Record:
    """What the crawler noted about a capture."""
    return Record("metadata", id, fields.encode(), (*_about(url, date), ("Content-Type", "application/warc-fields")))


def page_response(id: str, url: str, date: str, body: bytes, encoding: Encoding, compressed: bool = False) -> Record:
    """A page with status 200; `compressed` stores the body as the server sent it, with `Content-Encoding: gzip`."""
    kind = f"text/html; charset={encoding.charset}" if encoding.declared == "header" else "text/html"
    extra = {"Content-Encoding": "gzip"} if compressed else {}
    return response(id, url, date, "200 OK", kind, gzip.compress(body, 6, mtime=0) if compressed else body, extra)


def response(
    id: str, url: str, date: str, status: str, content_type: str, body: bytes, extra: dict[str, str] | None = None
) -> Record:
    """Any HTTP response with its digests."""
    fields = {"Server": "example", "Content-Type": content_type, **(extra or {}), "Content-Length": str(len(body))}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    block = head.encode() + body
    digests = (("WARC-Block-Digest", _sha1(block)), ("WARC-Payload-Digest", _sha1(body)))
    kind = ("Content-Type", "application/http; msgtype=response")
    return Record("response", id, block, (*_about(url, date), *digests, kind))


def _about(url: str, date: str) -> tuple[tuple[str, str], ...]:
    return (("WARC-Target-URI", url), ("WARC-Date", date))


def _sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()
