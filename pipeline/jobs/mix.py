"""Filtered documents → how often each is to be read, so that their domains get the shares that are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import UNKNOWN
from pipeline import mixing, mixture_tables, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import read_part, write_part

SCHEMA = pa.schema([("key", pa.uint64()), ("copies", pa.uint16()), ("cell", pa.uint32())])

# ``cell``: the place of a document's cell in the list ``cells`` of its part's receipt.


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What draws depend on; where lines are drawn are arguments of the tasks."""
    return {"unit": config.mix.unit, "seed": config.mix.seed} if config.mix.asked else {}


def summary_settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the tables depend on."""
    return config.mix.model_dump()


def plan(corpus: Corpus) -> list[Task]:
    """One task a part, with the draws of its cells. Where nothing is asked every document is used once."""
    texts = corpus.receipts("filtered")
    if not corpus.config.mix.asked:
        return [
            Task(
                receipt.task,
                {key: receipt.outcome.details[key] for key in ("source", "languages")},
                receipt.outcome.files[:1],
            )
            for receipt in texts
        ]
    made, axes = mixing.planned(corpus), mixing.axes_of(corpus.config)
    return [
        Task(
            receipt.task,
            {"draws": [[names, *mixing.draw_of(made, dict(zip(axes, names)))] for names, *_ in cells]},
            files,
        )
        for receipt, files in zip(corpus.receipts(mixing.DOMAINS), mixing.measured(corpus))
        for cells in [receipt.outcome.details["cells"]]
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Draws the copies of one part's documents."""
    with write_part(corpus.path(f"mixture/{task.name}.parquet"), SCHEMA) as (out, file):
        cells = _drawn(task, settings, corpus, out) if settings else _all_once(task, corpus, out)
    counts = {
        "documents": out.rows,
        "copies": sum(cell["copies"] for cell in cells),
        "bytes": sum(cell["bytes_after"] for cell in cells),
    }
    return Outcome(counts, {"cells": cells}, (corpus.stored(file),))


def _drawn(task: Task, settings: dict[str, Any], corpus: Corpus, out: Any) -> list[dict[str, Any]]:
    table = mixing.read_measured(corpus, task.inputs, settings["unit"])
    numbers, cells = mixing.cell_numbers(table, mixing.axes_of(corpus.config))
    draws = {tuple(names): mixing.Draw(whole, buckets) for names, whole, buckets in task.arguments["draws"]}
    buckets = mixing.buckets_of(vector(table["key"]), settings["seed"])
    copies = np.zeros(table.num_rows, np.uint16)
    for number, cell in enumerate(cells):
        here = numbers == number
        copies[here] = draws[cell].copies(buckets[here])
    columns = [table["key"].combine_chunks(), pa.array(copies), pa.array(numbers.astype(np.uint32))]
    out.write(pa.record_batch(columns, schema=SCHEMA))
    progress.advance(table.num_rows)

    def sums(values: np.ndarray) -> list[int]:
        return np.bincount(numbers, values, len(cells)).astype(np.int64).tolist()

    size, amount = vector(table["bytes"]).astype(np.float64), vector(table["amount"]).astype(np.float64)
    told = [sums(v) for v in (np.ones(len(size)), size, amount, copies, size * copies, amount * copies)]
    return [mixture_tables.cell(names, *(values[number] for values in told)) for number, names in enumerate(cells)]


def _all_once(task: Task, corpus: Corpus, out: Any) -> list[dict[str, Any]]:
    """Reads no text: what there is of each language the filter has counted."""
    source, languages = task.arguments["source"], task.arguments["languages"]
    known = sorted({language or UNKNOWN for language in languages})
    for batch in read_part(corpus.path(task.inputs[0].path), ["key", "language"]):
        numbers = pc.index_in(pc.fill_null(batch["language"], UNKNOWN), pa.array(known, pa.string()))
        copies = pa.array(np.ones(batch.num_rows, np.uint16))
        out.write(pa.record_batch([batch["key"], copies, numbers.cast(pa.uint32())], schema=SCHEMA))
        progress.advance(batch.num_rows)
    found = {name or UNKNOWN: (counts["documents"], counts["text_bytes"]) for name, counts in languages.items()}
    return [
        mixture_tables.cell((source, name), n, size, size, n, size, size) for name in known for n, size in [found[name]]
    ]


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The tables of the mixture, planned and reached, by cell and by axis."""
    mix = corpus.config.mix
    cells = [cell for outcome in outcomes for cell in outcome.details["cells"]]
    counts = {key: sum(outcome.counts[key] for outcome in outcomes) for key in ("documents", "copies", "bytes")}
    if mix.asked and not counts["copies"]:
        raise GristmillError("mix: no document is left in the mixture: raise mix.max_epochs or mix.total")
    made = mixing.planned(corpus).plan if mix.asked else None
    details = mixture_tables.details(cells, mixing.wishes_in(corpus), made)
    return Outcome(counts, details)


JOB = Job("mix", "mixture", 2, settings_of, plan, work, summarise=summarise, summary_settings=summary_settings_of)
