"""Annotations → which documents stay, by the rules in force. Reads no text."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import urls
from filters.decisions import Decisions, decide, rule_names
from pipeline import annotated, contamination, manifests, progress, url_lists
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task
from pipeline.join import rows_of
from pipeline.manifests import Outcome
from pipeline.parts import read_rows, write_part
from pipeline.rules import presets_of
from pipeline.storage import StoredFile

# Language and its score are what a document that stays is given by the job ``select``.
SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("kept", pa.bool_()),
        ("rule", pa.string()),
        ("failing", pa.list_(pa.uint16())),
        ("language", pa.string()),
        ("language_score", pa.float32()),
    ]
)
_ADDRESSES = pa.schema([("key", pa.uint64()), ("url", pa.string())])


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What decisions depend on: the rules with their thresholds as they now are, and lists of addresses by content."""
    presets = [dataclasses.asdict(preset) | {"lines": None} for preset in presets_of(config.filter)]
    shares = {name: each.share for name, each in config.filter.decontamination.sets.items()}
    return {"presets": presets, "urls": url_lists.fingerprint(config.filter.urls), "shares": shares}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part. Documents are read where there are lists of addresses, and of them these alone."""
    documents = {receipt.task: receipt.outcome for receipt in corpus.receipts("documents")}
    addresses = corpus.config.filter.urls.given()
    files = annotated.files(corpus, _measured(_columns(corpus)))
    return [
        Task(
            part,
            {"source": documents[part].details["source"]},
            (*inputs, *(documents[part].files[:1] if addresses else ())),
        )
        for part, inputs in files.items()
    ]


def _columns(corpus: Corpus) -> list[str]:
    """What the rules in force ask about, and what decisions hold beside."""
    asked = [rule.statistic for preset in presets_of(corpus.config.filter) for rule in preset.rules]
    shares = contamination.share_columns(corpus.config.filter.decontamination)
    return list(dict.fromkeys(["key", "text_bytes", "language", "language_score", *asked, *shares]))


def _measured(columns: list[str]) -> list[str]:
    """Those of them that lie in annotations: what is asked of an address is made of it here."""
    return [name for name in columns if not name.startswith(f"{urls.NAME}_")]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Decides on one part."""
    presets = presets_of(corpus.config.filter)
    annotations = measured(corpus, task.inputs)
    decisions = decide(annotations, presets)
    kept = pa.array(decisions.first < 0)
    rule = pa.array(decisions.rules, pa.string()).take(pa.array(decisions.first, mask=decisions.first < 0))
    same = [annotations[name].combine_chunks() for name in ("key", "language", "language_score")]
    decided = pa.record_batch([same[0], kept, rule, decisions.failing, *same[1:]], schema=SCHEMA)
    with write_part(corpus.path(f"decisions/{task.name}.parquet"), SCHEMA) as (out, file):
        out.write(decided)
    progress.advance(annotations.num_rows)
    stays = annotations.filter(kept)
    text_bytes, kept_bytes = (pc.sum(each["text_bytes"]).as_py() or 0 for each in (annotations, stays))
    counts = {
        "documents": annotations.num_rows,
        "kept": stays.num_rows,
        "removed": annotations.num_rows - stays.num_rows,
        "text_bytes": text_bytes,
        "kept_bytes": kept_bytes,
        "removed_bytes": text_bytes - kept_bytes,
    }
    details = {
        "source": task.arguments["source"],
        "funnel": _funnel(vector(annotations["text_bytes"]), decisions),
        "languages": _by_language(stays),
        "kept": _digest(stays),
    }
    return Outcome(counts, details, (corpus.stored(file),))


