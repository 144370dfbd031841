"""Documents → signatures, one file beside each part; computed once a dump and never again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dedup.banding import Banding
from dedup.minhash import MinHashSettings, signatures, url_hashes
from dedup.signature_files import schema, to_record_batch
from pipeline import progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig, Dedup
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import read_part, text_bytes, write_part

_VALUES_FOR_A_THRESHOLD = 128  # datasketch's default


def banding(dedup: Dedup) -> Banding:
    """The bands in use: those of the config, or those that its threshold asks for."""
    if dedup.threshold is None:
        return Banding(dedup.bands, dedup.rows)
    return Banding.for_threshold(dedup.threshold, dedup.permutations or _VALUES_FOR_A_THRESHOLD)


def minhash_settings(dedup: Dedup) -> MinHashSettings:
    """What the signatures are made with. Where nothing says how many values to store, those that the bands use."""
    spare = None if dedup.threshold is None else _VALUES_FOR_A_THRESHOLD
    return MinHashSettings(dedup.ngram, dedup.permutations or spare or banding(dedup).values, dedup.seed)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What signatures depend on."""
    return asdict(minhash_settings(config.dedup))


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    return [
        Task(receipt.task, {}, receipt.outcome.files[:1], receipt.outcome.counts["text_bytes"])
        for receipt in corpus.receipts("documents")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Signs one part."""
    minhash = MinHashSettings(**settings)
    with write_part(corpus.path(f"signatures/{task.name}.parquet"), schema(minhash)) as (out, file):
        for batch in read_part(corpus.path(task.inputs[0].path), ["key", "url", "text"]):
            signed = signatures(batch["text"], minhash)
            out.write(to_record_batch(vector(batch["key"]), url_hashes(batch["url"]), signed, minhash))
            progress.advance(batch.num_rows, text_bytes(batch["text"]))
    return Outcome({"documents": out.rows, "text_bytes": task.bytes}, {}, (corpus.stored(file),))


JOB = Job("sign", "signatures", 2, settings_of, plan, work)
