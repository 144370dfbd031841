"""Filtered documents → the domain of each on every axis of the mixture. Only where the config asks for a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import UNKNOWN
from filters.mixture.hosts import HostDomains
from filters.mixture.rehydration import class_names, classes_of
from filters.mixture.targets import OTHER
from pipeline import manifests, mixing, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs import quality
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_part, read_whole, text_bytes, write_part
from pipeline.storage import StoredFile


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What domains depend on: the lists of hosts, the models whose labels are asked for, classes of cluster sizes."""
    mix = config.mix
    return {
        "hosts": mixing.host_lists(mix.hosts) if mix.hosts else {},
        "labels": [f"label_{model}" for model in mix.labels],
        "sizes": mixing.size_begins(mix),
        "rates": bool(mix.rehydrate and mix.rehydrate.up_to),
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    mix = corpus.config.mix
    beside: dict[str, list[StoredFile]] = {}
    if mix.labels:
        scored = {receipt.task: receipt.outcome.files[0] for receipt in corpus.receipts(quality.FOLDER)}
        for receipt in corpus.receipts("filtered"):
            beside[receipt.task] = [scored[f"{model}/{receipt.task}"] for model in mix.labels]
    if mix.rehydrate and mix.rehydrate.up_to:
        for receipt in corpus.receipts("clusters"):
            beside.setdefault(receipt.task, []).extend(receipt.outcome.files[:1])
    return [
        Task(
            receipt.task,
            {"source": receipt.outcome.details["source"]},
            (receipt.outcome.files[0], *beside.get(receipt.task, ())),
            receipt.outcome.counts["kept_bytes"],
        )
        for receipt in corpus.receipts("filtered")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Says of each document of one part where it belongs."""
    axes = mixing.axes_of(corpus.config)
    form = pa.schema([("key", pa.uint64()), ("bytes", pa.uint64()), *((axis, pa.string()) for axis in axes)])
    hosts = HostDomains(settings["hosts"]) if settings["hosts"] else None
    files = [corpus.path(file.path) for file in task.inputs]
    labels = [read_whole(file, ["key", name]) for file, name in zip(files[1:], settings["labels"])]
    columns = ["key", "language", "text", *(["url"] if hosts else []), *(["cluster_size"] if settings["sizes"] else [])]
    kept: dict[str, int] = {}
    cells: dict[tuple[str, ...], list[int]] = {}
    with write_part(corpus.path(f"{mixing.DOMAINS}/{task.name}.parquet"), form) as (out, file):
        for batch in read_part(files[0], columns):
            found: dict[str, pa.Array] = {
                "key": batch["key"],
                "bytes": pc.binary_length(batch["text"]).cast(pa.uint64()),
                "source": pa.repeat(pa.scalar(task.arguments["source"]), batch.num_rows),
                "language": pc.fill_null(batch["language"], UNKNOWN),
            }
            if hosts:
                found["host"] = hosts.of(batch["url"])
            for name, table in zip(settings["labels"], labels):
                rows = pa.array(rows_of(batch["key"], vector(table["key"])))
                found[name] = pc.fill_null(table[name].combine_chunks().take(rows), OTHER)
            if settings["sizes"]:
                found[mixing.SIZE] = _classes(batch["cluster_size"], settings["sizes"])
                for row in pc.value_counts(found[mixing.SIZE]).to_pylist():
                    kept[row["values"]] = kept.get(row["values"], 0) + row["counts"]
            told = pa.record_batch([found[name].cast(kind) for name, kind in zip(form.names, form.types)], form)
            numbers, names = mixing.cell_numbers(told, axes)
            counted = (
                np.bincount(numbers, minlength=len(names)),
                np.bincount(numbers, vector(told["bytes"]), len(names)),
            )
            for cell, documents, size in zip(names, *counted):
                own = cells.setdefault(cell, [0, 0])
                own[0], own[1] = own[0] + int(documents), own[1] + int(size)
            out.write(told)
            progress.advance(batch.num_rows, text_bytes(batch["text"]))
    seen = _seen(files[-1], settings["sizes"]) if settings["rates"] else kept
    sizes = {
        name: {"deduplicated": seen.get(name, 0), "filtered": kept.get(name, 0)} for name in sorted({*seen, *kept})
    }
    amounts = [[list(cell), *counted] for cell, counted in sorted(cells.items())]
    return Outcome({"documents": out.rows}, {"cells": amounts, "sizes": sizes}, (corpus.stored(file),))


def _classes(sizes: pa.Array, begins: list[int]) -> pa.DictionaryArray:
    return classes_of(pc.fill_null(sizes, 1).to_numpy(zero_copy_only=False), begins)


def _seen(path: str, begins: list[int]) -> dict[str, int]:
    """Documents that deduplication kept of a part, by the class of their cluster's size."""
    clusters = read_whole(path, ["kept", "cluster_size"])
    sizes = vector(clusters.filter(clusters["kept"])["cluster_size"])
    numbers = np.bincount(classes_of(sizes, begins).indices.to_numpy(), minlength=len(begins))
    return {name: int(number) for name, number in zip(class_names(begins), numbers) if number}


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and what the filters left of each class of cluster sizes."""
    added = manifests.add_nested([outcome.details["sizes"] for outcome in outcomes])
    sizes = {name: [counts["deduplicated"], counts["filtered"]] for name, counts in added.items()}
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), {"sizes": sizes})


JOB = Job(
    "survey",
    mixing.DOMAINS,
    1,
    settings_of,
    plan,
    work,
    summarise=summarise,
    asked_for=lambda config: config.mix.asked,
)