def measured(corpus: Corpus, inputs: Sequence[StoredFile], keys: np.ndarray | None = None) -> pa.Table:
    """What the rules in force ask about, one row a document of a part.

    Args:
        corpus: whose rules and documents they are.
        inputs: the part's files, as ``plan`` gives them.
        keys: uint64, of these documents only; all when None.
    """
    columns = _columns(corpus)
    documents = [file for file in inputs if file.path.startswith("documents/")]
    table = annotated.read(corpus, [file for file in inputs if file not in documents], _measured(columns), keys)
    table = contamination.judged(table, corpus.config.filter.decontamination)
    if len(_measured(columns)) == len(columns):
        return table
    wanted = vector(table["key"])
    found = pa.Table.from_batches(read_rows(corpus.path(documents[0].path), ["key", "url"], wanted), _ADDRESSES)
    url = found["url"].take(pa.array(rows_of(wanted, vector(found["key"]))))
    for name, column in urls.columns_of(url, url_lists.rules_of(corpus.config.filter.urls)).items():
        table = table.append_column(name, column)
    return table


def _funnel(text_bytes: np.ndarray, decisions: Decisions) -> dict[str, dict[str, int]]:
    """By rule: documents and bytes it was the first to remove, and documents that fail it at all."""
    rules, first = len(decisions.rules), decisions.first
    gone = first >= 0
    documents = np.bincount(first[gone], minlength=rules)
    removed = np.zeros(rules, np.int64)
    np.add.at(removed, first[gone], text_bytes[gone].astype(np.int64))
    failing = np.bincount(vector(decisions.failing.values), minlength=rules)
    return {
        rule: {"documents": int(documents[row]), "bytes": int(removed[row]), "failing": int(failing[row])}
        for row, rule in enumerate(decisions.rules)
    }


def _by_language(table: pa.Table) -> dict[str, dict[str, int]]:
    """Documents and bytes of text of each language."""
    groups = table.group_by("language").aggregate([("text_bytes", "sum"), ("text_bytes", "count")]).to_pylist()
    return {
        row["language"]: {"documents": row["text_bytes_count"], "text_bytes": row["text_bytes_sum"]} for row in groups
    }


def _digest(kept: pa.Table) -> str:
    """SHA-256 of what the texts that stay depend on: which they are, and their languages."""
    [languages] = pc.binary_join(pa.array([kept["language"].to_pylist()], pa.list_(pa.string())), "\n").to_pylist()
    digest = hashlib.sha256(vector(kept["key"]).tobytes())
    digest.update(vector(kept["language_score"]).tobytes())
    digest.update(languages.encode())
    return digest.hexdigest()


_REMEDIES = {
    "url": "shorten the lists of filter.urls, or set filter.urls.only_allowed to false",
    "language": "name other languages in filter.language.keep, or lower filter.language.minimum_score",
    "quality": "lower the `minimum` of that model in filter.quality, or take another model",
    contamination.PRESET: "raise `runs` or `share` of the set, or set its action to mask or report",
}


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, the funnel in the order of the rules, and what stays by language and by source."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    funnel = manifests.add_nested([outcome.details["funnel"] for outcome in outcomes])
    presets = presets_of(corpus.config.filter)
    order = rule_names(presets)
    if counts["documents"] and not counts["kept"]:
        worst = max(order, key=lambda rule: funnel[rule]["failing"])
        raise GristmillError(
            f"filter: no document of {counts['documents']:,} passes; {worst} alone fails {funnel[worst]['failing']:,}: "
            + _REMEDIES.get(
                worst.split("/")[0],
                "loosen it under filter.overrides ({PRESET: {RULE: NUMBER}}), or leave its preset out",
            )
        )
    asked = [{"statistic": rule.statistic, "threshold": rule.threshold} for preset in presets for rule in preset.rules]
    details = {
        "funnel": [{"rule": name} | each | funnel[name] for name, each in zip(order, asked, strict=True)],
        "languages": manifests.add_nested([outcome.details["languages"] for outcome in outcomes]),
        "sources": manifests.add_nested([{outcome.details["source"]: outcome.counts} for outcome in outcomes]),
    }
    return Outcome(counts, details)


JOB = Job("decide", "decisions", 1, settings_of, plan, work, summarise=summarise)
