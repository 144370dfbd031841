"""Reading the mixture: filtered documents with how often each is to be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.arrays import vector
from pipeline.corpus import Corpus
from pipeline.job import Task
from pipeline.join import rows_of
from pipeline.parts import read_part, read_whole


class Mixed(NamedTuple):
    """Documents (all columns of the dataset), the copies of each, uint16 [n], never 0, and its cell of the part's."""

    documents: pa.RecordBatch
    copies: np.ndarray
    cells: np.ndarray


def plan(corpus: Corpus) -> list[Task]:
    """One task a part of the mixture, for jobs that read it."""
    texts = {receipt.task: receipt for receipt in corpus.receipts("filtered")}
    return [
        Task(
            receipt.task,
            {},
            (texts[receipt.task].outcome.files[0], receipt.outcome.files[0]),
            receipt.outcome.counts["bytes"],
        )
        for receipt in corpus.receipts("mixture")
    ]


def read(task: Task, corpus: Corpus) -> Iterator[Mixed]:
    """The documents of one part that are in the mixture."""
    texts, mixture = (corpus.path(file.path) for file in task.inputs)
    drawn = read_whole(mixture)
    keys, copies, cells = (vector(drawn[name]) for name in ("key", "copies", "cell"))
    for batch in read_part(texts):
        rows = rows_of(batch["key"], keys)
        inside = copies[rows] > 0
        yield Mixed(batch.filter(pa.array(inside)), copies[rows[inside]], cells[rows[inside]])
