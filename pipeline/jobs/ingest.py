"""Crawl files → documents, one part an input file; what cannot be read → rejects."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import pyarrow as pa

from pipeline import documents, manifests, progress, storage
from pipeline.config import CorpusConfig, Source
from pipeline.corpus import Corpus, first_key, part_name
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes, write_part
from pipeline.sources.batches import SourceBatch
from pipeline.sources.https import is_https
from pipeline.sources.paths import InputFile, expand
from pipeline.sources.read import read_documents

_SAMPLES = 20


def plan(corpus: Corpus) -> list[Task]:
    """One task an input file. A dump's files are numbered by source and path, so that keys never depend on chance."""
    files = sorted(
        ((file, source) for source in corpus.config.sources for file in _files_of(source)),
        key=lambda pair: (pair[0].dump, pair[1].name, pair[0].path),
    )
    if not files:
        raise ConfigError("sources: they hold no files")
    dumps = corpus.register_dumps([file.dump for file, _ in files])
    numbers: dict[str, int] = {}
    identities = _identities([file.path for file, _ in files])
    tasks = []
    for file, source in files:
        number = numbers.get(file.dump, 0)
        numbers[file.dump] = number + 1
        stored = identities[file.path]
        arguments = {
            "path": file.path,
            "format": source.format,
            "columns": source.columns,
            "source": source.name,
            "dump": file.dump,
            "first_key": first_key(dumps.index(file.dump), number),
        }
        tasks.append(Task(part_name(file.dump, number), arguments, (stored,), stored.bytes))
    return tasks


def _files_of(source: Source) -> list[InputFile]:
    return expand(
        paths=source.paths, path_lists=source.path_lists, base=source.base, files=source.files, dump=source.dump
    )


def _identities(paths: list[str]) -> dict[str, storage.StoredFile]:
    """Stand for the content of input files without reading it: size and when it was last written.

    A file that is not there is ``missing``: it will be a reject. One on a web server is taken to stay as it is.
    """
    https_paths = {path for path in paths if is_https(path)}
    found = storage.look_at([path for path in paths if path not in https_paths])
    identities = {path: storage.StoredFile(path, 0, "" if path in https_paths else "missing") for path in paths}
    for path, file in found.items():
        identities[path] = storage.StoredFile(path, file.bytes, f"{file.bytes}@{file.updated}")
    return identities


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Reads one input file to its end, whatever is in it."""
    arguments = task.arguments
    tally = _Tally(arguments["path"])
    with contextlib.ExitStack() as stack:
        path = corpus.path(f"documents/{task.name}.parquet")
        out, file = stack.enter_context(write_part(path, documents.SCHEMA))
        files, rejects_out = [file], None
        for batch in read_documents(arguments["path"], arguments["format"], arguments["columns"]):
            kept = documents.to_documents(
                batch.documents, arguments["first_key"], arguments["dump"], arguments["source"]
            )
            out.write(kept)
            if batch.rejects.num_rows:
                if rejects_out is None:
                    path = corpus.path(f"rejects/{task.name}.parquet")
                    rejects_out, file = stack.enter_context(write_part(path, documents.REJECTS_SCHEMA))
                    files.append(file)
                rejects_out.write(documents.to_rejects(batch.rejects, arguments["first_key"], arguments["path"]))
            tally.add(kept, batch)
            progress.advance(kept.num_rows, batch.bytes_read)
    counts = tally.counts | {"files": 1, "input_bytes": task.bytes}
    details = {"dump": arguments["dump"], "source": arguments["source"]} | tally.details
    return Outcome(counts, details, tuple(corpus.stored(file) for file in files))


class _Tally:
    """Counts of one input file. Records = documents + rejects + skipped, always."""

    def __init__(self, path: str):
        self._path = path
        self.counts = dict.fromkeys(("records", "documents", "rejects", "skipped", "text_bytes"), 0)
        self.details: dict[str, Any] = {"skipped": {}, "reasons": {}, "samples": []}

    def add(self, kept: pa.RecordBatch, batch: SourceBatch) -> None:
        """Adds one batch."""
        rows = batch.rejects.select(["record", "offset", "reason", "detail"]).to_pylist()
        reasons: dict[str, int] = dict(Counter(row["reason"] for row in rows))
        added = {"documents": kept.num_rows, "rejects": len(rows), "skipped": sum(batch.skipped.values())}
        added["records"] = sum(added.values())
        added["text_bytes"] = text_bytes(kept["text"])
        self.counts = manifests.add_counts([self.counts, added])
        self.details["skipped"] = manifests.add_counts([self.details["skipped"], batch.skipped])
        self.details["reasons"] = manifests.add_counts([self.details["reasons"], reasons])
        room = _SAMPLES - len(self.details["samples"])
        self.details["samples"] += [{"file": self._path, **row} for row in rows[:room]]


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts by dump and by source; rejects by reason; fails when there are too many of them."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    details: dict[str, Any] = {
        "dumps": manifests.add_nested([{outcome.details["dump"]: outcome.counts} for outcome in outcomes]),
        "sources": manifests.add_nested([{outcome.details["source"]: outcome.counts} for outcome in outcomes]),
        "rejects": manifests.add_counts([outcome.details["reasons"] for outcome in outcomes]),
        "reject_samples": [row for outcome in outcomes for row in outcome.details["samples"]][:200],
        "skipped": manifests.add_counts([outcome.details["skipped"] for outcome in outcomes]),
    }
    limit = corpus.config.ingest.max_reject_share
    if counts["rejects"] > limit * counts["records"]:
        first = details["reject_samples"][0]
        raise GristmillError(
            f"ingest: {counts['rejects']:,} of {counts['records']:,} records were rejected, more than "
            f"ingest.max_reject_share = {limit:g} allows; the first: {first['file']} at byte {first['offset']}: "
            f"{first['reason']}. See {corpus.folder('rejects')}; raise the share to go on all the same"
        )
    if not counts["documents"]:
        skipped = ", ".join(f"{count:,} {what}" for what, count in details["skipped"].items())
        raise GristmillError(
            f"ingest: there is no document in {counts['files']:,} files of "
            f"{', '.join(source.name for source in corpus.config.sources)} (skipped: {skipped or 'nothing'}): "
            "are sources.format and sources.paths right?"
        )
    return Outcome(counts, details)


def _settings(config: CorpusConfig) -> dict[str, Any]:
    return {}


def _summary_settings(config: CorpusConfig) -> dict[str, Any]:
    return config.ingest.model_dump()


JOB = Job(
    "ingest",
    "documents",
    1,
    _settings,
    plan,
    work,
    beside=("rejects",),
    summarise=summarise,
    summary_settings=_summary_settings,
)
