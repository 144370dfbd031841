"""Decisions → the documents that stay, their lines edited where a rule says so."""

from __future__ import annotations

import dataclasses
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.decisions import judged
from filters.line_rules import edit_lines
from filters.presets import Preset
from pipeline import documents, kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, text_bytes, write_part
from pipeline.rules import presets_of

EMPTIED = "lines/nothing-left"  # what the report and `filter explain` call it when line rules took every line


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What texts depend on beside the decisions: the line rules, and in which languages."""
    edits = [dataclasses.asdict(preset) for preset in presets_of(config.filter) if preset.lines]
    scope = ("languages", "except_languages")
    return {"lines": [{name: preset[name] for name in scope} | {"rules": preset["lines"]} for preset in edits]}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part. Of the decisions, its texts depend on which documents stay and not on why the others go."""
    read = {receipt.task: receipt.outcome for receipt in corpus.receipts("documents")}
    texts = kept_texts.files(corpus)
    clusters = {r.task: r.outcome.files[0].sha256 for r in corpus.receipts("clusters") if r.outcome.files}
    return [
        Task(
            receipt.task,
            {"source": read[receipt.task].details["source"], "clusters": clusters[receipt.task]},
            (receipt.outcome.files[0]._replace(sha256=receipt.outcome.details["kept"]), *texts[receipt.task]),
            read[receipt.task].counts["text_bytes"],
        )
        for receipt in corpus.receipts("decisions")
    ]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Writes what stays of one part."""
    presets = presets_of(corpus.config.filter)
    decided = read_whole(corpus.path(task.inputs[0].path), ["key", "kept", "language", "language_score"])
    staying = decided.filter(decided["kept"]).combine_chunks()
    keys = vector(staying["key"])
    languages: dict[str, dict[str, int]] = {}
    passed_bytes = whole_bytes = 0
    clusters = read_whole(corpus.path(task.inputs[2].path), ["key", "cluster", "cluster_size"])
    with write_part(corpus.path(f"filtered/{task.name}.parquet"), documents.KEPT_SCHEMA) as (out, file):
        for batch, read_bytes in kept_texts.read(corpus, task.inputs[1:], only=staying["key"].combine_chunks()):
            kept = _edited(batch, staying.take(pa.array(rows_of(batch["key"], keys))), presets)
            has_text = pc.greater(pc.binary_length(kept["text"]), 0)
            kept = kept.filter(has_text)
            passed_bytes += text_bytes(batch["text"])
            whole_bytes += text_bytes(batch["text"].filter(has_text))
            out.write(_with_clusters(kept, clusters))
            languages = manifests.add_nested([languages, documents.by_language(kept["language"], kept["text"])])
            progress.advance(batch.num_rows, read_bytes)
    kept_bytes = sum(each["text_bytes"] for each in languages.values())
    counts = {
        "documents": staying.num_rows,
        "kept": out.rows,
        "removed": staying.num_rows - out.rows,
        "kept_bytes": kept_bytes,
        "removed_bytes": passed_bytes - whole_bytes,
        "edited_bytes": whole_bytes - kept_bytes,
    }
    details = {"source": task.arguments["source"], "languages": languages}
    return Outcome(counts, details, (corpus.stored(file),))


def _edited(batch: pa.RecordBatch, decided: pa.Table, presets: list[Preset]) -> pa.RecordBatch:
    """Documents with the lines gone that the presets' line rules refuse, and with their language filled in."""
    text, language = batch["text"], decided["language"].combine_chunks()
    for preset in presets:
        if preset.lines:
            without, _ = edit_lines(text, preset.lines)
            text = pc.if_else(pa.array(judged(preset, language)), without, text)
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns |= {"text": text, "language": language, "language_score": decided["language_score"].combine_chunks()}
    return pa.record_batch([columns[name] for name in documents.SCHEMA.names], schema=documents.SCHEMA)


def _with_clusters(batch: pa.RecordBatch, clusters: pa.Table) -> pa.RecordBatch:
    """Documents with the cluster each is in and its size."""
    rows = pa.array(rows_of(batch["key"], vector(clusters["key"])))
    found = [clusters[name].combine_chunks().take(rows) for name in ("cluster", "cluster_size")]
    return pa.record_batch([*batch.columns, *found], schema=documents.KEPT_SCHEMA)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, and what stays by language."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    if counts["documents"] and not counts["kept"]:
        raise GristmillError(
            f"filter: line rules leave nothing of the {counts['documents']:,} documents that pass the other rules: "
            "switch some off with null under filter.overrides ({PRESET: {lines.RULE: null}}), or leave the preset out"
        )
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    return Outcome(counts, {"languages": languages})


JOB = Job("select", "filtered", 3, settings_of, plan, work, summarise=summarise)
