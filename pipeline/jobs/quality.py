"""Documents that dedup kept → what each quality model says of them, one file a model beside each part.

    texts, their languages ─▶ scores and labels, one task a model and part

Only where the config names models. One more model reads the texts again and has nothing else measured again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.quality_evaluation import histogram
from pipeline import kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig, QualityModel
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, write_part
from pipeline.quality_models import content_of, loaded

FOLDER = "quality"
BINS = 50  # of the scores, for the report
_TYPES = {"quality": pa.float32(), "label": pa.string()}
_UNKNOWN = ""  # how documents are counted in which a model knows nothing


def asked_for(config: CorpusConfig) -> bool:
    """Whether there is a model."""
    return bool(config.filter.quality)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """Nothing: what depends on one model is an argument of its own tasks."""
    return {}


def plan(corpus: Corpus) -> list[Task]:
    """One task a model and part. Languages are read where the model is not for all."""
    texts = kept_texts.files(corpus)
    documents = {receipt.task: receipt.outcome.counts["text_bytes"] for receipt in corpus.receipts("documents")}
    annotations = {receipt.task: receipt.outcome.files for receipt in corpus.receipts("annotations")}
    return [
        Task(
            f"{name}/{part}",
            {"content": content_of(model.model)} | model.model_dump(exclude={"model", "minimum"}),
            (*files, *(annotations[part] if model.languages else ())),
            documents[part],
        )
        for name, model in corpus.config.filter.quality.items()
        for part, files in texts.items()
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Asks one model about the documents of one part."""
    name = task.name.split("/")[0]
    asked = corpus.config.filter.quality[name]
    columns = asked.columns(name)
    form = pa.schema([("key", pa.uint64()), *((column, _TYPES[kind]) for kind, column in columns.items())])
    model = loaded(asked.model, asked.scored_label, asked.sample_bytes, task.arguments["content"])
    documents, text_bytes = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    labels: dict[str, dict[str, int]] = {}
    with write_part(corpus.path(f"{FOLDER}/{task.name}.parquet"), form) as (out, file):
        for batch, inside, whole_bytes in _batches(task, asked, corpus):
            texts = batch["text"].filter(pa.array(inside))
            said, sizes = model.judge(texts), pc.binary_length(texts).to_numpy(zero_copy_only=False)
            documents += histogram(said.scores, BINS)
            text_bytes += histogram(said.scores, BINS, sizes)
            labels = manifests.add_nested([labels, _by_label(said.labels, sizes)])
            rows = pa.array(np.cumsum(inside) - 1, mask=~inside)
            found = {"quality": pa.array(said.scores).take(rows), "label": said.labels.take(rows)}
            out.write(pa.record_batch([batch["key"], *(found[kind] for kind in columns)], schema=form))
            progress.advance(batch.num_rows, whole_bytes)
    counts = {"documents": out.rows, "judged": int(documents.sum()), "judged_bytes": int(text_bytes.sum())}
    details = {
        "scores": {"documents": documents.tolist(), "text_bytes": text_bytes.tolist()} if "quality" in columns else {},
        "labels": labels if "label" in columns else {},
    }
    return Outcome(counts, details, (corpus.stored(file),))


def _batches(task: Task, model: QualityModel, corpus: Corpus) -> Iterator[tuple[pa.RecordBatch, np.ndarray, int]]:
    """Documents, bool [n] whether the model is for their language, and the bytes of text that were read for them."""
    if model.languages is None:
        for batch, whole_bytes in kept_texts.read(corpus, task.inputs, ["key", "text"]):
            yield batch, np.ones(batch.num_rows, bool), whole_bytes
        return
    *texts, annotations = task.inputs
    found = read_whole(corpus.path(annotations.path), ["key", "language"])
    keys, inside = vector(found["key"]), vector(pc.is_in(found["language"], pa.array(model.languages)))
    for batch, whole_bytes in kept_texts.read(corpus, texts, ["key", "text"]):
        yield batch, inside[rows_of(batch["key"], keys)], whole_bytes


def _by_label(labels: pa.StringArray, sizes: np.ndarray) -> dict[str, dict[str, int]]:
    table = pa.table([labels.fill_null(_UNKNOWN), pa.array(sizes)], ["label", "bytes"])
    groups = table.group_by("label").aggregate([("bytes", "sum"), ("bytes", "count")]).to_pylist()
    return {row["label"]: {"documents": row["bytes_count"], "text_bytes": row["bytes_sum"]} for row in groups}


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and by model the distribution of its scores and labels."""
    models = {}
    parts = len(outcomes) // max(1, len(corpus.config.filter.quality))
    for place, (name, model) in enumerate(corpus.config.filter.quality.items()):
        own = outcomes[place * parts : (place + 1) * parts]
        scores = [outcome.details["scores"] for outcome in own if outcome.details["scores"]]
        models[name] = manifests.add_counts([outcome.counts for outcome in own]) | {
            "label": model.scored_label,
            "languages": model.languages,
            "scores": {kind: np.sum([each[kind] for each in scores], axis=0).tolist() for kind in scores[0]}
            if scores
            else {},
            "labels": manifests.add_nested([outcome.details["labels"] for outcome in own]),
        }
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), {"models": models})


JOB = Job("quality", FOLDER, 1, settings_of, plan, work, summarise=summarise, asked_for=asked_for)
