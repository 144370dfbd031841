"""Files on web servers: streamed, seekable, resumed where a connection broke off."""

from __future__ import annotations

import contextlib
import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO

_ATTEMPTS = 6  # a minute of waiting in all
_TIMEOUT = 60.0  # seconds without a byte
_RETRIED = {408, 425, 429, 500, 502, 503, 504}
_SKIPPED_BY_READING = 1 << 20  # bytes; a new request costs more


class _FinalError(ConnectionError):
    """A connection that was tried often enough."""


def is_https(path: str) -> bool:
    """Whether a path is the address of a web server."""
    return path.lower().startswith(("https://", "http://"))


def open_https(url: str, wait: Callable[[float], None] = time.sleep) -> BinaryIO:
    """Opens a file on a web server for reading; bytes arrive as they are read.

    Args:
        url: ``https://`` or ``http://``.
        wait: sleeps between attempts, seconds.

    Raises:
        FileNotFoundError: the server has no such file (404, 410).
        PermissionError: it does not give it away (401, 403).
        ConnectionError: it could not be reached in several attempts, or the file changed between two.
    """
    return io.BufferedReader(HttpsFile(url, wait), 1 << 18)


class HttpsFile(io.RawIOBase):
    """A file behind ``GET`` requests with a ``Range``: an answer that breaks off is asked for again from there on."""

    def __init__(self, url: str, wait: Callable[[float], None] = time.sleep):
        self._url = url
        self._wait = wait
        self._answer: Any = None
        self._answer_at = 0  # which byte of the file the answer gives next
        self._at = 0
        self._size: int | None = None
        self._version: str | None = None
        self._connect(0)

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves to a position; nothing is asked for until the next read."""
        if whence == 1:
            offset += self._at
        elif whence == 2:
            if self._size is None:
                raise OSError(f"{self._url}: the server does not tell the size of the file")
            offset += self._size
        if offset < 0:
            raise ValueError(f"{offset} is before the begin of {self._url}")
        self._at = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer with what comes next, at least one byte unless the file ends."""
        if self._size is not None and self._at >= self._size:
            return 0
        for attempt in range(_ATTEMPTS):
            try:
                self._align()
                count: int = self._answer.readinto(buffer)
                if count == 0 and self._size is not None and self._at < self._size:
                    raise http.client.IncompleteRead(b"", self._size - self._at)
            except (http.client.HTTPException, OSError) as error:
                self._disconnect()
                if isinstance(error, (FileNotFoundError, PermissionError, _FinalError)):
                    raise
                if attempt == _ATTEMPTS - 1:
                    raise _FinalError(
                        f"{self._url}: the connection broke off {_ATTEMPTS} times at byte {self._at} ({_say(error)}); "
                        "run again to go on"
                    ) from error
                self._wait(2.0**attempt)
            else:
                self._at += count
                self._answer_at += count
                return count
        return 0

    def close(self) -> None:
        """Closes the connection."""
        self._disconnect()
        super().close()

    def _disconnect(self) -> None:
        if self._answer is not None:
            with contextlib.suppress(Exception):
                self._answer.close()
            self._answer = None

    def _align(self) -> None:
        """Sees to it that the answer gives the byte at the position next."""
        if self._answer is not None and 0 < self._at - self._answer_at <= _SKIPPED_BY_READING:
            self._skip(self._at - self._answer_at)
        if self._answer is None or self._answer_at != self._at:
            self._disconnect()
            self._connect(self._at)

    def _skip(self, count: int) -> None:
        while count > 0:
            data = self._answer.read(min(count, 1 << 16))
            if not data:
                raise http.client.IncompleteRead(b"", count)
            count -= len(data)
            self._answer_at += len(data)

    def _connect(self, at: int) -> None:
        """Asks for the file from byte ``at`` on; several times if need be."""
        request = urllib.request.Request(self._url, headers={"Accept-Encoding": "identity", "User-Agent": "gristmill"})
        if at:
            request.add_header("Range", f"bytes={at}-")
        for attempt in range(_ATTEMPTS):
            try:
                self._answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
                break
            except urllib.error.HTTPError as error:
                error.close()
                if error.code in (404, 410):
                    raise FileNotFoundError(f"{self._url}: the server has no such file ({error.code})") from None
                if error.code in (401, 403):
                    raise PermissionError(
                        f"{self._url}: the server refuses it ({error.code}), as Common Crawl does any wrong path"
                    ) from None
                if error.code == 416:  # behind the end, of a file whose size the server did not tell
                    self._answer, self._answer_at = io.BytesIO(), at
                    return
                if error.code not in _RETRIED:
                    raise OSError(f"{self._url}: the server answers {error.code} {error.reason}") from None
                self._give_up_after(attempt, f"{error.code} {error.reason}")
            except (http.client.HTTPException, OSError) as error:
                self._give_up_after(attempt, _say(error))
        self._answer_at = at if self._answer.status == 206 else 0
        self._note_file()
        if self._answer_at < at:  # a server without ranges begins anew
            self._skip(at)

    def _note_file(self) -> None:
        """Remembers size and version of the file from the first answer; a later one must agree."""
        headers = self._answer.headers
        if self._answer.status == 206:
            total = (headers.get("Content-Range") or "").rpartition("/")[2]
            size = int(total) if total.isdigit() else None
        else:
            length = headers.get("Content-Length") or ""
            size = int(length) if length.isdigit() else None
        version = headers.get("ETag") or headers.get("Last-Modified")
        changed = self._size is not None and size is not None and size != self._size
        if changed or (self._version and version and version != self._version):
            raise _FinalError(f"{self._url} changed on the server while it was read; run again")
        self._size = self._size if size is None else size
        self._version = self._version or version

    def _give_up_after(self, attempt: int, problem: str) -> None:
        if attempt == _ATTEMPTS - 1:
            raise _FinalError(f"{self._url}: no answer in {_ATTEMPTS} attempts ({problem}); run again to go on")
        self._wait(2.0**attempt)


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
