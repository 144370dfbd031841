"""How much there is to deduplicate, and what of it is left: counted where documents lie, told from samples of files
that are still to be ingested.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import pyarrow as pa

from pipeline import job, manifests
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Task
from pipeline.jobs import cluster, ingest, match, sign
from pipeline.manifests import Receipt
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
        removed_share: the share of documents that deduplication removed here before, asked the same; None where it was
            never done so.
        new_files, new_documents: files that are not ingested, of ``parts``; and the documents estimated of them.
        samples: documents of a few files, apart: columns ``url`` and ``text``.
        unmatched_share: of documents whose pairs with earlier ones are still to be found.
        clustered: whether clusters are up to date.
    """

    documents: int
    text_bytes: int
    unsigned_bytes: int
    dumps: int
    parts: int
    removed_share: float | None
    new_files: int
    new_documents: int
    samples: tuple[pa.Table, ...]
    unmatched_share: float = 1.0
    clustered: bool = False

    @property
    def counted(self) -> bool:
        """Whether every number comes from what was ingested, and none from a sample."""
        return not self.new_files

    @property
    def anew(self) -> Workload:
        """The same as if nothing of it were done."""
        return replace(self, unsigned_bytes=self.text_bytes, unmatched_share=1.0, clustered=False)

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.clustered and not self.unsigned_bytes and not self.unmatched_share


def workload_of(corpus: Corpus, ingesting: bool = False) -> Workload:
    """Looks at a corpus; reads a few MB of it at the most.

    Args:
        corpus: opened read-only where nothing may be written.
        ingesting: whether the run begins with the crawl files: those that are new or changed count too.

    Raises:
        ConfigError, GristmillError: there are no inputs, or no document in those that were looked into.
    """
    if not ingesting and (manifests.read_manifest(corpus.folder("documents")) or {}).get("complete"):
        receipts, new = corpus.receipts("documents"), []
    else:
        state = job.state_of(ingest.JOB, corpus)
        receipts, new = (
            [state.receipts[task.name] for task in state.tasks if task.name in state.receipts],
            state.pending,
        )
    counts = manifests.add_counts([receipt.outcome.counts for receipt in receipts])
    few = _FILES // 2 if new and receipts else _FILES
    tables = [
        _start_of(read_part(corpus.path(receipt.outcome.files[0].path), ["url", "text"]))
        for receipt in _spread([each for each in receipts if each.outcome.counts["documents"]], few)
    ]
    estimated, size, sampled = _estimated(new, few)
    tables += sampled
    if not any(len(table) for table in tables):
        if not new:
            raise GristmillError(f"{corpus.folder('documents')} holds no document: there is nothing to deduplicate")
        raise GristmillError(
            f"there is no document at the start of {len(sampled)} of the {len(new):,} input files: "
            "are sources.format and sources.paths right?"
        )
    documents = counts.get("documents", 0) + estimated
    unsigned, unmatched, clustered = _left(corpus, receipts, new)
    return Workload(
        documents=documents,
        text_bytes=counts.get("text_bytes", 0) + size,
        unsigned_bytes=unsigned + size,
        dumps=len({_dump(name) for name in [*(receipt.task for receipt in receipts), *(task.name for task in new)]}),
        parts=len(receipts) + len(new),
        removed_share=_removed_share(corpus),
        new_files=len(new),
        new_documents=estimated,
        samples=tuple(tables),
        unmatched_share=(unmatched + estimated) / max(1, documents),
        clustered=clustered,
    )


def _dump(part: str) -> str:
    return part.split("/")[0].removeprefix("dump=")


def _left(corpus: Corpus, receipts: Sequence[Receipt], new: Sequence[Task]) -> tuple[int, int, bool]:
    """Of parts that are ingested: bytes without signatures, documents without pairs; and whether clusters stand."""
    here = {receipt.task: receipt.outcome.counts for receipt in receipts}
    unsigned = _pending(sign.JOB, corpus, here)
    before = (manifests.read_manifest(corpus.folder("documents")) or {}).get("tasks", [])
    gone = {receipt["task"] for receipt in before} - set(here)  # of files that are no longer asked for, or read anew
    changed = {_dump(name) for name in [*unsigned, *gone, *(task.name for task in new)]}
    waiting = _waiting_dumps(corpus, changed, {_dump(name) for name in here})
    unmatched = _pending(match.JOB, corpus, here) | {name for name in here if _dump(name) in waiting}
    try:
        clustered = not (unmatched or new or gone) and job.state_of(cluster.JOB, corpus).current
    except GristmillError:  # jobs before it are not done
        clustered = False
    return (
        sum(here[name]["text_bytes"] for name in unsigned),
        sum(here[name]["documents"] for name in unmatched),
        clustered,
    )


def _pending(of: job.Job, corpus: Corpus, parts: Collection[str]) -> set[str]:
    """Of some parts those that a job has still to do; all, where jobs before it are not done."""
    try:
        state = job.state_of(of, corpus)
    except GristmillError:
        return set(parts)
    return set(parts) - {task.name for task in state.tasks} | ({task.name for task in state.pending} & set(parts))


def _waiting_dumps(corpus: Corpus, changed: Collection[str], dumps: Collection[str]) -> set[str]:
    """Dumps whose pairs depend on dumps that changed: see ``match.plan``. New ones come last."""
    scope = corpus.config.dedup
    if scope.scope == "per-dump" or not changed:
        return set(changed)
    known = corpus.dumps()
    order = [*known, *sorted({*changed, *dumps} - set(known))]
    return set(order if scope.both_orders else order[min(map(order.index, changed)) :])


def _removed_share(corpus: Corpus) -> float | None:
    """What was removed before, where it was asked the same: another scope or another proof removes another share."""
    config = corpus.config
    for folder, settings in (("candidates", match.settings_of(config)), ("clusters", cluster.settings_of(config))):
        manifest = manifests.read_manifest(corpus.folder(folder)) or {}
        if not manifest.get("complete") or manifest.get("settings") != settings:
            return None
        if folder == "candidates":
            against = any(file["path"].startswith("outside/") for file in manifest["files"])
            if against != bool(config.dedup.against):
                return None
    counts = manifest["counts"]
    return counts["removed"] / counts["documents"] if counts.get("documents") else None


def _estimated(tasks: Sequence[Task], few: int) -> tuple[int, int, list[pa.Table]]:
    """Documents and bytes of text in input files, by what a stretch at the start of some gives for each byte."""
    tables = []
    read = 0
    for task in _spread([task for task in tasks if task.bytes], few):
        table, size = _start_of_input(task)
        tables.append(table)
        read += size
    times = sum(task.bytes for task in tasks) / max(1, read)
    rows = sum(len(table) for table in tables)
    return round(times * rows), round(times * sum(text_bytes(table["text"]) for table in tables)), tables


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


def _spread(items: Sequence[_Item], few: int) -> list[_Item]:
    """A few of them, evenly."""
    few = min(few, len(items))
    return [items[i * len(items) // few + len(items) // (2 * few)] for i in range(few)]
