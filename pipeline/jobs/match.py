"""Signatures → verified pairs of copies: documents that share a band and resemble each other.

    signature files ─▶ bands by hash partition ─▶ candidate pairs ─▶ by the left document's part: + its minima
                                                                 ─▶ by the right document's part: + its minima ─▶ pairs

Only packed columns travel: 16 bytes a band, then the pairs with one row of minima. Pairs end beside the part of the
later document, which makes the dedup rate of every prefix of dumps one pass over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from dedup.banding import Banding, band_hashes
from dedup.candidates import candidate_pairs, partition_of, unique_pairs
from dedup.minhash import MinHashSettings
from dedup.signature_files import check_schema, matrix
from dedup.verification import estimated_jaccard
from pipeline import manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus, part_of, part_path
from pipeline.job import Job, Task, telling_errors
from pipeline.jobs import sign
from pipeline.manifests import Outcome
from pipeline.parts import read_part, read_schema, read_whole, write_part

SCHEMA = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("jaccard", pa.float32())])
_PAIRS_A_MESSAGE = 1 << 15  # with 112 minima, 15 MB


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the pairs depend on."""
    bands = sign.banding(config.dedup)
    return {
        "signatures": sign.settings_of(config),
        "bands": bands.bands,
        "rows": bands.rows,
        **config.dedup.model_dump(include={"verify", "min_jaccard", "partitions"}),
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part, which holds the pairs whose later document lies in it; every one depends on all signatures."""
    receipts = corpus.receipts("signatures")
    everything = manifests.fingerprint([file.sha256 for receipt in receipts for file in receipt.outcome.files])
    return [Task(receipt.task, {"signatures": everything}) for receipt in receipts]


def expand(pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus) -> beam.PCollection:
    """The picture above."""
    sources = [receipt.task for receipt in corpus.receipts("signatures")]
    bands = (
        pipeline
        | "Signature files" >> beam.Create(sources)
        | "Spread" >> beam.Reshuffle()
        | "Bands" >> beam.ParDo(_Bands(settings, corpus))
        | "By hash partition" >> beam.GroupByKey()
    )
    pairs = bands | "Candidate pairs" >> beam.ParDo(_Candidates())
    by_left = pairs | "By left part" >> beam.GroupByKey()
    by_right = (
        by_left
        | "Left minima" >> beam.ParDo(_LeftMinima(settings, corpus))
        | "By right part" >> beam.GroupByKey()
        | "Verify" >> beam.ParDo(_Verify(settings, corpus))
    )
    # Every task leaves its file, also the one that no pair reached.
    nothing = pipeline | "Tasks" >> beam.Create([(task.name, None) for task in tasks])
    return (
        {"pairs": by_right, "task": nothing}
        | "Pairs of each task" >> beam.CoGroupByKey()
        | "Write" >> beam.ParDo(_Write(corpus))
    )


class _Bands(beam.DoFn):
    """Signature file → (partition, keys, hashes). The exact content hash travels as one more band."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, part: str) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
        partitions = self._settings["partitions"]
        with telling_errors():
            path = self._corpus.path(f"signatures/{part}.parquet")
            check_schema(read_schema(path), MinHashSettings(**self._settings["signatures"]))
            banding = Banding(self._settings["bands"], self._settings["rows"])
            for batch in read_part(path, ["key", "content", "words", "minima"]):
                keys, hashes = band_rows(batch, banding)
                places = partition_of(hashes, partitions)
                progress.advance(batch.num_rows)
                for partition in range(partitions):
                    here = places == partition
                    yield partition, (keys[here], hashes[here])


def band_rows(batch: pa.RecordBatch, banding: Banding) -> tuple[np.ndarray, np.ndarray]:
    """Keys and hashes (uint64) of the band shuffle: a row a band of each document with words, and a row a content."""
    keys = vector(batch["key"])
    has_words = vector(batch["words"]) > 0  # a document without a word has no shingle to share
    bands = band_hashes(matrix(batch["minima"])[has_words], banding)
    hashes = np.concatenate([bands.ravel(), vector(batch["content"])])
    return np.concatenate([np.repeat(keys[has_words], bands.shape[1]), keys]), hashes


class _Candidates(beam.DoFn):
    """One hash partition → candidate pairs by the part of their left document."""

    def process(self, element: tuple[int, Iterable[tuple[np.ndarray, np.ndarray]]]) -> Iterator[tuple[int, Any]]:
        _, packed = element
        columns = list(packed)
        keys = np.concatenate([keys for keys, _ in columns])
        hashes = np.concatenate([hashes for _, hashes in columns])
        left, right = candidate_pairs(keys, hashes)
        left, right = unique_pairs(left, right)
        yield from _by_part(part_of(left), left, right)


class _LeftMinima(beam.DoFn):
    """Candidate pairs of one left part → the same, distinct, with the minima of the left documents, by right part."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, element: tuple[int, Iterable[tuple[np.ndarray, np.ndarray]]]) -> Iterator[tuple[int, Any]]:
        part, packed = element
        columns = list(packed)
        left, right = unique_pairs(
            np.concatenate([left for left, _ in columns]), np.concatenate([right for _, right in columns])
        )
        if self._settings["verify"] == "off":
            yield from _by_part(part_of(right), left, right)
            return
        with telling_errors():
            minima, rows = minima_of(part, left, self._corpus)
        for right_part, (some_left, some_right, some_rows) in _by_part(part_of(right), left, right, rows):
            for start in range(0, len(some_left), _PAIRS_A_MESSAGE):
                here = slice(start, start + _PAIRS_A_MESSAGE)
                yield right_part, (some_left[here], some_right[here], minima[some_rows[here]])


class _Verify(beam.DoFn):
    """Pairs with their left minima, of one right part → (part name, pairs with their estimated Jaccard)."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, element: tuple[int, Iterable[tuple[np.ndarray, ...]]]) -> Iterator[tuple[str, Any]]:
        part, packed = element
        columns = list(packed)
        left = np.concatenate([column[0] for column in columns])
        right = np.concatenate([column[1] for column in columns])
        name = part_path(part, self._corpus.dumps())
        if self._settings["verify"] == "off":
            yield name, (left, right, np.full(len(left), np.nan, np.float32), 0)
            return
        with telling_errors():
            right_minima, rows = minima_of(part, right, self._corpus)
        jaccard = estimated_jaccard(np.concatenate([column[2] for column in columns]), right_minima[rows])
        alike = jaccard >= self._settings["min_jaccard"]
        yield name, (left[alike], right[alike], jaccard[alike], int((~alike).sum()))


class _Write(beam.DoFn):
    """All pairs of a part → its file, sorted."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        name, groups = element
        if not list(groups["task"]):  # done in an earlier run
            return
        columns = list(groups["pairs"])
        left = np.concatenate([c[0] for c in columns] or [np.empty(0, np.uint64)])
        right = np.concatenate([c[1] for c in columns] or [np.empty(0, np.uint64)])
        jaccard = np.concatenate([c[2] for c in columns] or [np.empty(0, np.float32)])
        order = np.lexsort((left, right))
        with telling_errors(), write_part(self._corpus.path(f"candidates/{name}.parquet"), SCHEMA) as (out, file):
            out.write(pa.record_batch([left[order], right[order], jaccard[order]], schema=SCHEMA))
        counts = {"pairs_accepted": len(left), "pairs_rejected": sum(c[3] for c in columns)}
        progress.advance(tasks=1)
        yield name, Outcome(counts, {}, (self._corpus.stored(file),))


def minima_of(part: int, keys: np.ndarray, corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """The minima of some documents of a part: uint32 [distinct keys, permutations], and the row of each key in it."""
    distinct, rows = np.unique(keys, return_inverse=True)
    found = []
    path = corpus.path(f"signatures/{part_path(part, corpus.dumps())}.parquet")
    for batch in read_part(path, ["key", "minima"]):
        here = np.isin(vector(batch["key"]), distinct, assume_unique=True)
        found.append(matrix(batch["minima"])[here])
    return np.concatenate(found), rows


def _by_part(parts: np.ndarray, *columns: np.ndarray) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """Splits columns by part, in order of parts; order within a part is kept."""
    if not len(parts):  # which np.split would take for one part
        return
    order = np.argsort(parts, kind="stable")
    distinct, starts = np.unique(parts[order], return_index=True)
    for part, rows in zip(distinct, np.split(order, starts[1:]), strict=True):
        yield int(part), tuple(column[rows] for column in columns)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and pairs near the threshold for a person to judge."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    counts["documents"] = corpus.manifest("signatures")["counts"]["documents"]
    dedup = corpus.config.dedup
    threshold = None if dedup.verify == "off" else dedup.min_jaccard
    samples = near_threshold(corpus, outcomes, threshold) if threshold else []
    return Outcome(counts, {"threshold": threshold, "samples": samples})


def near_threshold(corpus: Corpus, outcomes: list[Outcome], threshold: float, most: int = 20) -> list[dict[str, Any]]:
    """The accepted pairs whose estimated Jaccard is lowest, with their addresses."""
    best: list[tuple[float, int, int]] = []
    for outcome in outcomes:
        table = read_whole(corpus.path(outcome.files[0].path))
        rows = zip(*(table[name].to_numpy().tolist() for name in ("jaccard", "left", "right")), strict=True)
        best = sorted([*best, *sorted(rows)[:most]])[:most]
    urls = urls_of(corpus, [key for _, *keys in best for key in keys])
    return [
        {"left_url": urls[left], "right_url": urls[right], "jaccard": round(jaccard, 4)}
        for jaccard, left, right in best
    ]


def urls_of(corpus: Corpus, keys: list[int]) -> dict[int, str]:
    """Addresses of a few documents by key; reads two narrow columns of the parts they lie in."""
    wanted = np.unique(np.array(keys, np.uint64))
    urls: dict[int, str] = {}
    for part in np.unique(part_of(wanted)).tolist():
        for batch in read_part(corpus.path(f"documents/{part_path(part, corpus.dumps())}.parquet"), ["key", "url"]):
            here = np.isin(vector(batch["key"]), wanted)
            chosen = batch.filter(pa.array(here))
            urls |= dict(zip(chosen["key"].to_pylist(), chosen["url"].to_pylist(), strict=True))
    return urls


JOB = Job("match", "candidates", 2, settings_of, plan, expand=expand, summarise=summarise)
