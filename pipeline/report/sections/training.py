"""Training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pipeline.report.charts import training as charts
from pipeline.report.markup import Card, Column, Section
from pipeline.report.sections.shared import Report, with_content

Runs = Sequence[Mapping[str, Any]]


def section(report: Report) -> Section:
    """Curves of the training runs in the folder."""
    runs = report["training"]
    cards = [
        Card(
            "Loss",
            "Training loss in nats a token; the dotted line is the loss on validation shards, and where it turns up "
            "the model has begun to memorise.",
            charts.training_curve(runs, "loss", "loss", "validation_loss"),
            [
                Column("name", "run"),
                Column("step", "steps", "count"),
                Column("tokens", "tokens", "count"),
                Column("loss", "last loss", "number"),
                Column("validation", "validation", "number"),
                Column("before", "bits per byte, first", "similarity"),
                Column("bits", "and last", "similarity"),
            ],
            _results(runs),
        ),
        Card(
            "Bits per byte",
            "On held-out text, lower is better; unlike the loss it compares across tokenizers.",
            charts.validation_curve(runs, "bits_per_byte", "bits per byte"),
            [
                Column("name", "run"),
                Column("kind", "of"),
                Column("part", ""),
                Column("validation_loss", "loss", "number"),
                Column("bits_per_byte", "bits per byte", "similarity"),
            ],
            _by_name(runs),
        ),
        Card(
            "Learning rate",
            "The schedule as it was run: warm-up, the plateau, and the steps down.",
            charts.training_curve(runs, "learning_rate", "learning rate"),
            wide=False,
        ),
        Card(
            "Gradient norm",
            "Before clipping; a spike that the loss repeats is a bad batch, a slow rise a learning rate that is too "
            "high.",
            charts.training_curve(runs, "gradient_norm", "gradient norm"),
            wide=False,
        ),
        Card(
            "Speed",
            "Tokens a second at each step; dips are a busy machine or a slow disk. Validation and checkpoints stand "
            "outside.",
            charts.training_curve(runs, "tokens_per_s", "tokens per second"),
            [
                Column("name", "run"),
                Column("tokens_per_s", "tokens a second", "count"),
                Column("mfu", "of the stated peak", "share"),
                Column("memory_bytes", "most memory", "size"),
                Column("data", "of a step waiting for data", "share"),
            ],
            _speeds(runs),
        ),
        Card(
            "A step",
            "Median seconds of its parts. Data is what the step waited for; a GPU's times are its own, so what the "
            "program did meanwhile is not in them.",
            charts.step_parts(runs),
        ),
        Card(
            "Model FLOPs utilisation",
            "The model's own operations as a share of the device's dense bfloat16 peak; recomputation does not count.",
            charts.training_curve(runs, "mfu", "MFU"),
        ),
    ]
    return Section("training", "Training", "", (), with_content(cards))


def _results(runs: Runs) -> list[dict[str, Any]]:
    rows = []
    for run in runs:
        last = run["steps"][-1] if run["steps"] else {}
        measured = [row for row in run["validations"] if row["bits_per_byte"] is not None]
        rows.append(
            {
                "name": run["name"],
                "step": last.get("step"),
                "tokens": last.get("tokens"),
                "loss": last.get("loss"),
                "validation": run["validations"][-1]["validation_loss"] if run["validations"] else None,
                "before": measured[0]["bits_per_byte"] if len(measured) > 1 else None,
                "bits": measured[-1]["bits_per_byte"] if measured else None,
            }
        )
    return rows


def _by_name(runs: Runs) -> list[dict[str, Any]]:
    """The last validation of each run by source and by set."""
    return [
        {"name": run["name"], "kind": group.rstrip("s"), "part": part, **figures}
        for run in runs
        if run["validations"]
        for group in ("sources", "sets")
        for part, figures in (run["validations"][-1].get(group) or {}).items()
    ]


def _speeds(runs: Runs) -> list[dict[str, Any]]:
    rows = []
    for run in runs:
        parts = charts.median_parts(run)
        rows.append(
            {
                "name": run["name"],
                "tokens_per_s": _median(run, "tokens_per_s"),
                "mfu": _median(run, "mfu"),
                "memory_bytes": max((row["memory_bytes"] or 0 for row in run["steps"]), default=0) or None,
                "data": parts["data"] / (sum(parts.values()) or 1) if parts else None,
            }
        )
    return rows


def _median(run: Mapping[str, Any], field: str) -> float | None:
    values = [row[field] for row in run["steps"] if row[field] is not None]
    return median(values) if values else None
