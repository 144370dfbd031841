"""What the whole-run tests share: running a config into a folder and reading back what it made, by other means."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import config_file, stages
from pipeline.corpus import Corpus

HERE = Path(__file__).parent


class Silent:
    """Watches without a word; remembers which jobs had something to do."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def started(self, stage, job):
        pass

    def finished(self, stage, job, manifest, seconds, ran):
        if ran:
            self.ran.append(job)


def run(path: Path, output: Path, workers: int, change=None) -> tuple[Corpus, list[str]]:
    """Runs all stages; returns the corpus and the jobs that had something to do."""
    loaded = config_file.load(path)
    loaded.output = str(output)
    loaded.engine.workers = workers
    if change:
        change(loaded)
    corpus = Corpus(loaded)
    watcher = Silent()
    stages.run(corpus, stages.until(None), watcher)
    return corpus, watcher.ran


# Of a finished output folder these may differ between equal runs: the settings of the engine, and the lock.
_NOT_PROMISED = {"corpus.yaml", ".lock"}
# Of a manifest, when the work was done, by how many and in how many sittings; and into how many pieces it was divided.
_OF_THE_RUN = {"created", "seconds", "workers", "tasks_run"}
_OF_SOME_RUNS = {"division"}


def fingerprint(output: Path) -> dict[str, str]:
    """SHA-256 of every file whose bytes are promised; of a manifest, of all that it promises."""
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(_promised(path)).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in _NOT_PROMISED
    }


def _promised(path: Path) -> bytes:
    if path.name != "manifest.json":
        return path.read_bytes()
    manifest = json.loads(path.read_bytes())
    assert manifest.keys() >= _OF_THE_RUN, path
    promised = manifest.keys() - _OF_THE_RUN - _OF_SOME_RUNS
    return json.dumps({key: manifest[key] for key in promised}, sort_keys=True).encode()


def table(output: Path, folder: str, columns=None):
    """All parts of a stage as one Arrow table, read with pyarrow alone."""
    files = sorted((output / folder).glob("*/*.parquet"))
    return pa.concat_tables(pq.read_table(file, columns=columns, partitioning=None) for file in files)


def count_records(path: Path, kind: str) -> int:
    """Records of one WARC type in an undamaged file, counted by their header line alone."""
    return len(
        re.findall(rb"^WARC-Type: " + kind.encode() + rb"\r?$", gzip.decompress(path.read_bytes()), re.MULTILINE)
    )
