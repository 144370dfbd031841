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
from pipeline.file_numbers import SourceFile
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes, write_part
from pipeline.sources.batches import SourceBatch
from pipeline.sources.https import is_https
from pipeline.sources.names import names_of
from pipeline.sources.paths import expand
from pipeline.sources.read import read_documents
from pipeline.sources.versions import Version, look_up

_SAMPLES = 20  # rejects told of a file
_TOLD = 200  # rejects, and lost files, told in the manifest
_UNREADABLE = "unreadable"
_LOST = (_UNREADABLE, "empty-file", "wrong-format")  # rejects that stand for a whole file, or all the rest of it


def plan(corpus: Corpus) -> list[Task]:
    """One task an input file. A file keeps the number it got in its dump when it was first seen, and with it its keys.

    Raises:
        ConfigError: there are no files, or they cannot be numbered; see ``Corpus.register_files``.
    """
    found = [(source, dump, paths) for source in corpus.config.sources for dump, paths in _files_of(source).items()]
    if not found:
        raise ConfigError("sources: they hold no files")
    known = corpus.known_files({dump for _, dump, _ in found})
    files: dict[str, dict[SourceFile, tuple[str, Source]]] = {}  # by dump and name
    for source, dump, paths in found:
        before = {file.name for file in known[dump] if file.source == source.name}
        names = [SourceFile(source.name, name) for name in names_of(paths, source.paths, source.base, before)]
        files.setdefault(dump, {}).update(zip(names, ((path, source) for path in paths)))
    dumps, numbers = corpus.register_files(files, known)
    index = {dump: i for i, dump in enumerate(dumps)}
    numbered = [
        (dump, numbers[dump][known_as], path, source)
        for dump in sorted(files)
        for known_as, (path, source) in files[dump].items()
    ]
    identities = _identities([path for _, _, path, _ in numbered], corpus)
    tasks = []
    for dump, number, path, source in sorted(numbered, key=lambda each: each[:2]):
        stored = identities[path]
        arguments = {
            "path": path,
            "format": source.format,
            "columns": source.columns,
            "source": source.name,
            "dump": dump,
            "first_key": first_key(index[dump], number),
        }
        tasks.append(Task(part_name(dump, number), arguments, (stored,), stored.bytes))
    return tasks


def _files_of(source: Source) -> dict[str, list[str]]:
    """Paths of a source's files by dump."""
    found = expand(
        paths=source.paths, path_lists=source.path_lists, base=source.base, files=source.files, dump=source.dump
    )
    files: dict[str, list[str]] = {}
    for file in found:
        files.setdefault(file.dump, []).append(file.path)
    return files


def _identities(paths: list[str], corpus: Corpus) -> dict[str, storage.StoredFile]:
    """Stand for the content of input files without reading it: size and when it was last written.

    A file that is not there is ``missing``: it will be a reject. One on a web server that cannot be asked is taken to
    be as it was when it was read.
    """
    https_paths = list(dict.fromkeys(path for path in paths if is_https(path)))
    identities = {path: storage.StoredFile(path, 0, "missing") for path in paths}
    for path, file in storage.look_at([path for path in paths if not is_https(path)]).items():
        identities[path] = storage.StoredFile(path, file.bytes, f"{file.bytes}@{file.updated}")
    versions = look_up(https_paths) if https_paths else {}
    noted = _noted(corpus) if len(versions) < len(https_paths) else {}
    for path in https_paths:
        identities[path] = storage.StoredFile(path, *versions.get(path, noted.get(path, Version(0, ""))))
    return identities


def _noted(corpus: Corpus) -> dict[str, Version]:
    """The versions of files on web servers that were read, as their receipts tell."""
    noted = {}
    for receipt in manifests.known_receipts(corpus.folder(JOB.folder)).values():
        with contextlib.suppress(KeyError, TypeError):
            web = receipt.outcome.details["web"]
            noted[str(web["path"])] = Version(int(web["bytes"]), str(web["version"]))
    return noted


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
    if is_https(arguments["path"]):
        details["web"] = {"path": arguments["path"], "bytes": task.bytes, "version": task.inputs[0].sha256}
    return Outcome(counts, details, tuple(corpus.stored(file) for file in files))


class _Tally:
    """Counts of one input file. Records = documents + rejects + skipped, always."""

    def __init__(self, path: str):
        self._path = path
        names = ("records", "documents", "rejects", "skipped", "text_bytes", "lost_files")
        self.counts = dict.fromkeys(names, 0)
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
        for row in rows:
            if row["reason"] in _LOST and not self.counts["lost_files"]:
                self.counts["lost_files"] = 1
                self.details["lost"] = {"file": self._path, **row}
            if row["reason"] == _UNREADABLE:  # its rights, the network, a disk: none of it is the file's
                self.details["retry"] = True


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts by dump and by source; rejects by reason; fails when too many records or too many files are lost."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    details: dict[str, Any] = {
        "dumps": manifests.add_nested([{outcome.details["dump"]: outcome.counts} for outcome in outcomes]),
        "sources": manifests.add_nested([{outcome.details["source"]: outcome.counts} for outcome in outcomes]),
        "rejects": manifests.add_counts([outcome.details["reasons"] for outcome in outcomes]),
        "reject_samples": [row for outcome in outcomes for row in outcome.details["samples"]][:_TOLD],
        "lost_files": [outcome.details["lost"] for outcome in outcomes if "lost" in outcome.details][:_TOLD],
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
    if counts.get("lost_files", 0) > limit * counts["files"]:
        first = details["lost_files"][0]
        raise GristmillError(
            f"ingest: {counts['lost_files']:,} of {counts['files']:,} files were lost, more than "
            f"ingest.max_reject_share = {limit:g} allows; the first: {first['file']}: {first['reason']} "
            f"({first['detail']}). See {corpus.folder('rejects')}; raise the share to go on all the same"
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
