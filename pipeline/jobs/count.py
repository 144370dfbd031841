"""Mixture → how often each piece of text occurs, one count file beside each part; they add up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipeline import mixed, progress
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs.train_tokenizer import added
from pipeline.manifests import Outcome
from pipeline.parts import text_bytes
from pipeline.storage import atomic_write
from tokenizer.count_files import write_counts
from tokenizer.counts import count_pieces
from tokenizer.pretokenizers import PRETOKENIZERS, Pretokenizer


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
    table = added(_counted(task, corpus, pretokenizer))
    with atomic_write(corpus.path(f"counts/{task.name}.parquet")) as file:
        write_counts(table, file.stream)
    return Outcome({"distinct_pieces": table.num_rows}, {}, (corpus.stored(file),))


def _counted(task: Task, corpus: Corpus, pretokenizer: Pretokenizer) -> Iterator[pa.Table]:
    yield count_pieces(pa.array([], pa.large_string()), pretokenizer)
    for documents, copies in mixed.read(task, corpus):
        yield count_pieces(documents["text"], pretokenizer, copies)
        progress.advance(documents.num_rows, text_bytes(documents["text"]))


JOB = Job("count", "counts", 1, settings_of, plan, work)
