"""Documents that dedup kept → what each shares with the evaluation sets, and which of their items were found."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.decontamination import Overlap, overlap, overlapping_spans
from pipeline import contamination, evaluation_sets, kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.evaluation_sets import Sets
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, write_part

ITEMS = "contamination_items"
_READERS = 16  # files read at once
_SAMPLES = 5  # of each set, for the report
_SAMPLE_CHARACTERS = 600

# Texts of the sets that stand in documents of a part: how many documents, the largest share of its runs in one of them,
# and the first such document.
FOUND_SCHEMA = pa.schema(
    [("text", pa.uint32()), ("documents", pa.uint64()), ("share", pa.float32()), ("key", pa.uint64())]
)
# The same by item, of the whole corpus: the set, the file and the line.
ITEMS_SCHEMA = pa.schema(
    [
        ("set", pa.string()),
        ("file", pa.string()),
        ("line", pa.uint32()),
        ("documents", pa.uint64()),
        ("share", pa.float32()),
        ("key", pa.uint64()),
    ]
)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What a measurement depends on: the sets by content, and no threshold."""
    return {"sets": evaluation_sets.content_of(config.filter.decontamination)}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    texts = kept_texts.files(corpus)
    return [
        Task(receipt.task, {}, texts[receipt.task], receipt.outcome.counts["text_bytes"])
        for receipt in corpus.receipts("documents")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Measures the documents of one part that dedup kept."""
    sets = evaluation_sets.load(settings["sets"])
    names = sets.lookup.sets
    form = contamination.schema(list(names))
    totals: dict[str, dict[str, int]] = {name: {"documents": 0, "runs": 0} for name in names}
    found = _nothing_found(len(sets.lookup.text_sets))
    samples: list[dict[str, Any]] = []
    text_bytes = 0
    with write_part(corpus.path(f"contamination/{task.name}.parquet"), form) as (out, file):
        for batch, whole_bytes in kept_texts.read(corpus, task.inputs, ["key", "text"]):
            measured = overlap(batch["text"], sets.lookup)
            columns = [batch["key"]]
            for number, name in enumerate(names):
                runs = measured.runs[:, number]
                columns += [pa.array(runs), pa.array(measured.shares[:, number])]
                totals[name]["documents"] += int((runs > 0).sum())
                totals[name]["runs"] += int(runs.sum())
            out.write(pa.record_batch(columns, schema=form))
            samples = _best(samples + _samples(batch, measured, sets))
            found = _add(found, measured, vector(batch["key"]))
            text_bytes += pc.sum(pc.binary_length(batch["text"])).as_py() or 0
            progress.advance(batch.num_rows, whole_bytes)
    rows = np.flatnonzero(found["documents"])
    with write_part(corpus.path(f"{ITEMS}/{task.name}.parquet"), FOUND_SCHEMA) as (items, items_file):
        items.write(pa.record_batch([rows.astype(np.uint32), *(found[name][rows] for name in FOUND_SCHEMA.names[1:])],
                                    schema=FOUND_SCHEMA))  # fmt: skip
    counts = {"documents": out.rows, "text_bytes": text_bytes}
    return Outcome(counts, {"sets": totals, "samples": samples}, (corpus.stored(file), corpus.stored(items_file)))


def _nothing_found(texts: int) -> dict[str, np.ndarray]:
    return {
        "documents": np.zeros(texts, np.uint64),
        "share": np.zeros(texts, np.float32),
        "key": np.zeros(texts, np.uint64),
    }


def _add(found: dict[str, np.ndarray], measured: Overlap, keys: np.ndarray) -> dict[str, np.ndarray]:
    """What was found of each text with what a later batch has of it."""
    better = measured.best > found["share"]
    here = keys[measured.best_document] if len(keys) else found["key"]
    return {
        "documents": found["documents"] + measured.found.astype(np.uint64),
        "share": np.where(better, measured.best, found["share"]),
        "key": np.where(better, here, found["key"]),
    }


def _samples(batch: pa.RecordBatch, measured: Overlap, sets: Sets) -> list[dict[str, Any]]:
    """Texts of the sets beside the documents that have most of them."""
    samples = []
    for number in range(len(sets.lookup.sets)):
        own = np.flatnonzero((measured.best_document >= 0) & (sets.lookup.text_sets == number))
        for text in own[np.argsort(-measured.best[own], kind="stable")][:_SAMPLES].tolist():
            row = int(measured.best_document[text])
            item = sets.items[number]
            place = int(sets.lookup.text_items[text])
            samples.append(
                {
                    "set": sets.lookup.sets[number],
                    "file": item.paths[place],
                    "line": item.lines[place],
                    "share": round(float(measured.best[text]), 6),
                    "key": str(batch["key"][row].as_py()),
                    "text": sets.texts[text].as_py()[:_SAMPLE_CHARACTERS],
                    "document": _passage(batch["text"].slice(row, 1), sets, number),
                }
            )
    return samples


def _passage(text: pa.Array, sets: Sets, number: int) -> str:
    """The document where it first shares text with a set, with some of what stands around."""
    wanted = np.zeros((1, len(sets.lookup.sets)), bool)
    wanted[0, number] = True
    spans = overlapping_spans(text, sets.lookup, wanted)
    data = text[0].as_py().encode()
    longest = int(np.argmax(spans.ends - spans.starts))
    around = max(0, _SAMPLE_CHARACTERS - int(spans.ends[longest] - spans.starts[longest])) // 2
    start = max(0, int(spans.starts[longest]) - around)
    return data[start : start + _SAMPLE_CHARACTERS].decode(errors="ignore")


def _best(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each set the texts that documents have most of."""
    ordered = sorted(samples, key=lambda each: (each["set"], -each["share"], int(each["key"]), each["line"]))
    taken: dict[str, int] = {}
    kept = []
    for each in ordered:
        taken[each["set"]] = taken.get(each["set"], 0) + 1
        if taken[each["set"]] <= _SAMPLES:
            kept.append(each)
    return kept


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Hits by set, the items of each that were found, in a file too, and samples."""
    sets = evaluation_sets.load(settings_of(corpus.config)["sets"])
    found = _nothing_found(len(sets.lookup.text_sets))
    paths = [corpus.path(file.path) for outcome in outcomes for file in outcome.files if file.path.startswith(ITEMS)]
    with ThreadPoolExecutor(_READERS) as pool:
        for part in pool.map(read_whole, paths):  # in the order of the parts, so the first document of equals stays
            text, documents, share, key = (vector(part[name]) for name in FOUND_SCHEMA.names)
            found["documents"][text] += documents
            better = share > found["share"][text]
            found["share"][text[better]], found["key"][text[better]] = share[better], key[better]
    items = _by_item(sets, found)
    with write_part(corpus.path("contamination/items.parquet"), ITEMS_SCHEMA) as (out, file):
        out.write(items)
    totals = manifests.add_nested([outcome.details["sets"] for outcome in outcomes])
    numbers = dict(zip(*(pc.value_counts(items["set"]).field(name).to_pylist() for name in ("values", "counts"))))
    details = {
        "sets": {
            name: {
                "items": len(sets.items[number].lines),
                "items_found": numbers.get(name, 0),
                "texts": int((sets.lookup.text_sets == number).sum()),
                "texts_too_short": int((sets.lookup.text_runs[sets.lookup.text_sets == number] == 0).sum()),
                **totals.get(name, {"documents": 0, "runs": 0}),
            }
            for number, name in enumerate(sets.lookup.sets)
        },
        "samples": _best([sample for outcome in outcomes for sample in outcome.details["samples"]]),
    }
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    return Outcome(counts, details, (corpus.stored(file),))


def _by_item(sets: Sets, found: dict[str, np.ndarray]) -> pa.RecordBatch:
    """The items of which a text was found: of several texts the one that a document has most of."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for text in np.flatnonzero(found["documents"]).tolist():
        number, place = int(sets.lookup.text_sets[text]), int(sets.lookup.text_items[text])
        row: dict[str, Any] = {
            "set": sets.lookup.sets[number],
            "file": sets.items[number].paths[place],
            "line": sets.items[number].lines[place],
            "documents": int(found["documents"][text]),
            "share": float(found["share"][text]),
            "key": int(found["key"][text]),
        }
        known = rows.get((number, place))
        if known is None or row["share"] > known["share"]:
            rows[number, place] = row | {"documents": max(row["documents"], known["documents"] if known else 0)}
        else:
            known["documents"] = max(known["documents"], row["documents"])
    return pa.RecordBatch.from_pylist([rows[place] for place in sorted(rows)], ITEMS_SCHEMA)


JOB = Job(
    "overlap",
    "contamination",
    1,
    settings_of,
    plan,
    work,
    beside=(ITEMS,),
    summarise=summarise,
    asked_for=lambda config: bool(config.filter.decontamination.sets),
)
