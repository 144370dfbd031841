"""One dump's WARC files: which capture lies in which file, what lies between them, and what is broken."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.sample import warc_writer as warc
from pipeline.sample.damage import FILE_DAMAGES, RECORD_DAMAGES, TRUNCATED_MEMBER
from pipeline.sample.history import Capture
from pipeline.sample.pages import Page
from pipeline.sample.sites import COMPRESSING_HOSTS, Encoding, rendered

PAGE_FILES = 3  # of a dump; one more is broken as a whole
OTHER_EVERY = 20  # captures to one redirect, missing page or picture
BROKEN_HOST = "broken.example"

_PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000049454e44ae426082")


@dataclass
class DumpFile:
    """A file of the crawl with what a reader must find in it."""

    path: str  #: relative to the sample's folder
    members: list[bytes] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)  #: whole records by kind; "document" for pages
    documents: list[dict[str, Any]] = field(default_factory=list)
    broken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.members)

    def add(self, record: warc.Record, kind: str | None = None) -> None:
        self.members.append(warc.member(record.serialised()))
        self.records[kind or record.kind] += 1


def dump_files(dump: str, number: int, captures: list[Capture], victims: list[Page], seed: int) -> Iterator[DumpFile]:
    """The files of dump `number`, in the order of their names. `victims` are the pages to break, one a file."""
    rng = random.Random(f"{seed}/files/{dump}")
    rng.shuffle(captures)
    damages = list(RECORD_DAMAGES)
    for index in range(PAGE_FILES):
        damage = damages[(number * PAGE_FILES + index) % len(damages)]
        writer = _Writer(dump, index, seed)
        own = captures[index::PAGE_FILES]
        position = len(own) if damage == TRUNCATED_MEMBER else len(own) // 2
        for at, capture in enumerate(own):
            if at == position:
                writer.add_broken(victims[index], damage, rng)
            if at % OTHER_EVERY == OTHER_EVERY // 2:
                writer.add_other(index + at // OTHER_EVERY)
            writer.add_capture(capture)
        if position == len(own):
            writer.add_broken(victims[index], damage, rng)
        yield writer.file
    kind = list(FILE_DAMAGES)[number % len(FILE_DAMAGES)]
    file = DumpFile(_path(dump, PAGE_FILES), [FILE_DAMAGES[kind]])
    file.broken.append({"kind": kind, "offset": 0, "record": None, "url": None})
    yield file


def _path(dump: str, index: int) -> str:
    return f"crawl/{dump}/part-{index:05d}.warc.gz"


class _Writer:
    """Adds records to one file, each capture a second after the one before."""

    def __init__(self, dump: str, index: int, seed: int) -> None:
        self.dump, self.seed = dump, seed
        self.file = DumpFile(_path(dump, index))
        self._hour, self._seconds = 6 + 2 * index, 0
        self.file.add(warc.warcinfo(self._id("warcinfo", index), self._date(), f"sample-{dump}"))

    def add_capture(self, capture: Capture) -> None:
        date, record = self._date(), self._id("response", capture.url)
        host = capture.url.removeprefix("https://").partition("/")[0]
        self.file.add(warc.request(self._id("request", capture.url), capture.url, date))
        compressed = host in COMPRESSING_HOSTS
        self.file.add(
            warc.page_response(record, capture.url, date, capture.body, capture.encoding, compressed), "document"
        )
        document = {
            "id": record,
            "url": capture.url,
            "dump": self.dump,
            "file": self.file.path,
            "language": capture.language,
            "charset": capture.encoding.charset,
            "declared": capture.encoding.declared,
            "copy_of": capture.copy_of,
            "family": capture.family,
            "body": hashlib.sha1(capture.body).hexdigest(),
            "content": hashlib.sha1(capture.content.encode()).hexdigest(),
        }
        self.file.documents.append(document)

    def add_other(self, number: int) -> None:
        """A response that is no document."""
        url = f"https://docs.stdlib.example/other/{self.file.path}/{number}"
        record, date = self._id("response", url), self._date()
        if number % 3 == 0:
            body = b"<html><body><h1>404 Not Found</h1><p>There is no such page.</p></body></html>"
            self.file.add(warc.response(record, url, date, "404 Not Found", "text/html", body), "not-found")
        elif number % 3 == 1:
            moved = {"Location": "https://docs.stdlib.example/"}
            response = warc.response(record, url, date, "301 Moved Permanently", "text/html", b"", moved)
            self.file.add(response, "redirect")
        else:
            self.file.add(warc.response(record, url, date, "200 OK", "image/png", _PICTURE), "picture")

    def add_broken(self, page: Page, damage: str, rng: random.Random) -> None:
        url, encoding = f"https://{BROKEN_HOST}/{self.dump}/{page.path}", Encoding("utf-8", "header")
        body = rendered(page, page.content, BROKEN_HOST, encoding, self.dump)
        record = warc.page_response(self._id("response", url), url, self._date(), body, encoding)
        offset = sum(map(len, self.file.members))
        self.file.members.append(RECORD_DAMAGES[damage](record, rng))
        self.file.broken.append({"kind": damage, "offset": offset, "record": record.id, "url": url})
        if damage != TRUNCATED_MEMBER:
            notes = "".join(f"note-{line:02d}: kept by the crawler for its own use only\r\n" for line in range(40))
            self.file.add(warc.metadata(self._id("metadata", url), url, self._date(), notes))

    def _id(self, *parts: object) -> str:
        return warc.record_id(self.seed, self.dump, *parts)

    def _date(self) -> str:
        self._seconds += 1
        minutes, seconds = divmod(self._seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{self.dump}-15T{self._hour + hours:02d}:{minutes:02d}:{seconds:02d}Z"
