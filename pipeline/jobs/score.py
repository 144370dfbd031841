"""Texts of documents that stand in a pair → how good a quality model finds them, for ``dedup.keep: best-quality``.

    pair files ─▶ their documents, by part ─▶ + texts ─▶ scores, one file beside each part

Only where that policy asks for it; documents without a copy are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipeline import manifests, progress, storage
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus, part_number
from pipeline.job import Job, Task, telling_errors
from pipeline.join import matching_rows
from pipeline.manifests import Outcome
from pipeline.pairs import PairedDocuments, ReadPairs, join, pair_files, part_groups, rows_by_part
from pipeline.parts import read_part, text_bytes, write_part
from pipeline.quality_models import loaded

SCHEMA = pa.schema([("key", pa.uint64()), ("score", pa.float32())])


def asked_for(config: CorpusConfig) -> bool:
    """Whether the copy that stays is chosen by quality."""
    return config.dedup.keep == "best-quality"


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What scores depend on: the model, by content, and how it is asked."""
    _, model = config.best_quality_model()
    sample = {"sample_bytes": model.sample_bytes} if model.sample_bytes else {}
    return {"quality_model": [storage.sha256_of(model.model), model.scored_label], **sample}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part; which of its documents stand in a pair, the pairs of all parts say."""
    files = [file for receipt in corpus.receipts("candidates") for file in receipt.outcome.files]
    pairs = manifests.fingerprint([file.sha256 for file in files if file.path.startswith("candidates/")])
    return [Task(receipt.task, {"pairs": pairs}, receipt.outcome.files[:1]) for receipt in corpus.receipts("documents")]


def expand(pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus) -> beam.PCollection:
    """The picture above."""
    groups = part_groups(corpus)
    documents = (
        pipeline
        | "Pair files" >> beam.Create(pair_files(corpus))
        | "Spread" >> beam.Reshuffle()
        | "Pairs" >> beam.ParDo(ReadPairs(corpus))
        | "Documents in pairs" >> beam.ParDo(PairedDocuments(groups))
    )
    left = [(groups.of_part(part_number(task.name, corpus.dumps())), task) for task in tasks]
    return (
        {"documents": documents, "tasks": pipeline | "Tasks" >> beam.Create(left)}
        | "Of a part" >> beam.CoGroupByKey()
        | "Score" >> beam.ParDo(_Score(settings, corpus))
    )


class _Score(beam.DoFn):
    """The documents of a part group that stand in pairs → the files of its parts."""

    def __init__(self, settings: dict[str, Any], corpus: Corpus):
        self._settings, self._corpus = settings, corpus

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        _, columns = element
        [keys] = join((packed for _, packed in columns["documents"]), np.uint64)
        keys = np.unique(keys)
        of_part = rows_by_part(keys, self._corpus)
        for task in columns["tasks"]:
            with telling_errors():
                yield task.name, self._write(task, keys[of_part.get(task.name, slice(0))])
            progress.advance(tasks=1)

    def _write(self, task: Task, keys: np.ndarray) -> Outcome:
        _, asked = self._corpus.config.best_quality_model()
        model = loaded(asked.model, asked.scored_label, asked.sample_bytes, self._settings["quality_model"][0])
        with write_part(self._corpus.path(f"scores/{task.name}.parquet"), SCHEMA) as (out, file):
            for batch in read_part(self._corpus.path(task.inputs[0].path), ["key", "text"]) if len(keys) else ():
                here = batch.filter(matching_rows(batch["key"], pa.array(keys)))
                out.write(pa.record_batch([vector(here["key"]), model.score(here["text"])], schema=SCHEMA))
                progress.advance(batch.num_rows, text_bytes(batch["text"]))
        return Outcome({"documents": out.rows}, {}, (self._corpus.stored(file),))


JOB = Job("score", "scores", 1, settings_of, plan, expand=expand, asked_for=asked_for)
