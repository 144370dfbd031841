"""Decisions → the documents that stay: lines edited, evaluation texts masked, personal data replaced, in this order.

Lines go first, because rules judge them as they were written; evaluation texts are looked for before placeholders
stand among their words; and personal data is looked for in what is left.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import personal_data
from filters.decisions import judged
from filters.decontamination import overlapping_spans
from filters.line_rules import edit_lines
from filters.presets import Preset
from filters.spans import replaced
from pipeline import contamination, documents, evaluation_sets, kept_texts, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig, Filter, PersonalData
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, text_bytes, write_part
from pipeline.rules import presets_of
from pipeline.storage import StoredFile

EMPTIED = "lines/nothing-left"  # what the report and `filter explain` call it when line rules took every line


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What texts depend on beside the decisions: the line rules, the masked sets, what is personal data."""
    edits = [dataclasses.asdict(preset) for preset in presets_of(config.filter) if preset.lines]
    scope = ("languages", "except_languages")
    masked = contamination.masks(config.filter.decontamination)
    return {
        "lines": [{name: preset[name] for name in scope} | {"rules": preset["lines"]} for preset in edits],
        "masks": {name: [each.runs, each.share] for name, each in masked.items()},
        "sets": evaluation_sets.content_of(config.filter.decontamination) if masked else [],
        "placeholder": config.filter.decontamination.placeholder if masked else "",
        "personal_data": config.filter.personal_data.model_dump() if config.filter.personal_data.kinds else None,
    }


def plan(corpus: Corpus) -> list[Task]:
    """One task a part. Of the decisions, its texts depend on which documents stay and not on why the others go."""
    read = {receipt.task: receipt.outcome for receipt in corpus.receipts("documents")}
    texts = kept_texts.files(corpus)
    clusters = {r.task: r.outcome.files[0].sha256 for r in corpus.receipts("clusters") if r.outcome.files}
    shared: dict[str, tuple[StoredFile, ...]] = {}
    if contamination.masks(corpus.config.filter.decontamination):
        shared = {receipt.task: receipt.outcome.files[:1] for receipt in corpus.receipts("contamination")}
    return [
        Task(
            receipt.task,
            {"source": read[receipt.task].details["source"], "clusters": clusters[receipt.task]},
            (
                receipt.outcome.files[0]._replace(sha256=receipt.outcome.details["kept"]),
                *texts[receipt.task],
                *shared.get(receipt.task, ()),
            ),
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
    files, masks = task.inputs[1:], None
    if settings["masks"]:
        files, masks = task.inputs[1:-1], Masks(corpus.path(task.inputs[-1].path), settings, corpus.config.filter)
    languages: dict[str, dict[str, int]] = {}
    personal: list[dict[str, dict[str, int]]] = []
    passed_bytes = masked_documents = 0
    sizes = np.zeros(4, np.int64)  # bytes of what stays: as it was, after line rules, masks and placeholders
    clusters = read_whole(corpus.path(task.inputs[2].path), ["key", "cluster", "cluster_size"])
    with write_part(corpus.path(f"filtered/{task.name}.parquet"), documents.KEPT_SCHEMA) as (out, file):
        for batch, read_bytes in kept_texts.read(corpus, files, only=staying["key"].combine_chunks()):
            kept = _edited(batch, staying.take(pa.array(rows_of(batch["key"], keys))), presets)
            steps = [batch["text"], kept["text"]]
            if masks:
                masked, documents_masked = masks.applied(kept["key"], kept["text"])
                masked_documents += documents_masked
                kept = _with_text(kept, masked)
            steps.append(kept["text"])
            if settings["personal_data"]:
                text, amounts = _without_personal_data(kept["text"], corpus.config.filter.personal_data)
                personal.append(amounts)
                kept = _with_text(kept, text)
            steps.append(kept["text"])
            has_text = pc.greater(pc.binary_length(kept["text"]), 0)
            kept = kept.filter(has_text)
            passed_bytes += text_bytes(batch["text"])
            sizes += [text_bytes(step.filter(has_text)) for step in steps]
            out.write(_with_clusters(kept, clusters))
            languages = manifests.add_nested([languages, documents.by_language(kept["language"], kept["text"])])
            progress.advance(batch.num_rows, read_bytes)
    edited, masked_bytes, replaced_bytes = (-np.diff(sizes)).tolist()
    counts = {
        "documents": staying.num_rows,
        "kept": out.rows,
        "removed": staying.num_rows - out.rows,
        "kept_bytes": int(sizes[-1]),
        "removed_bytes": passed_bytes - int(sizes[0]),
        "edited_bytes": edited,
        "masked_documents": masked_documents,
        "masked_bytes": masked_bytes,
        "replaced_bytes": replaced_bytes,
    }
    details = {
        "source": task.arguments["source"],
        "languages": languages,
        "personal_data": manifests.add_nested(personal),
    }
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


class Masks:
    """Cuts evaluation texts out of the documents of a part that share enough with the sets that are masked."""

    def __init__(self, path: str, settings: dict[str, Any], config: Filter):
        shared = read_whole(path)
        self._keys = vector(shared["key"])
        self._wanted = contamination.masked(shared, config.decontamination)
        self._sets = evaluation_sets.load(settings["sets"])
        self._placeholder = config.decontamination.placeholder

    def applied(self, keys: pa.Array, text: pa.Array) -> tuple[pa.Array, int]:
        """Texts [n] without what they share with the sets, and how many of them were changed."""
        spans = overlapping_spans(text, self._sets.lookup, self._wanted[rows_of(keys, self._keys)])
        changed = np.isin(np.arange(len(text)), spans.documents)
        text = replaced(text, spans, [self._placeholder])
        if changed.any():  # a full stop that is left is no document
            wordless = pc.invert(pc.match_substring_regex(text, r"[\pL\pN]"))
            text = pc.if_else(pc.and_(pa.array(changed), wordless), "", text)
        return text, int(changed.sum())


def _without_personal_data(text: pa.Array, settings: PersonalData) -> tuple[pa.Array, dict[str, dict[str, int]]]:
    """Texts [n] with placeholders for personal data, and what of each kind they replace."""
    found = personal_data.find(text, settings.kinds, settings.public_ips_only, settings.key)
    placeholders = {**personal_data.PLACEHOLDERS, **{str(kind): text for kind, text in settings.placeholders.items()}}
    return personal_data.replace(text, found, placeholders), found.amounts


def _with_text(batch: pa.RecordBatch, text: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), text)


def _with_clusters(batch: pa.RecordBatch, clusters: pa.Table) -> pa.RecordBatch:
    """Documents with the cluster each is in and its size."""
    rows = pa.array(rows_of(batch["key"], vector(clusters["key"])))
    found = [clusters[name].combine_chunks().take(rows) for name in ("cluster", "cluster_size")]
    return pa.record_batch([*batch.columns, *found], schema=documents.KEPT_SCHEMA)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, what stays by language, and personal data by kind."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    if counts["documents"] and not counts["kept"]:
        what = "line rules and masks" if counts["masked_documents"] else "line rules"
        raise GristmillError(
            f"filter: {what} leave nothing of the {counts['documents']:,} documents that pass the other rules: "
            "switch some off with null under filter.overrides ({PRESET: {lines.RULE: null}}), or leave the preset out"
        )
    languages = manifests.add_nested([outcome.details["languages"] for outcome in outcomes])
    personal = manifests.add_nested([outcome.details["personal_data"] for outcome in outcomes])
    return Outcome(counts, {"languages": languages, "personal_data": personal})


JOB = Job("select", "filtered", 4, settings_of, plan, work, summarise=summarise)
