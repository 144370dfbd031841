"""How much there is to deduplicate: counted where documents lie, else told from a sample of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from pipeline import job, manifests
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Task
from pipeline.jobs import ingest, sign
from pipeline.parts import read_part, text_bytes
from pipeline.sources.read import read_documents

_FILES = 6  # files that a sample is taken from, spread over all
_BYTES = 2 << 20  # of text, from each

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Workload:
    """What is to be deduplicated.

    Attributes:
        documents, text_bytes: in all dumps.
        unsigned_bytes: of text that has no signatures yet.
        dumps, parts: dumps, and files of all of them.
        removed_share: the share of documents that deduplication removed here before; None where it was never done.
        counted: whether the numbers come from the manifest of ``documents/``, and not from a sample of the inputs.
        samples: documents of a few files, apart: columns ``url`` and ``text``.
    """

    documents: int
    text_bytes: int
    unsigned_bytes: int
    dumps: int
    parts: int
    removed_share: float | None
    counted: bool
    samples: tuple[pa.Table, ...]


def workload_of(corpus: Corpus) -> Workload:
    """Looks at a corpus; reads a few MB of it at the most.

    Raises:
        ConfigError, GristmillError: there are no inputs, or no document in those that were looked into.
    """
    manifest = manifests.read_manifest(corpus.folder("documents")) or {}
    return _counted(corpus) if manifest.get("complete") else _sampled(corpus)


def _counted(corpus: Corpus) -> Workload:
    receipts = corpus.receipts("documents")
    counts = manifests.add_counts([receipt.outcome.counts for receipt in receipts])
    tables = [
        _start_of(read_part(corpus.path(receipt.outcome.files[0].path), ["url", "text"]))
        for receipt in _spread([each for each in receipts if each.outcome.counts["documents"]])
    ]
    if not tables:
        raise GristmillError(f"{corpus.folder('documents')} holds no document: there is nothing to deduplicate")
    unsigned = sum(task.bytes for task in job.state_of(sign.JOB, corpus).pending)
    dumps = {receipt.task.split("/")[0] for receipt in receipts}
    return Workload(
        documents=counts["documents"],
        text_bytes=counts["text_bytes"],
        unsigned_bytes=unsigned,
        dumps=len(dumps),
        parts=len(receipts),
        removed_share=_removed_share(corpus),
        counted=True,
        samples=tuple(tables),
    )


def _removed_share(corpus: Corpus) -> float | None:
    counts = (manifests.read_manifest(corpus.folder("clusters")) or {}).get("counts", {})
    return counts["removed"] / counts["documents"] if counts.get("documents") else None


def _sampled(corpus: Corpus) -> Workload:
    """By what a stretch at the start of some files gives for each byte of theirs."""
    tasks = ingest.plan(corpus)
    tables = []
    read = 0
    for task in _spread([task for task in tasks if task.bytes]):
        table, size = _start_of_input(task)
        tables.append(table)
        read += size
    rows = sum(len(table) for table in tables)
    if not rows:
        raise GristmillError(
            f"there is no document at the start of {len(tables)} of the {len(tasks):,} input files: "
            "are sources.format and sources.paths right?"
        )
    times = sum(task.bytes for task in tasks) / read
    size = round(times * sum(text_bytes(table["text"]) for table in tables))
    dumps = {task.arguments["dump"] for task in tasks}
    return Workload(
        documents=round(times * rows),
        text_bytes=size,
        unsigned_bytes=size,
        dumps=len(dumps),
        parts=len(tasks),
        removed_share=None,
        counted=False,
        samples=tuple(tables),
    )


def _start_of_input(task: Task) -> tuple[pa.Table, int]:
    """Documents at the start of an input file, and the bytes of the file that were read for them."""
    size = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal size
        about = task.arguments
        for batch in read_documents(about["path"], about["format"], about["columns"], batch_bytes=_BYTES // 4):
            size += batch.bytes_read
            yield batch.documents.select(["url", "text"])

    return _start_of(batches(), cut=False), size


def _start_of(batches: Iterator[pa.RecordBatch], cut: bool = True) -> pa.Table:
    """The first batches, until there are _BYTES of text; ``cut``: of the last one only what is needed."""
    found: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        size = text_bytes(batch["text"])
        if cut and held + size > _BYTES:
            batch = batch.slice(0, max(1, batch.num_rows * (_BYTES - held) // max(1, size)))
        found.append(batch)
        held += size
        if held >= _BYTES:
            break
    schema = pa.schema([("url", pa.string()), ("text", pa.large_string())])
    return pa.Table.from_batches(found).cast(schema) if found else schema.empty_table()


def _spread(items: Sequence[_Item]) -> list[_Item]:
    """A few of them, evenly."""
    few = min(_FILES, len(items))
    return [items[i * len(items) // few + len(items) // (2 * few)] for i in range(few)]
