"""Mixture → token runs: each part's documents encoded and sorted by the shuffle's hash, ready to merge into shuffle."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import UNKNOWN
from pipeline import manifests, mixed, mixture_tables, progress, storage
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs.train_tokenizer import shard_facts, tokenizer_of
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes
from tokenizer import fill_in_middle, shuffle
from tokenizer.encoder import Encoded, Encoder

_RUN_TOKENS = 1 << 24  # bounds a worker's memory: a part with more tokens leaves several runs
SETTINGS = {"seed", "validation_share", "test_share", "fill_in_middle", "begin_token", "end_token"}


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the runs depend on, the tokenizer apart."""
    return config.shards.model_dump(include=SETTINGS)


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    tokenizer = shard_facts(corpus)["tokenizer"]
    sources = [receipt.outcome.details["source"] for receipt in corpus.receipts("filtered")]
    return [
        Task(task.name, {"tokenizer": tokenizer, "source": source}, task.inputs, task.bytes)
        for task, source in zip(mixed.plan(corpus), sources, strict=True)
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Encodes one part into runs, by split."""
    encoder = _encoder(task.arguments["tokenizer"], corpus.config.output)
    runs = {split: _Runs(split, task, settings, corpus) for split in shuffle.SPLITS}
    around = {"begin": settings["begin_token"], "end": settings["end_token"]}
    seed, rearranged = settings["seed"], 0
    languages: dict[str, dict[str, int]] = {}
    cells: dict[int, int] = {}
    for documents, copies, of_cells in mixed.read(task, corpus):
        encoded = encoder.encode(documents["text"], **around)
        keys = vector(documents["key"])
        splits = shuffle.splits_of(keys, seed, settings["validation_share"], settings["test_share"])
        written = np.where(splits == list(runs).index("train"), copies, 1) * np.diff(encoded.offsets)
        for cell, tokens in enumerate(np.bincount(of_cells, written).astype(np.int64).tolist()):
            cells[cell] = cells.get(cell, 0) + tokens
        for number, (split, run) in enumerate(runs.items()):
            # A document is held out once, and as it is, however often the mixture would repeat it in training.
            times, rate = (copies, settings["fill_in_middle"]) if split == "train" else (1, 0)
            times = np.where(splits == number, times, 0)
            for copy in range(int(times.max(initial=0))):
                rows = np.flatnonzero(times > copy)
                chosen = fill_in_middle.chosen(keys[rows], copy, seed, rate)
                plain, moved = rows[~chosen], rows[chosen]
                run.add(keys[plain], copy, _taken(encoded, plain))
                if len(moved):
                    texts = documents["text"].take(pa.array(moved))
                    in_parts = fill_in_middle.encode_rearranged(encoder, texts, keys[moved], copy, seed, **around)
                    run.add(keys[moved], copy, in_parts)
                rearranged += len(moved)
        languages = manifests.add_nested([languages, _compression(documents, np.diff(encoded.offsets))])
        progress.advance(documents.num_rows, text_bytes(documents["text"]))
    counts: dict[str, int] = {}
    for split, run in runs.items():
        run.flush()
        counts |= {f"{split}_tokens": run.tokens, f"{split}_documents": run.documents}
    for what in ("tokens", "documents"):
        counts[what] = sum(counts[f"{split}_{what}"] for split in shuffle.SPLITS)
    counts["rearranged"] = rearranged
    files = tuple(file for run in runs.values() for file in run.files)
    return Outcome(counts, {"languages": languages, "cells": [cells[cell] for cell in sorted(cells)]}, files)


class _Runs:
    """Collects the encoded documents of a part and a split; writes a sorted run whenever it holds enough."""

    def __init__(self, split: str, task: Task, settings: dict[str, Any], corpus: Corpus):
        self._path = f"runs/{split}/{task.name}"
        self._source, self._seed, self._corpus = task.arguments["source"], settings["seed"], corpus
        self._pending: list[shuffle.Documents] = []
        self._pending_tokens = 0
        self.documents = self.tokens = 0
        self.files: list[storage.StoredFile] = []

    def add(self, keys: np.ndarray, copy: int, encoded: Encoded) -> None:
        """Adds the copy of that number of some documents."""
        hashes = shuffle.shuffle_hash(keys, copy, self._seed)
        sources = pa.repeat(pa.scalar(self._source), len(keys)).dictionary_encode()
        self._pending.append(shuffle.Documents(hashes, keys, sources, *encoded))
        self._pending_tokens += len(encoded.tokens)
        if self._pending_tokens >= _RUN_TOKENS:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending as a run; nothing when there is nothing."""
        documents = shuffle.concatenate(self._pending)
        self._pending, self._pending_tokens = [], 0
        if not len(documents.keys):
            return
        with storage.atomic_write(self._corpus.path(f"{self._path}-run-{len(self.files):03d}.arrow")) as file:
            shuffle.write_run(file.stream, *documents)
        self.files.append(self._corpus.stored(file))
        self.documents += len(documents.keys)
        self.tokens += len(documents.tokens)


def _taken(encoded: Encoded, rows: np.ndarray) -> Encoded:
    """Some of the documents."""
    offsets = np.concatenate([[0], np.cumsum(np.diff(encoded.offsets)[rows])])
    lists = pa.LargeListArray.from_arrays(pa.array(encoded.offsets), pa.array(encoded.tokens))
    return Encoded(lists.take(pa.array(rows)).flatten().to_numpy(), offsets)


def _compression(documents: pa.RecordBatch, tokens: np.ndarray) -> dict[str, dict[str, int]]:
    """Bytes of text and tokens by language, each document once."""
    columns = [pc.fill_null(documents["language"], UNKNOWN), pc.binary_length(documents["text"]), pa.array(tokens)]
    table = pa.table(columns, ["language", "bytes", "tokens"])
    groups = table.group_by("language").aggregate([("bytes", "sum"), ("tokens", "sum")])
    return {row["language"]: {"bytes": row["bytes_sum"], "tokens": row["tokens_sum"]} for row in groups.to_pylist()}


_building = threading.Lock()


def _encoder(tokenizer_hash: str, output: str) -> Encoder:
    """Built once a process, not once a task, nor by every thread that asks first."""
    with _building:
        return _built(tokenizer_hash, output)


@functools.lru_cache(maxsize=2)
def _built(tokenizer_hash: str, output: str) -> Encoder:
    return Encoder(tokenizer_of(output))


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, compression by language, and the tokens that are written of each domain of the mixture."""
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    tokens = mixture_tables.tokens_by_axis(corpus, [outcome.details["cells"] for outcome in outcomes])
    details = {"languages": languages, "domains": tokens}
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), details)


JOB = Job("encode", "runs", 3, settings_of, plan, work, summarise=summarise)
