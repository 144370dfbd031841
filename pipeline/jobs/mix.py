"""Filtered documents → how often each is to be read, so that sources and languages get their shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import mixture
from pipeline import manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import read_part, write_part

SCHEMA = pa.schema([("key", pa.uint64()), ("copies", pa.uint16())])


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the mixture depends on."""
    return config.mix.model_dump()


def plan(corpus: Corpus) -> list[Task]:
    """One task a part; the epochs of each source and language are planned here, from what the filter counted."""
    receipts = corpus.receipts("filtered")
    sources = {receipt.task: receipt.outcome.details["source"] for receipt in receipts}
    cells: dict[tuple[str, str], int] = {}
    for receipt in receipts:
        for language, counts in receipt.outcome.details["languages"].items():
            cell = (sources[receipt.task], language)
            cells[cell] = cells.get(cell, 0) + counts["text_bytes"]
    planned = plan_of(corpus, cells)
    return [
        Task(
            receipt.task,
            {
                "epochs": {
                    language: epochs
                    for (source, language), epochs in planned.epochs.items()
                    if source == sources[receipt.task]
                }
            },
            receipt.outcome.files[:1],
            receipt.outcome.counts["kept_bytes"],
        )
        for receipt in receipts
    ]


def plan_of(corpus: Corpus, cells: dict[tuple[str, str], int]) -> mixture.MixturePlan:
    """The mixture plan of the config."""
    mix = corpus.config.mix
    try:
        return mixture.plan(cells, mix.sources or None, mix.languages or None, mix.max_epochs, mix.total_bytes)
    except ValueError as error:
        raise GristmillError(f"mix: {str(error).removeprefix('mixture: ')}") from error


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Draws the copies of one part's documents."""
    languages: dict[str, dict[str, int]] = {}
    with write_part(corpus.path(f"mixture/{task.name}.parquet"), SCHEMA) as (out, file):
        for batch in read_part(corpus.path(task.inputs[0].path), ["key", "language", "text"]):
            keys = vector(batch["key"])
            lengths = pc.binary_length(batch["text"]).to_numpy().astype(np.int64)
            copies = np.zeros(len(keys), np.uint16)
            for language, epochs in task.arguments["epochs"].items():
                here = pc.equal(batch["language"], language).to_numpy(zero_copy_only=False)
                copies[here] = mixture.copies(keys[here], epochs, settings["seed"])
                added = {
                    "documents": int(here.sum()),
                    "bytes_before": int(lengths[here].sum()),
                    "copies": int(copies[here].sum()),
                    "bytes_after": int((lengths[here] * copies[here]).sum()),
                }
                languages = manifests.add_nested([languages, {language: added}])
            out.write(pa.record_batch([batch["key"], pa.array(copies)], schema=SCHEMA))
            progress.advance(batch.num_rows, int(lengths.sum()))
    total = manifests.add_counts(list(languages.values()))
    counts = {
        "documents": out.rows,
        "copies": total.get("copies", 0),
        "bytes": total.get("bytes_after", 0),
    }
    return Outcome(counts, {"languages": languages}, (corpus.stored(file),))


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The table of the mixture before and after, by cell, source and language."""
    cells: dict[tuple[str, str], dict[str, int]] = {}
    for receipt, outcome in zip(corpus.receipts("filtered"), outcomes, strict=True):
        source = receipt.outcome.details["source"]
        for language, counts in outcome.details["languages"].items():
            cells[source, language] = manifests.add_counts([cells.get((source, language), {}), counts])
    planned = plan_of(corpus, {cell: counts["bytes_before"] for cell, counts in cells.items()})
    mix = corpus.config.mix
    details = {
        "message": planned.message if mix.sources or mix.languages or mix.total_bytes else "",
        "cells": [
            {"source": source, "language": language, "epochs": planned.epochs_of(source, language)}
            | cells[source, language]
            for source, language in sorted(cells)
        ],
        "sources": _shares(cells, 0, corpus.config.mix.sources),
        "languages": _shares(cells, 1, corpus.config.mix.languages),
    }
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    if not counts["copies"]:
        raise GristmillError("mix: no document is left in the mixture: raise mix.max_epochs or mix.total_bytes")
    return Outcome(counts, details)


def _shares(cells: dict[tuple[str, str], dict[str, int]], axis: int, targets: dict[str, float]) -> dict[str, Any]:
    """Shares of the bytes of text along one axis of the cells: before, target, after."""
    total = manifests.add_counts(list(cells.values()))
    shares: dict[str, dict[str, Any]] = {}
    for name in sorted({cell[axis] for cell in cells}):
        own = manifests.add_counts([counts for cell, counts in cells.items() if cell[axis] == name])
        shares[name] = {
            "before": own["bytes_before"] / max(total["bytes_before"], 1),
            "target": targets.get(name),
            "after": own["bytes_after"] / max(total["bytes_after"], 1),
        }
    return shares


JOB = Job("mix", "mixture", 1, settings_of, plan, work, summarise=summarise)
