"""Documents → signatures, one file beside each part; computed once a dump and never again."""

from __future__ import annotations

from typing import Any

from dedup.minhash import MinHashSettings, schema, signatures, to_record_batch
from pipeline import progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import read_part, text_bytes, write_part


def minhash_settings(settings: dict[str, Any]) -> MinHashSettings:
    """The signature settings out of a job's settings."""
    return MinHashSettings(**{name: settings[name] for name in ("ngram", "bands", "rows", "seed")})


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What signatures depend on."""
    return config.dedup.model_dump(include={"ngram", "bands", "rows", "seed"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    return [
        Task(receipt.task, {}, receipt.outcome.files[:1], receipt.outcome.counts["text_bytes"])
        for receipt in corpus.receipts("documents")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Signs one part."""
    minhash = minhash_settings(settings)
    with write_part(corpus.path(f"signatures/{task.name}.parquet"), schema(minhash)) as (out, file):
        for batch in read_part(corpus.path(task.inputs[0].path), ["key", "text"]):
            out.write(to_record_batch(vector(batch["key"]), signatures(batch["text"], minhash), minhash))
            progress.advance(batch.num_rows, text_bytes(batch["text"]))
    return Outcome({"documents": out.rows, "text_bytes": task.bytes}, {}, (corpus.stored(file),))


JOB = Job("sign", "signatures", 1, settings_of, plan, work)
