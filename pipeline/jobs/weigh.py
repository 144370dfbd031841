"""Filtered documents → the tokens of each, where the mixture is in tokens."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import mixing, progress
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs import train_tokenizer, yardstick
from pipeline.manifests import Outcome
from pipeline.parts import read_part, text_bytes, write_part
from pipeline.tokenizer_files import read_tokenizer
from tokenizer.encoder import Encoder

SCHEMA = pa.schema([("key", pa.uint64()), ("tokens", pa.uint32())])


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What tokens depend on: a tokenizer that is given, and the tokens around each document."""
    given = train_tokenizer.settings_of(config) if config.tokenizer.path else None
    return {"tokenizer": given} | config.shards.model_dump(include={"begin_token", "end_token"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    given = corpus.config.tokenizer.path is not None
    measured_by = None if given else corpus.manifest(yardstick.FOLDER)["details"]["hash"]
    return [
        Task(receipt.task, {"yardstick": measured_by}, receipt.outcome.files[:1], receipt.outcome.counts["kept_bytes"])
        for receipt in corpus.receipts("filtered")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Counts the tokens of the documents of one part."""
    path = corpus.config.tokenizer.path or corpus.folder(yardstick.FOLDER)
    encoder = _encoder(path, str(task.arguments["yardstick"] or settings["tokenizer"]))
    around = int(settings["begin_token"]) + int(settings["end_token"])
    tokens = 0
    with write_part(corpus.path(f"{mixing.TOKENS}/{task.name}.parquet"), SCHEMA) as (out, file):
        for batch in read_part(corpus.path(task.inputs[0].path), ["key", "text"]):
            counts = np.diff(encoder.encode(batch["text"]).offsets) + around
            out.write(pa.record_batch([batch["key"], pa.array(counts.astype(np.uint32))], schema=SCHEMA))
            tokens += int(counts.sum())
            progress.advance(batch.num_rows, text_bytes(batch["text"]))
    return Outcome({"documents": out.rows, "tokens": tokens}, {}, (corpus.stored(file),))


_building = threading.Lock()


def _encoder(path: str, content: str) -> Encoder:
    """Built once a process, not once a task, nor by every thread that asks first."""
    with _building:
        return _built(path, content)


@functools.lru_cache(maxsize=1)
def _built(path: str, content: str) -> Encoder:
    return Encoder(read_tokenizer(path))


JOB = Job(
    "weigh",
    mixing.TOKENS,
    1,
    settings_of,
    plan,
    work,
    asked_for=lambda config: config.mix.asked and config.mix.unit == "tokens",
)
