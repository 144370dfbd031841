"""The verb that judges quality models, and tables of what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.failures import as_one_line, there
from pipeline.cli.quality_inputs import Classes, Negative, Positive, SampleBytes, files_by_class, plain, texts

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from filters.quality import QualityModel

Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A fastText classifier, .bin or .ftz.", show_default=False)
]
Label = Annotated[str | None, typer.Option(help="The label whose probability is the score; `positive` when not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_BAR = 20  # characters


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(help=evaluate.__doc__)(evaluate)


def evaluate(
    model: Model,
    positive: Positive = None,
    negative: Negative = None,
    classes: Classes = None,
    label: Label = None,
    minimum: Annotated[float, typer.Option(help="The threshold to judge.", min=0, max=1)] = 0.5,
    sample_bytes: SampleBytes = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with charts here too.")] = None,
    as_json: Json = False,
) -> None:
    """Score held-out documents: precision, recall and F1 at a threshold, the area under the ROC curve, and whether
    scores can be read as probabilities.

        gristmill quality evaluate quality.bin --positive 'held/good.jsonl' --negative 'held/other.jsonl' --html it.html

        gristmill quality evaluate domains.bin --class 'law=law.jsonl' --class 'code=code.jsonl'
    """
    from rich.console import Console

    from filters.quality_evaluation import by_label

    files = files_by_class(positive, negative, classes)
    with as_one_line():
        scorer = scorer_of(model, label, list(files) if classes else None, sample_bytes)
        found = {name: _probabilities(scorer, paths, name) for name, paths in files.items()}
        if classes:
            of_label = {name: found[name] for name in files}
        else:
            of_label = {scorer.labels[scorer.label]: found["positive"], "": found["negative"]}
        judged: dict[str, Any] = {"model": str(model), "classes": {name: len(rows) for name, rows in found.items()}}
        judged["labels"] = {
            name: judged_label(of_label, name, scorer.labels.index(name), minimum) for name in of_label if name
        }
        if classes:
            judged["classification"] = by_label(*_stacked(found, scorer), scorer.labels)
    if html:
        from pipeline.report.page import write_page
        from pipeline.report.quality_page import page_of

        html.parent.mkdir(parents=True, exist_ok=True)
        write_page(str(html), page_of(judged))
        typer.echo(str(html), err=True)
    if as_json:
        typer.echo(json.dumps(judged))
        return
    console = Console(highlight=False)
    if classes:
        console.print(label_table(judged["classification"]))
    for name, each in judged["labels"].items():
        if not classes or name == label:
            console.print(figures(each["evaluation"]))
            console.print(calibration_table(each["calibration"], name))


def figures(evaluation: dict[str, Any]) -> str:
    """An evaluation as lines of name and value."""
    lines = []
    for name, value in evaluation.items():
        shown = "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        lines.append(f"{name.replace('_', ' '):<18} {shown}")
    return "\n".join(lines)


def label_table(found: dict[str, Any]) -> Table:
    """A classification by label; what each is taken for, where there are few."""
    from rich.table import Table

    rows = [row for row in found["labels"] if row["documents"]]
    table = Table("label", "documents", "precision", "recall", "F1", "ROC AUC", "mostly taken for")
    for row in rows:
        values = ["–" if row[key] is None else f"{row[key]:.4f}" for key in ("precision", "recall", "f1", "roc_auc")]
        names = [each["label"] for each in found["labels"]]
        wrong = found["confusion"][names.index(row["label"])]
        others = sorted((-count, name) for count, name in zip(wrong, names) if count and name != row["label"])[:2]
        mistakes = ", ".join(f"{name} {-count:,}" for count, name in others)
        table.add_row(row["label"], f"{row['documents']:,}", *values, mistakes)
    table.caption = f"accuracy {found['accuracy']:.4f}, macro F1 {found['macro_f1']:.4f}"
    return table


def calibration_table(bins: list[dict[str, Any]], label: str) -> Table:
    """Whether scores are probabilities: a bar for the share that is right, a stroke where the mean score lies."""
    from rich.table import Table

    table = Table("score", "documents", "mean", label, "95 %")
    table.add_column("share █, mean |", no_wrap=True)
    for row in bins:
        if not row["documents"]:
            continue
        filled, mark = round(row["good"] * _BAR), min(round(row["mean_score"] * _BAR), _BAR - 1)
        bar = ["█" if i < filled else "·" for i in range(_BAR)]
        bar[mark] = "|"
        table.add_row(
            f"{row['low']:.1f}–{row['high']:.1f}",
            f"{row['documents']:,}",
            f"{row['mean_score']:.3f}",
            f"{row['good']:.1%}",
            f"{row['good_low']:.1%}–{row['good_high']:.1%}",
            "".join(bar),
        )
    return table


def scorer_of(path: Path, label: str | None, classes: list[str] | None, sample_bytes: int | None) -> QualityModel:
    """The model. Each class must be one of its labels; without a label given, the first class stands for it."""
    from filters.quality import POSITIVE, QualityModel, check_label

    there(path)
    for name in classes or ():
        check_label(path, name)
    return QualityModel(path, label or (classes[0] if classes else POSITIVE), sample_bytes)


def _probabilities(scorer: QualityModel, paths: list[str], name: str) -> np.ndarray:
    import numpy as np

    from pipeline.errors import GristmillError

    found = np.concatenate(
        [np.empty((0, len(scorer.labels)), np.float32), *(scorer.probabilities(column) for column in texts(paths))]
    )
    if not len(found):
        raise GristmillError(f"{' '.join(paths)}: there are no documents in it for {name}")
    return found


def _stacked(found: dict[str, np.ndarray], scorer: QualityModel) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    truth = [np.full(len(rows), scorer.labels.index(name)) for name, rows in found.items()]
    return np.concatenate(truth), np.concatenate(list(found.values()))


def judged_label(found: dict[str, np.ndarray], name: str, column: int, minimum: float) -> dict[str, Any]:
    """One label against all other classes, as JSON."""
    import numpy as np

    from filters import quality_evaluation

    good = found[name][:, column]
    other = np.concatenate([rows[:, column] for key, rows in found.items() if key != name])
    curve = quality_evaluation.curve(good, other)
    kept = np.unique(np.linspace(0, len(curve.thresholds) - 1, 400).round().astype(int))  # as many as a chart can show
    return {
        "evaluation": plain(quality_evaluation.evaluate(good, other, minimum)._asdict()),
        "calibration": [row._asdict() for row in quality_evaluation.calibration(good, other)],
        "curve": {field: values[kept].tolist() for field, values in curve._asdict().items()},
        "histogram": {
            "good": quality_evaluation.histogram(good, 50).tolist(),
            "other": quality_evaluation.histogram(other, 50).tolist(),
        },
    }
