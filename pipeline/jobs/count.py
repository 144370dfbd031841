"""Mixture → how often each piece of text occurs, one count file beside each part; they add up."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pipeline import mixed, progress
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes
from pipeline.storage import atomic_write
from tokenizer.counts import count_pieces, merge_counts, write_counts
from tokenizer.pretokenizers import PRETOKENIZERS


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What counts depend on."""
    return {
        "pretokenizer": PRETOKENIZERS[config.tokenizer.pretokenizer].fingerprint,
        "name": config.tokenizer.pretokenizer,
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part; none where a tokenizer is given."""
    return [] if corpus.config.tokenizer.path else mixed.plan(corpus)


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Counts the pieces of one part, a document as often as the mixture repeats it."""
    pretokenizer = PRETOKENIZERS[settings["name"]]
    counted = []
    for batch in mixed.read(task, corpus):
        counted.append(count_pieces(batch.documents["text"], pretokenizer, batch.copies))
        progress.advance(batch.documents.num_rows, text_bytes(batch.documents["text"]))
    table = merge_counts(counted or [count_pieces(pa.array([], pa.large_string()), pretokenizer)])
    with atomic_write(corpus.path(f"counts/{task.name}.parquet")) as file:
        write_counts(table, file.stream)
    return Outcome({"distinct_pieces": table.num_rows}, {}, (corpus.stored(file),))


JOB = Job("count", "counts", 1, settings_of, plan, work)
