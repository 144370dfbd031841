"""Mixture → token runs: each part's documents encoded and sorted by the shuffle's hash, ready to merge into shards."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import manifests, mixed, progress, storage
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs.train_tokenizer import shard_facts, tokenizer_of
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes
from tokenizer import shards
from tokenizer.encoder import Encoded, Encoder

SPLITS = ("train", "validation")
_RUN_TOKENS = 1 << 24  # bounds a worker's memory: a part with more tokens leaves several runs


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the runs depend on, the tokenizer apart."""
    return config.shards.model_dump(include={"seed", "validation_share", "begin_token", "end_token"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    tokenizer = shard_facts(corpus)["tokenizer"]
    sources = [receipt.outcome.details["source"] for receipt in corpus.receipts("filtered")]
    return [
        Task(task.name, {"tokenizer": tokenizer, "source": source}, task.inputs, task.bytes)
        for task, source in zip(mixed.plan(corpus), sources, strict=True)
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Encodes one part into runs for training and validation."""
    encoder = _encoder(task.arguments["tokenizer"], corpus.config.output)
    runs = {split: _Runs(split, task, settings, corpus) for split in SPLITS}
    languages: dict[str, dict[str, int]] = {}
    for documents, copies in mixed.read(task, corpus):
        encoded = encoder.encode(documents["text"], begin=settings["begin_token"], end=settings["end_token"])
        keys = vector(documents["key"])
        held_out = shards.split_of(keys, settings["seed"], settings["validation_share"])
        # A document is held out once, however often the mixture would repeat it in training.
        runs["train"].add(keys, np.where(held_out, 0, copies), encoded)
        runs["validation"].add(keys, held_out.astype(np.uint16), encoded)
        languages = manifests.add_nested([languages, _compression(documents, np.diff(encoded.offsets))])
        progress.advance(documents.num_rows, text_bytes(documents["text"]))
    counts: dict[str, int] = {}
    for split, run in runs.items():
        run.flush()
        counts |= {f"{split}_tokens": run.tokens, f"{split}_documents": run.documents}
    counts |= {
        "tokens": counts["train_tokens"] + counts["validation_tokens"],
        "documents": counts["train_documents"] + counts["validation_documents"],
    }
    return Outcome(counts, {"languages": languages}, (*runs["train"].files, *runs["validation"].files))


class _Runs:
    """Collects the encoded documents of a part and a split; writes a sorted run whenever it holds enough."""

    def __init__(self, split: str, task: Task, settings: dict[str, Any], corpus: Corpus):
        self._path = f"runs/{split}/{task.name}"
        self._source, self._seed, self._corpus = task.arguments["source"], settings["seed"], corpus
        self._pending: list[shards.Documents] = []
        self._pending_tokens = 0
        self.documents = self.tokens = 0
        self.files: list[storage.StoredFile] = []

    def add(self, keys: np.ndarray, copies: np.ndarray, encoded: Encoded) -> None:
        """Adds documents as often as ``copies`` says."""
        for copy in range(int(copies.max(initial=0))):
            rows = np.flatnonzero(copies > copy)
            offsets = np.concatenate([[0], np.cumsum(np.diff(encoded.offsets)[rows])])
            lists = pa.LargeListArray.from_arrays(pa.array(encoded.offsets), pa.array(encoded.tokens))
            tokens = lists.take(pa.array(rows)).flatten().to_numpy()
            hashes = shards.shuffle_hash(keys[rows], copy, self._seed)
            sources = pa.repeat(pa.scalar(self._source), len(rows)).dictionary_encode()
            self._pending.append(shards.Documents(hashes, keys[rows], sources, tokens, offsets))
            self._pending_tokens += len(tokens)
            if self._pending_tokens >= _RUN_TOKENS:
                self.flush()

    def flush(self) -> None:
        """Writes what is pending as a run; nothing when there is nothing."""
        documents = shards.concatenate(self._pending)
        self._pending, self._pending_tokens = [], 0
        if not len(documents.keys):
            return
        with storage.atomic_write(self._corpus.path(f"{self._path}-run-{len(self.files):03d}.arrow")) as file:
            shards.write_run(file.stream, *documents)
        self.files.append(self._corpus.stored(file))
        self.documents += len(documents.keys)
        self.tokens += len(documents.tokens)


def _compression(documents: pa.RecordBatch, tokens: np.ndarray) -> dict[str, dict[str, int]]:
    """Bytes of text and tokens by language, each document once."""
    columns = [documents["language"], pc.binary_length(documents["text"]), pa.array(tokens)]
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
    """Counts, and compression by language."""
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), {"languages": languages})


JOB = Job("encode", "runs", 1, settings_of, plan, work, summarise=summarise)
