"""Which version of a file a web server holds, told by its headers alone."""

from __future__ import annotations

import contextlib
import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from typing import NamedTuple

_TIMEOUT = 20.0  # seconds
_AT_ONCE = 16  # connections
_ATTEMPTS = 2  # the second on a new connection, as servers close those kept open when they like
_SILENT_AFTER = 3 * _AT_ONCE  # files in a row for which a server could not be reached at all: the rest is not tried
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "gristmill"}


class Version(NamedTuple):
    """Size in bytes (0 if not told) and what changes when the file does."""

    bytes: int
    mark: str


def look_up(urls: list[str]) -> dict[str, Version]:
    """Asks web servers for the headers of files (``HEAD``), over connections kept open.

    A file of which a server tells neither size nor time, that it refuses, or that cannot be asked for now is left out:
    a file that was read once is not to be read again because a server was busy.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asking = _Asking()
        try:
            found = list(pool.map(asking.version, urls))
        finally:
            asking.close()
    return {url: version for url, version in zip(urls, found) if version is not None}


class _Asking:
    """The connections of one look-up, one a thread and server."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._all: list[http.client.HTTPConnection] = []
        self._silent: Counter[str] = Counter()

    def version(self, url: str) -> Version | None:
        """The version of one file; None where it cannot be told."""
        server = urllib.parse.urlsplit(url).netloc
        if self._silent[server] >= _SILENT_AFTER:
            return None
        try:
            headers = self._head(url)
        except (OSError, http.client.HTTPException, ValueError):
            self._silent[server] += 1
            return None
        self._silent[server] = 0
        return _version(headers) if headers is not None else None

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._all:
            connection.close()

    def _head(self, url: str) -> Message | None:
        """The headers of the answer; None if it is not 200."""
        parts = urllib.parse.urlsplit(url)
        proxied = parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.hostname or "")
        if proxied:
            return _head_anew(url)
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        for attempt in range(_ATTEMPTS):
            connection = self._connection(parts.scheme, parts.netloc)
            try:
                connection.request("HEAD", target, headers=_HEADERS)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the next request opens it anew
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                if 300 <= answer.status < 400:
                    return _head_anew(url)
                return answer.headers if answer.status == 200 else None
        return None

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        connections = self._of_thread.__dict__.setdefault("connections", {})
        if (scheme, netloc) not in connections:
            kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            connections[scheme, netloc] = kind(netloc, timeout=_TIMEOUT)
            self._all.append(connections[scheme, netloc])
        connection: http.client.HTTPConnection = connections[scheme, netloc]
        return connection


def _head_anew(url: str) -> Message | None:
    """The same by the long way, which knows proxies and goes where a server sends it."""
    request = urllib.request.Request(url, headers=_HEADERS, method="HEAD")
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        headers: Message = answer.headers
        return headers
    return None


def _version(headers: Message) -> Version | None:
    length = headers.get("Content-Length") or ""
    size = int(length) if length.isdigit() else None
    changed = headers.get("Last-Modified") or headers.get("ETag") or ""
    if size is None and not changed:
        return None
    return Version(size or 0, f"{'?' if size is None else size}@{changed}")
