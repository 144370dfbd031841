"""Mixture → how often each piece of text occurs: a count file beside each part, and their sum."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import manifests, mixed, progress, storage
from pipeline.config import LARGEST_COUNT, CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes
from pipeline.runners import workers_of
from pipeline.storage import atomic_write
from tokenizer.count_addition import merge_count_files
from tokenizer.counts import PieceCounter
from tokenizer.pretokenizers import pretokenizer
from tokenizer.weights import whole_weights

FOLDER = "counts"
TOTAL = "pieces.parquet"  # the counts of all parts, in their folder


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What counts depend on; weights are arguments of the tasks, because they are those of a part's source."""
    name = config.tokenizer.model_dump()["pretokenizer"]
    return {"pretokenizer": pretokenizer(name).fingerprint, "name": name}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part; none where a tokenizer is given."""
    config = corpus.config.tokenizer
    if config.path:
        return []
    tasks = mixed.plan(corpus)
    add_weights(corpus, tasks)
    return tasks


def add_weights(corpus: Corpus, tasks: list[Task]) -> None:
    """Gives tasks that read a part each the weights of its source, where the config has any."""
    weights = corpus.config.tokenizer.weights
    if weights.sources or weights.languages:
        unit, by_source, others = whole_weights(weights.sources, weights.languages)
        sources = {receipt.task: receipt.outcome.details["source"] for receipt in corpus.receipts("filtered")}
        for task in tasks:
            task.arguments.update(unit=unit, weights=by_source.get(sources[task.name], others))


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Counts the pieces of one part, a document as often as the mixture repeats it, times its weight."""
    scheme, unit, weights = pretokenizer(settings["name"]), task.arguments.get("unit", 1), task.arguments.get("weights")
    with PieceCounter(scheme, unit) as counter:
        try:
            for documents, copies, _ in mixed.read(task, corpus):
                counter.add(documents["text"], times_of(copies, documents["language"], weights))
                progress.advance(documents.num_rows, text_bytes(documents["text"]))
        except ValueError as error:
            raise GristmillError(f"tokenizer: {error}") from error
        with atomic_write(corpus.path(f"{FOLDER}/{task.name}.parquet")) as file:
            rows = counter.write(file.stream)
    return Outcome({"distinct_pieces": rows}, {}, (corpus.stored(file),))


def times_of(copies: np.ndarray, languages: pa.Array, weights: dict[str, int] | None) -> np.ndarray:
    """How often each document counts, in parts of an occurrence.

    Raises:
        ValueError: int64 cannot hold it.
    """
    times = copies.astype(np.int64)
    if weights is None:
        return times
    of_language = _weights_of(languages, weights)
    most = int(times.max(initial=0)) * int(of_language.max(initial=0))
    if most > LARGEST_COUNT:
        raise ValueError(f"weights and copies of a document make it count {most:,} times: give weights of fewer digits")
    return times * of_language


def _weights_of(languages: pa.Array, weights: dict[str, int]) -> np.ndarray:
    """The weight of each document; ``""`` is any language that is not listed."""
    listed = [language for language in weights if language]
    of_index = np.array([weights[language] for language in listed] + [weights[""]], np.int64)
    index = pc.fill_null(pc.index_in(languages, pa.array(listed, pa.string())), len(listed))
    return of_index[index.to_numpy(zero_copy_only=False)]


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Adds the counts of all parts together."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    if not outcomes:
        return Outcome(counts)
    sources = [partial(storage.open_read, corpus.path(file.path)) for outcome in outcomes for file in outcome.files]
    with atomic_write(corpus.path(f"{FOLDER}/{TOTAL}")) as file:
        try:
            rows = merge_count_files(sources, file.stream, workers=workers_of(corpus.config.engine))
        except ValueError as error:
            raise GristmillError(f"tokenizer: {error}") from error
    slow = pretokenizer(settings_of(corpus.config)["name"]).slow_because
    return Outcome({"distinct_pieces": rows}, {"slow": slow} if slow else {}, (corpus.stored(file),))


JOB = Job("count", FOLDER, 2, settings_of, plan, work, summarise=summarise)
