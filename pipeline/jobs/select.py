"""Annotations → decisions by the rules in force → the documents that stay, their lines edited where a rule says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.line_rules import edit_lines
from filters.presets import Preset, decide, language_preset, load_preset, quality_preset
from pipeline import documents, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig, Filter
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_part, read_whole, text_bytes, write_part

DECISIONS_SCHEMA = pa.schema(
    [("key", pa.uint64()), ("kept", pa.bool_()), ("rule", pa.string()), ("failing", pa.uint64())]
)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What decisions depend on: presets with their thresholds as they now are, overrides, language and quality."""
    return {
        "filter": config.filter.model_dump(),
        "presets": [dataclasses.asdict(preset) for preset in presets_of(config.filter)],
    }


def presets_of(config: Filter) -> list[Preset]:
    """Rules in force, in the order in which a removal is put down to them: language, the presets, quality."""
    presets = [load_preset(name, config.overrides.get(name, {})) for name in config.presets]
    if config.language.keep:
        presets.insert(0, language_preset(config.language.keep, config.language.minimum_score))
    if config.quality:
        presets.append(quality_preset(config.quality.minimum))
    return presets


def plan(corpus: Corpus) -> list[Task]:
    """One task a part."""
    texts = {receipt.task: receipt for receipt in corpus.receipts("documents")}
    return [
        Task(
            receipt.task,
            {"source": texts[receipt.task].outcome.details["source"]},
            (texts[receipt.task].outcome.files[0], receipt.outcome.files[0]),
            texts[receipt.task].outcome.counts["text_bytes"],
        )
        for receipt in corpus.receipts("annotations")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Decides on one part and writes what stays."""
    presets = presets_of(Filter.model_validate(settings["filter"]))
    texts, annotations_path = (corpus.path(file.path) for file in task.inputs)
    annotations = read_whole(annotations_path).combine_chunks()
    annotations = pa.RecordBatch.from_struct_array(annotations.to_struct_array().combine_chunks())
    decisions = decide(annotations, presets)
    stays = np.asarray(decisions.first) < 0
    rules = pa.array([*decisions.rules, None], pa.string()).take(
        pa.array(np.where(stays, len(decisions.rules), decisions.first))
    )
    decided = pa.record_batch(
        [annotations["key"], pa.array(stays), rules, pa.array(decisions.failing)], schema=DECISIONS_SCHEMA
    )
    with write_part(corpus.path(f"decisions/{task.name}.parquet"), DECISIONS_SCHEMA) as (out, decisions_file):
        out.write(decided)

    kept = annotations.filter(decided["kept"])
    kept_keys = vector(kept["key"])
    languages: dict[str, dict[str, int]] = {}
    removed_by_edit = 0
    with write_part(corpus.path(f"filtered/{task.name}.parquet"), documents.SCHEMA) as (out, file):
        for batch in read_part(texts):
            whole_bytes = text_bytes(batch["text"])
            batch = batch.filter(pa.array(np.isin(vector(batch["key"]), kept_keys)))
            rows = pa.array(rows_of(batch["key"], kept_keys))
            text = batch["text"]
            for preset in presets:
                if preset.lines:
                    text, removed = edit_lines(text, preset.lines)
                    removed_by_edit += int(removed.sum())
            language = kept["language"].take(rows)
            languages = manifests.add_nested([languages, documents.by_language(language, text)])
            columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | {
                "text": text,
                "language": language,
                "language_score": kept["language_score"].take(rows),
            }
            out.write(pa.record_batch([columns[name] for name in documents.SCHEMA.names], schema=documents.SCHEMA))
            progress.advance(batch.num_rows, whole_bytes)
    counts = {
        "documents": len(stays),
        "kept": out.rows,
        "removed": len(stays) - out.rows,
        "kept_bytes": text_bytes_of(kept) - removed_by_edit,
        "removed_bytes": text_bytes_of(annotations) - text_bytes_of(kept),
        "edited_bytes": removed_by_edit,
    }
    details = {
        "source": task.arguments["source"],
        "funnel": _funnel(annotations, decided, decisions.rules),
        "languages": languages,
    }
    return Outcome(counts, details, (corpus.stored(file), corpus.stored(decisions_file)))


def text_bytes_of(annotations: pa.RecordBatch) -> int:
    """Bytes of text of annotated documents, before any edit."""
    return pc.sum(annotations["text_bytes"]).as_py() or 0


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


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> tuple[dict[str, int], dict[str, Any]]:
    """Counts, the funnel in the order of the rules, and what stays by language."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    funnel = manifests.add_nested([outcome.details["funnel"] for outcome in outcomes])
    order = [f"{preset.name}/{rule.name}" for preset in presets_of(corpus.config.filter) for rule in preset.rules]
    if counts["documents"] and not counts["kept"]:
        worst = max(order, key=lambda rule: funnel[rule]["failing"])
        raise GristmillError(
            f"filter: no document of {counts['documents']:,} passes; {worst} alone fails {funnel[worst]['failing']:,}. "
            "Loosen it under filter.overrides, or leave its preset out of filter.presets"
        )
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return counts, {"funnel": [{"rule": rule} | funnel[rule] for rule in order], "languages": languages}


JOB = Job("select", "filtered", 1, settings_of, plan, work, beside=("decisions",), summarise=summarise)
