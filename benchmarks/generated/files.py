"""A generated corpus on disk: as crawl files for the whole pipeline, or as the output of its first jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.generated.corpus import BATCH, File, GeneratedCorpus
from dedup.minhash import MinHashSettings, url_hashes
from dedup.signature_files import schema, to_record_batch
from pipeline import config_file, documents, job, progress
from pipeline.corpus import Corpus, first_key, part_name
from pipeline.job import Job, Task
from pipeline.jobs import sign
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes, write_part
from pipeline.sample.warc_writer import Record, member, record_id, warcinfo

_DATE = "2024-01-01T00:00:00Z"


def write_parquet(generated: GeneratedCorpus, folder: Path) -> str:
    """Writes Parquet files with url and text, one folder a dump; returns the path for ``sources.paths``."""
    for file, path in _paths(generated, folder, "parquet"):
        with pq.ParquetWriter(path, pa.schema([("url", pa.string()), ("text", pa.large_string())])) as out:
            for batch in generated.batches(file.start, file.stop):
                out.write(pa.record_batch([batch.url, batch.text], ["url", "text"]))
    return f"{folder}/{{dump}}/*.parquet"


def write_wet(generated: GeneratedCorpus, folder: Path) -> str:
    """Writes WET files, a gzip member a record as Common Crawl does; returns the path for ``sources.paths``."""
    for file, path in _paths(generated, folder, "warc.wet.gz"):
        with path.open("wb") as out:
            out.write(member(warcinfo(record_id(path.name), _DATE, path.name).serialised()))
            for batch in generated.batches(file.start, file.stop):
                for url, text in zip(batch.url.to_pylist(), batch.text.to_pylist()):
                    about = (("WARC-Target-URI", url), ("WARC-Date", _DATE), ("Content-Type", "text/plain"))
                    out.write(member(Record("conversion", record_id(url), text.encode(), about).serialised()))
    return f"{folder}/{{dump}}/*.warc.wet.gz"


def _paths(generated: GeneratedCorpus, folder: Path, ending: str) -> list[tuple[File, Path]]:
    names = generated.dump_names()
    made = []
    for file in generated.input_files():
        path = folder / names[file.dump] / f"{file.number:05d}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.append((file, path))
    return made


def new_corpus(output: Path | str, config: dict[str, Any] | None = None) -> Corpus:
    """An output folder for ``write_documents`` or ``write_signatures``, with further sections of the config."""
    source = {"name": "generated", "format": "parquet", "paths": [f"{output}-in/{{dump}}/*.parquet"]}
    return Corpus(config_file.parse({"name": "generated", "output": str(output), "sources": [source]} | (config or {})))


def write_documents(generated: GeneratedCorpus, corpus: Corpus) -> None:
    """Leaves ``documents/`` as ingest would."""

    def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        return _write_documents(generated, _file_of(generated, task), task.name, corpus)

    _run("ingest", "documents", generated, corpus, lambda config: {}, work)


def write_signatures(generated: GeneratedCorpus, corpus: Corpus) -> None:
    """Leaves ``signatures/`` as sign would, of documents that never had a text, with ``documents/`` that have none."""

    def documents_without_text(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        return _write_documents(generated, _file_of(generated, task), task.name, corpus, texts=False)

    def signatures(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        file = _file_of(generated, task)
        minhash = MinHashSettings(**settings)
        with write_part(corpus.path(f"signatures/{task.name}.parquet"), schema(minhash)) as (out, stored):
            for start in range(file.start, file.stop, BATCH):
                stop = min(file.stop, start + BATCH)
                keys = first_key(file.dump, file.number) + np.arange(
                    start - file.start, stop - file.start, dtype=np.uint64
                )
                urls = url_hashes(generated.urls(start, stop))
                signed = generated.signatures(start, stop, minhash.permutations)
                out.write(to_record_batch(keys, urls, signed, minhash))
        return Outcome({"documents": out.rows, "text_bytes": 0}, {}, (corpus.stored(stored),))

    _run("ingest", "documents", generated, corpus, lambda config: {}, documents_without_text)
    _run(sign.JOB.name, sign.JOB.folder, generated, corpus, sign.settings_of, signatures)


def _run(
    name: str,
    folder: str,
    generated: GeneratedCorpus,
    corpus: Corpus,
    settings: Callable[[Any], dict[str, Any]],
    work: Callable[[Task, dict[str, Any], Corpus], Outcome],
) -> None:
    """Runs a job of our own in the place of one of the pipeline's, one task a file."""
    names = generated.dump_names()

    def plan(corpus: Corpus) -> list[Task]:
        return [
            Task(part_name(names[file.dump], file.number), {"file": i}, (), file.stop - file.start)
            for i, file in enumerate(generated.input_files())
        ]

    corpus.claim()
    corpus.register_dumps(names)
    job.run(Job(name, folder, 1, settings, plan, work), corpus)


def _file_of(generated: GeneratedCorpus, task: Task) -> File:
    return generated.input_files()[task.arguments["file"]]


def _write_documents(generated: GeneratedCorpus, file: File, name: str, corpus: Corpus, texts: bool = True) -> Outcome:
    size = 0
    first, dump = first_key(file.dump, file.number), generated.dump_names()[file.dump]
    with write_part(corpus.path(f"documents/{name}.parquet"), documents.SCHEMA) as (out, stored):
        for start in range(file.start, file.stop, BATCH):
            stop = min(file.stop, start + BATCH)
            url = generated.urls(start, stop)
            text = next(generated.batches(start, stop)).text if texts else pa.array([""] * len(url), pa.large_string())
            record = pa.array(np.arange(start - file.start, stop - file.start, dtype=np.uint32))
            nothing = pa.nulls(stop - start, pa.string())
            columns = {"record": record, "id": url, "url": url, "date": nothing, "text": text}
            rows = documents.to_documents(pa.RecordBatch.from_pydict(columns), first, dump, "generated")
            out.write(rows)
            size += text_bytes(rows["text"])
            progress.advance(rows.num_rows, 0)
    counts = {"files": 1, "records": out.rows, "documents": out.rows, "rejects": 0, "skipped": 0, "text_bytes": size}
    details = {"dump": dump, "source": "generated"}
    return Outcome(counts | {"input_bytes": 0, "lost_files": 0}, details, (corpus.stored(stored),))
