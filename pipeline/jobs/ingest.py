"""Crawl files → documents, one part an input file; what cannot be read → rejects."""

from __future__ import annotations

import contextlib
from typing import Any

from apache_beam.io.filesystems import FileSystems

from pipeline import documents, manifests, progress, storage
from pipeline.config import CorpusConfig, Source
from pipeline.corpus import Corpus, first_key, part_name
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import write_part
from pipeline.sources import read_documents
from pipeline.sources.paths import InputFile, expand

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
    tasks = []
    for file, source in files:
        number = numbers.get(file.dump, 0)
        numbers[file.dump] = number + 1
        stored = _identity(file.path)
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


def _identity(path: str) -> storage.StoredFile:
    """Stands for an input file's content without reading it: its size and when it was last written."""
    if path.startswith(("http://", "https://")):
        return storage.StoredFile(path, 0, "")
    [found] = FileSystems.match([path])[0].metadata_list or [None]
    if found is None:
        return storage.StoredFile(path, 0, "missing")
    return storage.StoredFile(path, found.size_in_bytes, f"{found.size_in_bytes}@{found.last_updated_in_seconds}")


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Reads one input file to its end, whatever is in it."""
    arguments = task.arguments
    counts = dict.fromkeys(("documents", "rejects", "skipped", "text_bytes"), 0)
    skipped: dict[str, int] = {}
    reasons: dict[str, int] = {}
    samples: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        out, file = stack.enter_context(
            write_part(corpus.path(f"documents/{task.name}.parquet"), documents.SCHEMA)
        )
        reject_out, reject_file = stack.enter_context(
            write_part(corpus.path(f"rejects/{task.name}.parquet"), documents.REJECTS_SCHEMA)
        )
        for batch in read_documents(arguments["path"], arguments["format"], arguments["columns"]):
            if batch.documents.num_rows:
                out.write(
                    documents.to_documents(
                        batch.documents, arguments["first_key"], arguments["dump"], arguments["source"]
                    )
                )
            if batch.rejects.num_rows:
                reject_out.write(documents.to_rejects(batch.rejects, arguments["first_key"], arguments["path"]))
            for row in batch.rejects.select(["record", "offset", "reason", "detail"]).to_pylist():
                reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
                if len(samples) < _SAMPLES:
                    samples.append({"file": arguments["path"], **row})
            for kind, number in batch.skipped.items():
                skipped[kind] = skipped.get(kind, 0) + number
            text_bytes = sum(buffer.size for buffer in [batch.documents["text"].buffers()[2]] if buffer)
            counts["text_bytes"] += text_bytes
            progress.advance(batch.documents.num_rows, batch.bytes_read)
        counts |= {"documents": out.rows, "rejects": reject_out.rows, "skipped": sum(skipped.values())}
    counts["records"] = counts["documents"] + counts["rejects"] + counts["skipped"]
    counts |= {"files": 1, "input_bytes": task.bytes}
    details = {"skipped": skipped, "reasons": reasons, "samples": samples}
    return Outcome(counts, details, (corpus.stored(file), corpus.stored(reject_file)))


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> tuple[dict[str, int], dict[str, Any]]:
    """Counts by dump and by source; rejects by reason."""
    tasks = plan(corpus)
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    limit = corpus.config.ingest.max_reject_share
    details = {
        "dumps": manifests.add_nested(
            [{task.arguments["dump"]: outcome.counts} for task, outcome in zip(tasks, outcomes, strict=True)]
        ),
        "sources": manifests.add_nested(
            [{task.arguments["source"]: outcome.counts} for task, outcome in zip(tasks, outcomes, strict=True)]
        ),
        "rejects": manifests.add_counts([outcome.details["reasons"] for outcome in outcomes]),
        "reject_samples": [row for outcome in outcomes for row in outcome.details["samples"]][:200],
        "skipped": manifests.add_counts([outcome.details["skipped"] for outcome in outcomes]),
    }
    if counts["rejects"] > limit * counts["records"]:
        first = details["reject_samples"][0]
        raise GristmillError(
            f"ingest: {counts['rejects']:,} of {counts['records']:,} records were rejected, more than "
            f"ingest.max_reject_share = {limit:g} allows; the first: {first['file']} at byte {first['offset']}: "
            f"{first['reason']}. See {corpus.folder('rejects')}; raise the share to go on all the same"
        )
    return counts, details


def _settings(config: CorpusConfig) -> dict[str, Any]:
    return {}


JOB = Job("ingest", "documents", 1, _settings, plan, work, beside=("rejects",), summarise=summarise)
