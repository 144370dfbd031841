"""A corpus whose documents a test writes itself, as ingest would leave them, and the jobs that it runs on them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import documents, job
from pipeline.config_file import parse
from pipeline.corpus import Corpus, first_key, part_name
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes, write_part


class Part(NamedTuple):
    """What one input file holds. ``languages`` and ``urls``: one for each text, where a test says which."""

    dump: str
    number: int
    texts: Sequence[str]
    source: str = "web"
    languages: Sequence[str] | None = None
    urls: Sequence[str | None] | None = None


def corpus_of(output: Path, sources: Sequence[str] = ("web",), workers: int = 1, **sections: Any) -> Corpus:
    """A corpus below a folder; nothing is read from its sources."""
    raw = {
        "name": "planted",
        "output": str(output),
        "sources": [{"name": name, "format": "jsonl", "paths": ["nothing-is-read.jsonl"]} for name in sources],
        "engine": {"workers": workers},
    }
    return Corpus(parse(raw | sections))


def plant(corpus: Corpus, parts: Sequence[Part], folder: str = "documents") -> None:
    """Writes parts of documents in the order given; dumps get their index when first seen, as in a crawl."""
    dumps = corpus.register_dumps([part.dump for part in parts])

    def plan(corpus: Corpus) -> list[Task]:
        return [Task(part_name(part.dump, part.number), {"part": part._asdict()}) for part in parts]

    def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        part = Part(**task.arguments["part"])
        batch = _documents(part, first_key(dumps.index(part.dump), part.number))
        with write_part(corpus.path(f"{folder}/{task.name}.parquet"), documents.SCHEMA) as (out, file):
            for start in range(0, batch.num_rows, 7):
                out.write(batch.slice(start, 7))
        counts = {
            "documents": out.rows,
            "text_bytes": text_bytes(batch["text"]),
            "kept_bytes": text_bytes(batch["text"]),
        }
        details = {"source": part.source, "languages": documents.by_language(batch["language"], batch["text"])}
        return Outcome(counts, details, (corpus.stored(file),))

    job.run(Job("plant", folder, 1, lambda config: {}, plan, work), corpus)


def _documents(part: Part, first: int) -> pa.RecordBatch:
    rows = len(part.texts)
    columns = {
        "key": pa.array(range(first, first + rows), pa.uint64()),
        "id": [f"{part.dump}/{part.number}/{row}" for row in range(rows)],
        "url": list(
            part.urls or [f"https://{part.source}.example/{part.dump}/{part.number}/{row}" for row in range(rows)]
        ),
        "dump": [part.dump] * rows,
        "source": [part.source] * rows,
        "date": [None] * rows,
        "text": list(part.texts),
        "language": [None] * rows if part.languages is None else list(part.languages),
        "language_score": [None] * rows,
    }
    return pa.record_batch([pa.array(columns[field.name], field.type) for field in documents.SCHEMA], documents.SCHEMA)


def run(corpus: Corpus, *jobs: Job) -> list[str]:
    """Runs jobs in order; returns the names of those that had something to do."""
    return [each.name for each in jobs if job.run(each, corpus)]


def table(output: Path, folder: str) -> pa.Table:
    """All parts of a stage, by key where there is one; read with pyarrow alone."""
    files = sorted((output / folder).glob("*/*.parquet"))
    found = pa.concat_tables(pq.read_table(file, partitioning=None) for file in files)
    return found.sort_by("key") if "key" in found.column_names else found


def digests(output: Path, *folders: str) -> dict[str, str]:
    """SHA-256 of every data file of some stages."""
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted((output / folder).rglob("*.parquet"))
    }


def prose(rng: random.Random, words: int, vocabulary: int = 4000) -> str:
    """Words that mean nothing, so many that two texts share none of their runs by chance."""
    return " ".join(f"w{rng.randrange(vocabulary)}" for _ in range(words))


def with_changes(rng: random.Random, text: str, changes: int) -> str:
    """A text with some of its words replaced."""
    words = text.split()
    for position in rng.sample(range(len(words)), changes):
        words[position] = f"x{rng.randrange(10**6)}"
    return " ".join(words)
