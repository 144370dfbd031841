"""A small crawl cut out of the snapshot dumps: real pages, several files a dump, all versions of a page or none."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import runs
import yaml
from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipeline import config_file, stages
from pipeline.corpus import Corpus

FILES_A_DUMP = 3
DEDUP = ("signatures", "candidates", "outside", "clusters")


def cut(dumps: Path, folder: Path, share: int) -> list[str]:
    """Writes one page of ``share`` as ``<folder>/<dump>/<number>.warc.wet.gz``; returns the names of the dumps."""
    names = []
    for path in sorted(dumps.glob("*.warc.wet.gz")):
        records: list[list[bytes]] = [[] for _ in range(FILES_A_DUMP)]
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                number = crc32(urlsplit(record.headers["WARC-Target-URI"]).path.encode())
                if number % share == 0:
                    records[number // share % FILES_A_DUMP].append(_raw(record))
        names.append(path.name.removesuffix(".warc.wet.gz"))
        (folder / names[-1]).mkdir(parents=True)
        for number, some in enumerate(records):
            (folder / names[-1] / f"{number}.warc.wet.gz").write_bytes(gzip.compress(b"".join(some), 1, mtime=0))
    return names


def _raw(record: Any) -> bytes:
    """The record as a crawl file holds it."""
    text = record.reader.read()
    headers = {name: value for name, value in record.headers if name != "Content-Length"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"WARC/1.0\r\n{head}Content-Length: {len(text)}\r\n\r\n".encode() + text + b"\r\n\r\n"


def add(crawl: Path, to: Path, *dumps: str) -> None:
    """Lets some dumps of a crawl appear in another one."""
    for dump in dumps:
        (to / dump).mkdir(parents=True)
        for file in (crawl / dump).iterdir():
            os.link(file, to / dump / file.name)


def config(crawl: Path, output: Path, workers: int = 2, **sections: Any) -> dict[str, Any]:
    """A config over all that lies in a crawl."""
    return {
        "name": "snapshots",
        "output": str(output),
        "sources": [{"name": "docs", "format": "wet", "paths": [str(crawl / "{dump}" / "*.warc.wet.gz")]}],
        "filter": {"presets": []},
        "tokenizer": {"vocabulary": 600},
        "engine": {"workers": workers},
    } | sections


def write_config(path: Path, content: dict[str, Any]) -> Path:
    """A config as a person has it, in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def deduplicate(content: dict[str, Any]) -> tuple[Corpus, list[str]]:
    """Ingests and deduplicates; returns the corpus and the jobs that had something to do."""
    corpus = Corpus(config_file.parse(content))
    watcher = runs.Silent()
    stages.run(corpus, stages.until("dedup"), watcher)
    return corpus, watcher.ran


def promised(output: Path, *folders: str) -> dict[str, str]:
    """Fingerprints of the files of some stages, of all of dedup's when none is named."""
    found = runs.fingerprint(output)
    return {path: sha for path, sha in found.items() if path.split("/")[0] in (folders or DEDUP)}
