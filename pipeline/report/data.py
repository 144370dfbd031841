"""``report.json``: everything the report shows, assembled from the manifests of an output folder.

The result depends on the folder's content alone, so the same run gives the same report.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import yaml

from dedup.rates import REFERENCE_TABLE
from pipeline import storage
from pipeline.report import schema
from pipeline.report.copies import add_texts
from pipeline.report.filter_sample import filter_sample
from pipeline.report.longest_tokens import longest_tokens
from pipeline.report.schema import StageRun
from pipeline.report.training_runs import read_runs

_WRITTEN_OR_CUT = ("kept_bytes", "edited_bytes", "masked_bytes", "replaced_bytes", "removed_bytes")


def assemble(output: str) -> dict[str, Any]:
    """Reads an output folder, local or remote; nothing in it is changed.

    Returns:
        A JSON value: ``summary`` (one number or None each), ``steps`` (documents and bytes left after each step),
        ``stages`` (what each stage took, or why there is nothing), ``reference`` (published figures to compare with),
        ``training`` (curves of training runs found in the folder), ``texts_missing`` (why texts of copies could not
        be compared; empty when all could), ``dedup_settings`` (as the config has them) and one object for each stage
        that has run, holding its counts and details by the names of its manifest; ``ingest`` to ``tokenize`` are None
        for those that have not.
    """
    runs = schema.read_stages(output)
    report: dict[str, Any] = {
        "name": _name(output),
        "created": max((run.manifest.created for run in runs.values() if run.manifest), default=""),
        "version": next((run.manifest.version for run in reversed(runs.values()) if run.manifest), ""),
        "reference": {
            "source": "DeepSeek LLM, arXiv 2401.02954, table 1",
            "curve": [{"dumps": dumps, "share": round(percent / 100, 6)} for dumps, percent in REFERENCE_TABLE.items()],
        },
        "stages": [_stage(run) for run in runs.values() if not (run.kind.optional and run.problem == schema.NOT_RUN)],
        "training": read_runs(output),
    }
    report["dedup_settings"] = _dedup_settings(output)
    report["steps"] = _steps(runs)
    report["summary"] = _summary(runs, report["stages"])
    for name, run in runs.items():
        report[name] = run.manifest and {"counts": run.counts, **run.details.model_dump()}
    _complete(report, runs, output)
    return report


def _name(output: str) -> str:
    """The corpus's name, as its output folder is marked; else the folder's."""
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        return str(storage.read_json(storage.join(output, "corpus.json"))["name"])
    return Path(output).resolve().name if storage.is_local(output) else output.rstrip("/").rsplit("/", 1)[-1]


def _dedup_settings(output: str) -> dict[str, Any]:
    """The section ``dedup`` of the config that was last run on the folder; empty where there is none."""
    try:
        settings = yaml.safe_load(storage.read_text(storage.join(output, "corpus.yaml")))["dedup"]
        return schema.clean(json.loads(json.dumps(dict(settings))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return {}


def _stage(run: StageRun) -> dict[str, Any]:
    """One row of the table of stages. ``text_bytes`` is the text that went through; None where a stage reads none."""
    row: dict[str, Any] = {"stage": run.kind.stage, "folder": run.kind.folder, "problem": run.problem}
    if run.manifest is None:
        return row
    counts, seconds = run.counts, run.manifest.seconds
    text_bytes = counts.get("text_bytes")
    if text_bytes is None and run.kind.stage == "select" and "kept_bytes" in counts:
        text_bytes = sum(counts.get(name, 0) for name in _WRITTEN_OR_CUT)
    if text_bytes is None and run.kind.stage == "encode":
        text_bytes = sum(language.bytes for language in run.details.languages.values())
    documents = counts.get("documents")
    tasks = run.manifest.tasks
    partial = tasks is not None and run.manifest.tasks_run is not None and run.manifest.tasks_run < len(tasks)
    rated = None if partial else seconds  # a time in which only some of the work was done makes no rate
    return row | {
        "seconds": seconds,
        "workers": run.manifest.workers,
        "documents": documents,
        "tasks": None if tasks is None else len(tasks),
        "tasks_run": run.manifest.tasks_run if run.manifest.tasks_run is not None else tasks and len(tasks),
        "documents_per_second": _ratio(documents, rated),
        "text_bytes": text_bytes,
        "bytes_per_second": _ratio(text_bytes, rated),
        "written_files": len(run.manifest.files),
        "written_bytes": sum(file.bytes for file in run.manifest.files),
        "created": run.manifest.created,
        "version": run.manifest.version,
        "fingerprint": run.manifest.fingerprint,
        "files": [file.model_dump() for file in run.manifest.files] if run.kind.stage == "tokenize" else [],
    }


def _steps(runs: dict[str, StageRun]) -> list[dict[str, Any]]:
    """Documents and bytes of text left after each step that has run."""
    ingest, cluster, decide, select, mix, tokenize = (
        runs[name].counts for name in ("ingest", "cluster", "decide", "select", "mix", "tokenize")
    )
    paragraphs = runs["paragraphs"].counts
    unique, unique_bytes = cluster.get("kept"), None
    removed_bytes = runs["cluster"].details.removed.bytes if runs["cluster"].manifest else None
    if unique is not None:
        unique -= paragraphs.get("emptied", 0)
    if "text_bytes" in ingest and removed_bytes is not None:
        unique_bytes = ingest["text_bytes"] - removed_bytes - paragraphs.get("removed_bytes", 0)
    elif decide.get("documents") == unique:
        unique_bytes = decide.get("text_bytes")
    steps = (
        ("read", "Records read", ingest.get("records"), None),
        ("documents", "Documents", ingest.get("documents"), ingest.get("text_bytes")),
        ("unique", "After deduplication", unique, unique_bytes),
        ("filtered", "After filters", select.get("kept"), select.get("kept_bytes")),
        ("mixed", "In the mixture", mix.get("copies"), mix.get("bytes")),
        ("sharded", "In the shards", tokenize.get("documents"), None),
    )
    return [
        {"step": step, "title": title, "documents": documents, "text_bytes": text_bytes}
        for step, title, documents, text_bytes in steps
        if documents is not None
    ]


def _summary(runs: dict[str, StageRun], stages: list[dict[str, Any]]) -> dict[str, Any]:
    ingest, cluster, decide, select, tokenize = (
        runs[name].counts for name in ("ingest", "cluster", "decide", "select", "tokenize")
    )
    seconds = {stage["stage"]: stage["seconds"] for stage in stages if stage.get("seconds") is not None}
    run_seconds = sum(seconds.values()) if seconds else None
    corpus_seconds = sum(value for stage, value in seconds.items() if stage not in ("count", "tokenizer"))
    noted = (stage for stage in stages if stage.get("tasks") is not None and stage.get("tasks_run") is not None)
    partial = any(stage["tasks_run"] < stage["tasks"] for stage in noted)
    text_bytes = ingest.get("text_bytes")
    return {
        "records": ingest.get("records"),
        "documents": ingest.get("documents"),
        "kept": select.get("kept", decide.get("kept", cluster.get("kept"))),
        "text_bytes": text_bytes,
        "tokens": tokenize.get("tokens"),
        "removed_by_deduplication": _ratio(cluster.get("removed"), cluster.get("documents")),
        "removed_by_filters": _ratio(_filtered_away(decide, select), decide.get("documents")),
        "rejects": ingest.get("rejects"),
        "rejected": _ratio(ingest.get("rejects"), ingest.get("records")),
        "bytes_per_token": None,
        "seconds": run_seconds,
        # Training a tokenizer costs the same for any corpus and happens once, so it is left out of the rate.
        "bytes_per_second": None if partial else _ratio(text_bytes, corpus_seconds),
        "workers": max((run.manifest.workers or 0 for run in runs.values() if run.manifest), default=0) or None,
    }


def _filtered_away(decide: dict[str, int], select: dict[str, int]) -> int | None:
    """Documents that the rules remove or that line rules leave empty."""
    return decide["removed"] + select.get("removed", 0) if "removed" in decide else None


def _complete(report: dict[str, Any], runs: dict[str, StageRun], output: str) -> None:
    """Fills in what follows from other fields or other stages and was left out."""
    cluster, tokenizer, encode = (report[name] for name in ("cluster", "tokenizer", "encode"))
    if cluster:
        _complete_cluster(cluster, encode)
    if report["decide"]:
        _complete_decide(report["decide"], runs["decide"], encode, output)
    report["texts_missing"] = add_texts(output, report["match"], cluster, report["paragraphs"])
    if tokenizer and not tokenizer["compression"] and encode:
        rows = ({"language": language, "bytes_per_token": None, **row} for language, row in encode["languages"].items())
        tokenizer["compression"] = sorted(rows, key=lambda row: (-row["bytes"], row["language"]))
    if tokenizer and not tokenizer["longest"]:
        tokenizer["longest"] = longest_tokens(output)
    compression = tokenizer["compression"] if tokenizer else []
    for row in compression:
        if row["bytes_per_token"] is None:
            row["bytes_per_token"] = _ratio(row["bytes"], row["tokens"])
    total = sum(row["bytes"] for row in compression)
    report["summary"]["bytes_per_token"] = _ratio(total, sum(row["tokens"] for row in compression)) if total else None


def _complete_cluster(cluster: dict[str, Any], encode: dict[str, Any] | None) -> None:
    for point in (*cluster["curve"], *cluster["curve_reversed"]):
        if point["share"] is None:
            point["share"] = _ratio(point["removed"], point["documents"])
    removed = cluster["removed"]
    if removed["documents"] is None:
        removed["documents"] = cluster["counts"].get("removed")
    removed["tokens_estimated"] = _tokens(removed["bytes"], encode)


def _complete_decide(decide: dict[str, Any], run: StageRun, encode: dict[str, Any] | None, output: str) -> None:
    for rule in decide["funnel"]:
        rule["tokens_estimated"] = _tokens(rule["bytes"], encode)
    manifest = run.manifest
    settings = (manifest.model_extra or {}).get("settings", {}) if manifest else {}
    decide["sample"] = filter_sample(output, settings, [file.path for file in manifest.files] if manifest else [])


def _tokens(text_bytes: int | None, encode: dict[str, Any] | None) -> int | None:
    """Tokens that text would be: what was removed was never encoded; what was kept says how it would have been."""
    languages = encode["languages"].values() if encode else ()
    bytes_per_token = _ratio(sum(row["bytes"] for row in languages), sum(row["tokens"] for row in languages))
    return round(text_bytes / bytes_per_token) if bytes_per_token and text_bytes is not None else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
