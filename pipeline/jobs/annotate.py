"""Documents that dedup kept → every statistic and model score, one annotation file beside each part."""

from __future__ import annotations

import functools
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters import statistics
from filters.language import LanguageIdentifier, default_model
from filters.quality import QualityModel
from pipeline import documents, kept_texts, manifests, progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import write_part


def schema(with_quality: bool) -> pa.Schema:
    """Key, language, scores, then the statistics."""
    fields = [
        pa.field("key", pa.uint64()),
        pa.field("text_bytes", pa.uint64()),
        pa.field("language", pa.string()),
        pa.field("language_score", pa.float32()),
    ]
    quality = [pa.field("quality", pa.float32())] if with_quality else []
    return pa.schema([*fields, *quality, *statistics.schema()])


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What annotations depend on: the models, by content, and no threshold."""
    quality = config.filter.quality
    return {
        "language_model": storage.sha256_of(config.filter.language.model or str(default_model())),
        "quality_model": [storage.sha256_of(quality.model), quality.label] if quality else None,
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    texts = kept_texts.files(corpus)
    return [
        Task(receipt.task, {}, texts[receipt.task], receipt.outcome.counts["text_bytes"])
        for receipt in corpus.receipts("documents")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Annotates the documents of one part that dedup kept."""
    models, quality = corpus.config.filter, None
    identifier = _identifier(models.language.model, settings["language_model"])
    if models.quality:
        quality = quality_model(models.quality.model, models.quality.label, settings["quality_model"][0])
    form = schema(bool(quality))
    languages: dict[str, dict[str, int]] = {}
    with write_part(corpus.path(f"annotations/{task.name}.parquet"), form) as (out, file):
        for batch, whole_bytes in kept_texts.read(corpus, task.inputs, ["key", "text"]):
            labels, scores = identifier.identify(batch["text"])
            columns = {
                "key": batch["key"],
                "text_bytes": pc.binary_length(batch["text"]).cast(pa.uint64()),
                "language": labels,
                "language_score": pa.array(scores),
            }
            if quality:
                columns["quality"] = pa.array(quality.score(batch["text"]))
            columns |= dict(zip(statistics.schema().names, statistics.statistics(batch["text"]).columns, strict=True))
            annotated = pa.record_batch([columns[name] for name in form.names], schema=form)
            out.write(annotated)
            languages = manifests.add_nested([languages, documents.by_language(labels, batch["text"])])
            progress.advance(batch.num_rows, whole_bytes)
    counts = {"documents": out.rows, "text_bytes": sum(each["text_bytes"] for each in languages.values())}
    return Outcome(counts, {"languages": languages}, (corpus.stored(file),))


# A model is read once a process, not once a task; its content tells whether it is still the same.
@functools.lru_cache(maxsize=2)
def _identifier(path: str | None, content: str) -> LanguageIdentifier:
    return LanguageIdentifier(path)


@functools.lru_cache(maxsize=2)
def quality_model(path: str, label: str, content: str) -> QualityModel:
    """The quality model of a config; ``content``: its checksum."""
    return QualityModel(path, label)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and documents and bytes by language."""
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), {"languages": languages})


JOB = Job("annotate", "annotations", 2, settings_of, plan, work, summarise=summarise)
