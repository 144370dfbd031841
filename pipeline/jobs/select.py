"""Annotations → decisions by the rules in force → the documents that stay, their lines edited where a rule says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.line_rules import edit_lines
from filters.presets import Preset, decide
from pipeline import documents, kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig, Filter
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_schema, read_whole, text_bytes, write_part
from pipeline.rules import presets_of

DECISIONS_SCHEMA = pa.schema(
    [("key", pa.uint64()), ("kept", pa.bool_()), ("rule", pa.string()), ("failing", pa.uint64())]
)
EMPTIED = "lines/nothing-left"  # line rules took every line

# ``failing``: bit r is set when the r-th rule of the manifest's funnel fails.


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What decisions depend on: presets with their thresholds as they now are, overrides, language and quality."""
    return {
        "filter": config.filter.model_dump(),
        "presets": [dataclasses.asdict(preset) for preset in presets_of(config.filter)],
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    read = {receipt.task: receipt.outcome for receipt in corpus.receipts("documents")}
    texts = kept_texts.files(corpus)
    clusters = {r.task: r.outcome.files[0].sha256 for r in corpus.receipts("clusters") if r.outcome.files}
    return [
        Task(
            receipt.task,
            {"source": read[receipt.task].details["source"], "clusters": clusters[receipt.task]},
            (receipt.outcome.files[0], *texts[receipt.task]),
            read[receipt.task].counts["text_bytes"],
        )
        for receipt in corpus.receipts("annotations")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Decides on one part and writes what stays."""
    presets = presets_of(Filter.model_validate(settings["filter"]))
    annotations_path = corpus.path(task.inputs[0].path)
    [annotations] = read_whole(annotations_path).combine_chunks().to_batches() or [None]
    if annotations is None:
        annotations = pa.RecordBatch.from_pylist([], read_schema(annotations_path))
    decisions = decide(annotations, presets)
    rules = [*decisions.rules, EMPTIED]
    passed = annotations.filter(pa.array(decisions.first < 0))
    passed_keys = vector(passed["key"])
    emptied: list[np.ndarray] = []
    languages: dict[str, dict[str, int]] = {}
    edited_bytes = 0
    clusters = read_whole(corpus.path(task.inputs[2].path), ["key", "cluster", "cluster_size"])
    with write_part(corpus.path(f"filtered/{task.name}.parquet"), documents.KEPT_SCHEMA) as (out, file):
        for batch, whole_bytes in kept_texts.read(corpus, task.inputs[1:], only=passed["key"]):
            kept = _edited(batch, passed.take(pa.array(rows_of(batch["key"], passed_keys))), presets)
            has_text = pc.greater(pc.binary_length(kept["text"]), 0)
            emptied.append(vector(kept["key"])[~has_text.to_numpy(zero_copy_only=False)])
            kept = kept.filter(has_text)
            edited_bytes += text_bytes(batch["text"].filter(has_text)) - text_bytes(kept["text"])
            out.write(_with_clusters(kept, clusters))
            languages = manifests.add_nested([languages, documents.by_language(kept["language"], kept["text"])])
            progress.advance(batch.num_rows, whole_bytes)

    first = np.where(decisions.first < 0, len(rules), decisions.first)
    failing = decisions.failing.copy()
    gone = np.isin(vector(annotations["key"]), np.concatenate(emptied or [passed_keys[:0]]))
    first[gone] = len(rules) - 1
    failing[gone] |= np.uint64(1) << np.uint64(len(rules) - 1)
    columns = [
        annotations["key"],
        pa.array(first == len(rules)),
        pa.array([*rules, None], pa.string()).take(pa.array(first)),
        pa.array(failing),
    ]
    decided = pa.record_batch(columns, schema=DECISIONS_SCHEMA)
    with write_part(corpus.path(f"decisions/{task.name}.parquet"), DECISIONS_SCHEMA) as (decisions_out, decisions_file):
        decisions_out.write(decided)
    kept_bytes = sum(each["text_bytes"] for each in languages.values())
    counts = {
        "documents": annotations.num_rows,
        "kept": out.rows,
        "removed": annotations.num_rows - out.rows,
        "kept_bytes": kept_bytes,
        "removed_bytes": (pc.sum(annotations["text_bytes"]).as_py() or 0) - kept_bytes - edited_bytes,
        "edited_bytes": edited_bytes,
    }
    details = {
        "source": task.arguments["source"],
        "funnel": _funnel(annotations, decided, rules),
        "languages": languages,
    }
    return Outcome(counts, details, (corpus.stored(file), corpus.stored(decisions_file)))


def _edited(batch: pa.RecordBatch, annotations: pa.RecordBatch, presets: list[Preset]) -> pa.RecordBatch:
    """Documents with the lines gone that the presets' line rules refuse, and with their language filled in."""
    text, language = batch["text"], annotations["language"]
    for preset in presets:
        if preset.lines:
            without, _ = edit_lines(text, preset.lines)
            if preset.languages is None:
                text = without
            else:
                judged = pc.is_in(language, pa.array(preset.languages, pa.string()))
                text = pc.if_else(judged, without, text)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns |= {"text": text, "language": language, "language_score": annotations["language_score"]}
    return pa.record_batch([columns[name] for name in documents.SCHEMA.names], schema=documents.SCHEMA)


def _with_clusters(batch: pa.RecordBatch, clusters: pa.Table) -> pa.RecordBatch:
    """Documents with the cluster each is in and its size."""
    rows = pa.array(rows_of(batch["key"], vector(clusters["key"])))
    found = [clusters[name].combine_chunks().take(rows) for name in ("cluster", "cluster_size")]
    return pa.record_batch([*batch.columns, *found], schema=documents.KEPT_SCHEMA)


def _funnel(annotations: pa.RecordBatch, decided: pa.RecordBatch, rules: list[str]) -> dict[str, dict[str, int]]:
    """By rule: documents and bytes it was the first to remove, and documents that fail it at all."""
    failing = vector(decided["failing"])
    funnel = {}
    for index, rule in enumerate(rules):
        first = pc.fill_null(pc.equal(decided["rule"], rule), False)
        funnel[rule] = {
            "documents": pc.sum(first).as_py() or 0,
            "bytes": pc.sum(annotations["text_bytes"].filter(first)).as_py() or 0,
            "failing": int(((failing >> np.uint64(index)) & np.uint64(1)).sum()),
        }
    return funnel


_REMEDIES = {
    "language": "name other languages in filter.language.keep, or lower filter.language.minimum_score",
    "quality": "lower filter.quality.minimum, or take another model",
}


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, the funnel in the order of the rules, and what stays by language."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    funnel = manifests.add_nested([outcome.details["funnel"] for outcome in outcomes])
    presets = presets_of(corpus.config.filter)
    order = [f"{preset.name}/{rule.name}" for preset in presets for rule in preset.rules] + [EMPTIED]
    if counts["documents"] and not counts["kept"]:
        worst = max(order, key=lambda rule: funnel[rule]["failing"])
        raise GristmillError(
            f"filter: no document of {counts['documents']:,} passes; {worst} alone fails {funnel[worst]['failing']:,}: "
            + _REMEDIES.get(
                worst.split("/")[0],
                "loosen it under filter.overrides ({PRESET: {RULE: NUMBER}}), or leave its preset out",
            )
        )
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return Outcome(counts, {"funnel": [{"rule": rule} | funnel[rule] for rule in order], "languages": languages})


JOB = Job("select", "filtered", 2, settings_of, plan, work, beside=("decisions",), summarise=summarise)
