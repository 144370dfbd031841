"""Training runs."""

from __future__ import annotations

from pipeline.report.charts import training as charts
from pipeline.report.markup import Card, Column, Section
from pipeline.report.sections.shared import Report, with_content


def section(report: Report) -> Section:
    """Curves of the training runs in the folder."""
    runs = report["training"]
    rows = [
        {
            "name": run["name"],
            "step": run["steps"][-1]["step"] if run["steps"] else None,
            "tokens": run["steps"][-1]["tokens"] if run["steps"] else None,
            "loss": run["steps"][-1]["loss"] if run["steps"] else None,
            "validation": run["validations"][-1]["validation_loss"] if run["validations"] else None,
            "bits": run["validations"][-1]["bits_per_byte"] if run["validations"] else None,
        }
        for run in runs
    ]
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
                Column("bits", "bits per byte", "number"),
            ],
            rows,
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
            "Tokens a second at each step; dips are validation, checkpoints or a slow disk.",
            charts.training_curve(runs, "tokens_per_s", "tokens per second"),
        ),
    ]
    return Section("training", "Training", "", (), with_content(cards))
