"""Documents that dedup kept → their language and every statistic, one annotation file beside each part."""

from __future__ import annotations

import functools
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters import statistics
from filters.language import LanguageIdentifier, default_model
from pipeline import documents, kept_texts, manifests, progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import write_part

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("text_bytes", pa.uint64()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        *statistics.schema(),
    ]
)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What annotations depend on: the language model, by content, and no threshold."""
    return {"language_model": storage.sha256_of(config.filter.language.model or str(default_model()))}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    texts = kept_texts.files(corpus)
    return [
        Task(receipt.task, {}, texts[receipt.task], receipt.outcome.counts["text_bytes"])
        for receipt in corpus.receipts("documents")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Annotates the documents of one part that dedup kept."""
    identifier = _identifier(corpus.config.filter.language.model, settings["language_model"])
    languages: dict[str, dict[str, int]] = {}
    with write_part(corpus.path(f"annotations/{task.name}.parquet"), SCHEMA) as (out, file):
        for batch, whole_bytes in kept_texts.read(corpus, task.inputs, ["key", "text"]):
            labels, scores = identifier.identify(batch["text"])
            columns = {
                "key": batch["key"],
                "text_bytes": pc.binary_length(batch["text"]).cast(pa.uint64()),
                "language": labels,
                "language_score": pa.array(scores),
            }
            columns |= dict(zip(statistics.schema().names, statistics.statistics(batch["text"]).columns, strict=True))
            annotated = pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)
            out.write(annotated)
            languages = manifests.add_nested([languages, documents.by_language(labels, batch["text"])])
            progress.advance(batch.num_rows, whole_bytes)
    counts = {"documents": out.rows, "text_bytes": sum(each["text_bytes"] for each in languages.values())}
    return Outcome(counts, {"languages": languages}, (corpus.stored(file),))


# A model is read once a process, not once a task; its content tells whether it is still the same.
@functools.lru_cache(maxsize=2)
def _identifier(path: str | None, content: str) -> LanguageIdentifier:
    return LanguageIdentifier(path)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and documents and bytes by language."""
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), {"languages": languages})


JOB = Job("annotate", "annotations", 3, settings_of, plan, work, summarise=summarise)
