"""Files on web servers: streamed, seekable, resumed; against a server on this machine."""

from __future__ import annotations

import gzip
import http.server
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sources.https import open_https
from pipeline.sources.paths import InputFile, expand
from pipeline.sources.read import read_documents

DATA = random.Random(5).randbytes(700_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; breaks the connection after ``cut`` bytes of an answer, ``failures`` times."""

    files: dict[str, bytes]
    ranges = True
    cut = 0
    failures = 0
    status = 0
    changing = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str | None] = []
        self.files = {"/data.bin": DATA}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        data = self.server.files.get(self.path)
        if self.server.status and self.server.failures > 0:
            self.server.failures -= 1
            self.send_error(self.server.status)
            return
        if data is None or self.path == "/forbidden":
            self.send_error(403 if self.path == "/forbidden" else 404)
            return
        begin = 0
        if wanted and self.server.ranges:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{len(self.server.requests) if self.server.changing else 1}"')
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        answer = data[begin:]
        if self.server.failures > 0 and not self.server.status:
            self.server.failures -= 1
            answer = answer[: self.server.cut]
        self.wfile.write(answer)
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_file_is_read_with_one_request(server: Server) -> None:
    with open_https(server.url("/data.bin")) as file:
        assert file.read() == DATA
    assert server.requests == [None]


def test_seeking_asks_for_ranges_only_where_needed(server: Server) -> None:
    with open_https(server.url("/data.bin")) as file:
        assert file.seek(0, 2) == len(DATA)
        assert file.read() == b""
        file.seek(600_000)
        assert file.read(10) == DATA[600_000:600_010]
        file.seek(100)
        assert file.read(10) == DATA[100:110]
        file.seek(-5, 2)
        assert file.read() == DATA[-5:]
    assert all(wanted is None or wanted.startswith("bytes=") for wanted in server.requests)
    assert len(server.requests) <= 4


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_resumed(server: Server, ranges: bool) -> None:
    server.cut, server.failures, server.ranges = 150_000, 3, ranges
    waits: list[float] = []
    with open_https(server.url("/data.bin"), wait=waits.append) as file:
        assert file.read() == DATA
    assert waits
    if ranges:
        assert server.requests == [None, "bytes=150000-", "bytes=300000-", "bytes=450000-"]


def test_a_connection_that_keeps_breaking_is_given_up(server: Server) -> None:
    server.cut, server.failures = 0, 100
    waits: list[float] = []
    with open_https(server.url("/data.bin"), wait=waits.append) as file, pytest.raises(ConnectionError) as caught:
        file.read()
    assert "broke off 6 times at byte 0" in str(caught.value)
    assert waits == [1, 2, 4, 8, 16]


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.status, server.failures = 503, 3
    waits: list[float] = []
    with open_https(server.url("/data.bin"), wait=waits.append) as file:
        assert file.read() == DATA
    assert waits == [1, 2, 4]
    server.failures = 100
    with pytest.raises(ConnectionError, match=r"no answer in 6 attempts \(503"):
        open_https(server.url("/data.bin"), wait=lambda seconds: None)


def test_a_file_that_changes_under_way_is_refused(server: Server) -> None:
    server.cut, server.failures, server.changing = 1000, 1, True
    with (
        open_https(server.url("/data.bin"), wait=lambda seconds: None) as file,
        pytest.raises(ConnectionError, match="changed on the server"),
    ):
        file.read()


def test_missing_and_forbidden_files_say_so(server: Server) -> None:
    server.files["/forbidden"] = b"x"
    with pytest.raises(FileNotFoundError, match=r"/missing: the server has no such file \(404\)"):
        open_https(server.url("/missing"))
    with pytest.raises(PermissionError, match=r"the server refuses it \(403\)"):
        open_https(server.url("/forbidden"))
    rejects = [batch.rejects.to_pylist() for batch in read_documents(server.url("/missing"), "wet")]
    assert [(row["reason"], "404" in row["detail"]) for row in rejects[0]] == [("unreadable", True)]


def test_no_server_at_all() -> None:
    with pytest.raises(ConnectionError, match="no answer in 6 attempts"):
        open_https("http://127.0.0.1:9/x", wait=lambda seconds: None)


def test_a_crawl_over_https_from_its_path_list(server: Server, shared_data: Path) -> None:
    local = shared_data / "dumps/2020-07-01.warc.wet.gz"
    name = "crawl-data/CC-MAIN-2020-29/segments/1/wet/00000.warc.wet.gz"
    server.files[f"/{name}"] = local.read_bytes()
    server.files["/wet.paths.gz"] = gzip.compress(f"{name}\n".encode())
    server.cut, server.failures = 1_000_000, 1
    found = expand([], [server.url("/wet.paths.gz")], base=server.url("/"))
    assert found == [InputFile(server.url(f"/{name}"), "CC-MAIN-2020-29")]
    server.failures = 0
    over_http = [batch.documents for batch in read_documents(found[0].path, "wet")]
    assert over_http == [batch.documents for batch in read_documents(str(local), "wet")]
