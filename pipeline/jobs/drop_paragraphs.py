"""Paragraph hashes of kept documents → the paragraphs to drop: those that stand in an earlier kept document.

    hash files ─▶ distinct hashes of a part, by hash partition ─▶ rows seen in an earlier part, by part ─▶ lines to drop
                                                               ─▶ the most frequent ──────────────────▶ samples

A paragraph that repeats within its part is decided there, so the shuffle has one row for it however often it stands in
the part: the notice on every page of a crawl costs one row a part. A row is 16 bytes; texts are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from dedup.candidates import partition_of
from dedup.paragraphs import Groups, groups, nothing_left
from pipeline import kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task, telling_errors
from pipeline.jobs import hash_paragraphs
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, write_part
from text.hashing import keyed_hash

SCHEMA = pa.schema([("key", pa.uint64()), ("line", pa.uint32()), ("emptied", pa.bool_())])
SAMPLES = "most frequent paragraphs"  # a task of its own beside those of the parts
_MOST_SAMPLES = 20


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What is dropped depends on."""
    return hash_paragraphs.settings_of(config) | config.dedup.model_dump(include={"scope", "partitions"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a part, which depends on the dumps up to its own, for later ones hold no earlier copy; one of all."""
    kept = kept_texts.kept(corpus)
    dumps = corpus.dumps()
    parts: dict[int, list[tuple[str, list[str]]]] = {}
    for receipt in corpus.receipts("paragraph_hashes"):
        inputs = [receipt.outcome.files[0].sha256, kept[receipt.task].sha256]
        parts.setdefault(dumps.index(_dump_of(receipt.task)), []).append((receipt.task, inputs))
    tasks = []
    before = ""
    for index in sorted(parts):
        own = manifests.fingerprint(sorted(parts[index]))
        before = manifests.fingerprint(before, own)
        depends = own if corpus.config.dedup.scope == "per-dump" else before
        tasks += [Task(part, {"inputs": depends}) for part, _ in parts[index]]
    return [*tasks, Task(SAMPLES, {"inputs": before})]


def expand(pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus) -> beam.PCollection:
    """The picture above."""
    sources = [receipt.task for receipt in corpus.receipts("paragraph_hashes")]
    pending = {task.name for task in tasks}
    found = (
        pipeline
        | "Hash files" >> beam.Create(list(enumerate(sorted(sources, key=_order(corpus)))))
        | "Spread" >> beam.Reshuffle()
        | "Distinct hashes" >> beam.ParDo(_Distinct(settings, corpus))
        | "By hash partition" >> beam.GroupByKey()
        | "Seen before" >> beam.ParDo(_SeenBefore(pending))
    )
    tasks_left = pipeline | "Tasks" >> beam.Create([(name, None) for name in sorted(pending)])
    return (
        {"found": found, "task": tasks_left}
        | "Of each task" >> beam.CoGroupByKey()
        | "Write" >> beam.ParDo(_Write(settings, corpus))
    )


def _dump_of(part: str) -> str:
    return part.split("/")[0].removeprefix("dump=")


def _order(corpus: Corpus) -> Any:
    """Orders parts as their keys are ordered."""
    dumps = {name: index for index, name in enumerate(corpus.dumps())}
    return lambda part: (dumps[_dump_of(part)], part)


def _kept_hashes(part: str, settings: dict[str, Any], corpus: Corpus) -> tuple[np.ndarray, Groups, int]:
    """Of a part's hash file: the rows of kept documents, uint32 [m], their groups; and how many documents are kept."""
    clusters = read_whole(corpus.path(f"clusters/{part}.parquet"), ["key", "kept"])
    table = read_whole(corpus.path(f"paragraph_hashes/{part}.parquet"), ["key", "hash"])
    kept = clusters["kept"].to_numpy()
    rows = np.flatnonzero(kept[rows_of(vector(table["key"]), vector(clusters["key"]))]).astype(np.uint32)
    hashes = vector(table["hash"])[rows]
    if settings["scope"] == "per-dump":  # the same paragraph is another one in another dump
        hashes = keyed_hash(hashes, np.uint64(corpus.dumps().index(_dump_of(part))))
    return rows, groups(hashes, np.ones(len(hashes), np.uint32)), int(kept.sum())


class _Distinct(beam.DoFn):
    """(number, part) → (partition, (part, number, hashes, rows, copies)): the first row of each hash in the part."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, element: tuple[int, str]) -> Iterator[tuple[int, Any]]:
        number, part = element
        with telling_errors():
            rows, found, documents = _kept_hashes(part, self._settings, self._corpus)
        columns = (found.hashes, rows[found.first], found.copies.astype(np.uint32))
        # Ascending hashes are ascending partitions.
        bounds = np.searchsorted(
            partition_of(found.hashes, self._settings["partitions"]), np.arange(self._settings["partitions"] + 1)
        )
        for partition in np.flatnonzero(np.diff(bounds)).tolist():
            here = slice(bounds[partition], bounds[partition + 1])
            yield partition, (part, number, *(column[here] for column in columns))
        progress.advance(documents)


class _SeenBefore(beam.DoFn):
    """One hash partition → (part, its rows that an earlier part has), and the most frequent paragraphs."""

    def __init__(self, pending: set[str]):
        self._pending = pending

    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[tuple[str, Any]]:
        messages = sorted(element[1], key=lambda message: message[1])  # in the order of keys
        hashes, rows, copies = (np.concatenate([message[place] for message in messages]) for place in (2, 3, 4))
        found = groups(hashes, copies)
        starts = np.cumsum([0, *(len(message[2]) for message in messages)])
        for message, start, stop in zip(messages, starts[:-1], starts[1:], strict=True):
            seen = found.repeats[start:stop]
            if message[0] in self._pending and seen.any():
                yield message[0], rows[start:stop][seen]
        numbers = np.repeat([message[1] for message in messages], np.diff(starts))
        for first in _most_frequent(found, numbers[found.first], rows[found.first]).tolist():
            message = messages[int(np.searchsorted(starts, found.first[first], "right")) - 1]
            yield SAMPLES, (-int(found.copies[first]), message[1], int(rows[found.first[first]]), message[0])


def _most_frequent(found: Groups, parts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The largest groups, those whose first copy is earlier first among equals; none that has one copy only."""
    least = 2
    if len(found.copies) > _MOST_SAMPLES:
        least = max(least, np.partition(found.copies, -_MOST_SAMPLES)[-_MOST_SAMPLES])
    large = np.flatnonzero(found.copies >= least)
    return large[np.lexsort((rows[large], parts[large], -found.copies[large]))][:_MOST_SAMPLES]


class _Write(beam.DoFn):
    """What is known of a part → the file of what goes of it."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        name, groups_of_task = element
        if not list(groups_of_task["task"]):  # done in an earlier run
            return
        with telling_errors():
            write = self._samples if name == SAMPLES else self._part
            yield name, write(name, list(groups_of_task["found"]))
        progress.advance(tasks=1)

    def _part(self, part: str, seen: list[np.ndarray]) -> Outcome:
        rows, found, documents = _kept_hashes(part, self._settings, self._corpus)
        hashed = read_whole(self._corpus.path(f"paragraph_hashes/{part}.parquet"))
        drop = np.zeros(hashed.num_rows, bool)
        drop[rows[found.repeats]] = True
        for more in seen:
            drop[more] = True
        keys = vector(hashed["key"])
        emptied = nothing_left(keys, drop, vector(hashed["accompanied"]))
        dropped = pa.record_batch([keys[drop], vector(hashed["line"])[drop], pa.array(emptied[drop])], schema=SCHEMA)
        with write_part(self._corpus.path(f"paragraphs/{part}.parquet"), SCHEMA) as (out, file):
            out.write(dropped)
        counts = {
            "documents": documents,
            "paragraphs": len(rows),
            "removed": out.rows,
            "removed_bytes": int(vector(hashed["bytes"])[drop].sum(dtype=np.int64)),
            "edited": len(np.unique(keys[drop])),
            "emptied": len(np.unique(keys[emptied])),
        }
        return Outcome(counts, {}, (self._corpus.stored(file),))

    def _samples(self, name: str, largest: list[tuple[int, int, int, str]]) -> Outcome:
        samples = []
        for count, _, row, part in sorted(largest)[:_MOST_SAMPLES]:
            table = read_whole(self._corpus.path(f"paragraph_hashes/{part}.parquet"), ["key", "line"])
            samples.append(
                {"key": str(table["key"][row].as_py()), "line": table["line"][row].as_py(), "copies": -count}
            )
        return Outcome({}, {"paragraphs": samples})


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The counts of all parts, and the paragraphs that stand most often, by the place of their first copy."""
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), outcomes[-1].details)


JOB = Job(
    "paragraphs",
    "paragraphs",
    1,
    settings_of,
    plan,
    expand=expand,
    summarise=summarise,
    asked_for=hash_paragraphs.asked_for,
)
