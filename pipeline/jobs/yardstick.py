"""Filtered documents → a tokenizer to weigh them by, where the mixture is in tokens and the tokenizer comes after it.

The tokenizer of the corpus is trained on the mixture, and the mixture is planned in its tokens. This one breaks the
circle: it is trained on the filtered text with the same settings. It knows nothing of what is asked of the mixture, so
that documents weigh the same whatever is asked, and a new share is planned without reading text again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from filters.mixture.draws import BUCKETS, buckets_of
from pipeline import manifests, progress, storage
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.jobs import count, train_tokenizer
from pipeline.manifests import Outcome
from pipeline.parts import read_part, text_bytes
from pipeline.runners import workers_of
from pipeline.tokenizer_files import drop_checkpoint, write_tokenizer
from tokenizer.count_addition import merge_count_files
from tokenizer.counts import PieceCounter
from tokenizer.pretokenizers import pretokenizer

FOLDER = "yardstick"
_TOTAL = "pieces.parquet"
_ENOUGH = 1 << 30  # bytes of text that are counted at the most; documents are left out by their keyed hash
_SEED = 0x5A17


def summary_settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the tokenizer depends on beside the counts. Too little text for the vocabulary is no matter here."""
    return train_tokenizer.settings_of(config) | {"strict": False}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    texts = corpus.receipts("filtered")
    whole = sum(receipt.outcome.counts["kept_bytes"] for receipt in texts)
    buckets = min(BUCKETS, -(-BUCKETS * _ENOUGH // max(whole, 1)))
    tasks = [
        Task(receipt.task, {"buckets": buckets}, receipt.outcome.files[:1], receipt.outcome.counts["kept_bytes"])
        for receipt in texts
    ]
    count.add_weights(corpus, tasks)
    return tasks


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Counts the pieces of one part's documents."""
    unit, weights = task.arguments.get("unit", 1), task.arguments.get("weights")
    with PieceCounter(pretokenizer(settings["name"]), unit) as counter:
        try:
            for batch in read_part(corpus.path(task.inputs[0].path), ["key", "language", "text"]):
                inside = pa.array(buckets_of(vector(batch["key"]), _SEED) < task.arguments["buckets"])
                sample = batch.filter(inside)
                once = np.ones(sample.num_rows, np.uint16)
                counter.add(sample["text"], count.times_of(once, sample["language"], weights))
                progress.advance(batch.num_rows, text_bytes(batch["text"]))
        except ValueError as error:
            raise GristmillError(f"tokenizer: {error}") from error
        with storage.atomic_write(corpus.path(f"{FOLDER}/{task.name}.parquet")) as file:
            rows = counter.write(file.stream)
    return Outcome({"distinct_pieces": rows}, {}, (corpus.stored(file),))


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Adds the counts of all parts together and learns from them."""
    sources = [partial(storage.open_read, corpus.path(file.path)) for outcome in outcomes for file in outcome.files]
    try:
        with storage.atomic_write(corpus.path(f"{FOLDER}/{_TOTAL}")) as file:
            merge_count_files(sources, file.stream, workers=workers_of(corpus.config.engine))
        total = corpus.stored(file)
        learned, counts = train_tokenizer.trained(total, summary_settings_of(corpus.config), corpus, FOLDER)
    except ValueError as error:
        raise GristmillError(f"tokenizer: {error}") from error
    counts |= {"vocabulary": learned.merges.vocabulary_size}
    files = [corpus.stored(file) for file in write_tokenizer(learned, corpus.path(FOLDER))]
    drop_checkpoint(corpus.path(FOLDER))
    return Outcome(manifests.add_counts([counts]), {"hash": learned.hash}, (total, *files))


def asked_for(config: CorpusConfig) -> bool:
    """Whether tokens are asked for before there is a tokenizer."""
    return config.mix.asked and config.mix.unit == "tokens" and config.tokenizer.path is None


JOB = Job(
    "yardstick",
    FOLDER,
    1,
    count.settings_of,
    plan,
    work,
    summarise=summarise,
    summary_settings=summary_settings_of,
    asked_for=asked_for,
)
