"""Verbs over quality models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.failures import as_one_line, there

app = typer.Typer(no_args_is_help=True, help="Train a fastText quality model, and see how well it does.")
Files = Annotated[
    list[str], typer.Option(help="JSONL or Parquet files or globs with a `text` column; may be given several times.")
]


@app.command()
def train(
    positive: Files,
    negative: Files,
    out: Annotated[Path, typer.Option("--out", help="The model to write.")],
    seed: Annotated[int, typer.Option(help="The same seed and documents give the same model.", min=0)] = 0,
) -> None:
    """Train a classifier of good against other documents.

        gristmill quality train --positive 'good/*.jsonl' --negative 'crawl/*.jsonl' --out quality.bin

    Then, in the corpus: `filter: {quality: {model: quality.bin, label: positive, minimum: 0.5}}`.
    """
    from filters import quality

    with as_one_line():
        quality.train(texts(positive), texts(negative), out, seed=seed)
    typer.echo(out)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", show_default=False)],
    positive: Files,
    negative: Files,
    label: Annotated[str, typer.Option(help="The label whose probability is the score.")] = "positive",
    minimum: Annotated[float, typer.Option(help="The threshold to judge.", min=0, max=1)] = 0.5,
) -> None:
    """Score held-out documents: precision and recall at a threshold, and the area under the ROC curve.

    gristmill quality evaluate quality.bin --positive 'held/good.jsonl' --negative 'held/other.jsonl'
    """
    import numpy as np

    from filters.quality import QualityModel
    from filters.quality_evaluation import evaluate as judged

    with as_one_line():
        scorer = QualityModel(there(model), label)
        scores = [np.concatenate([scorer.score(batch) for batch in texts(files)]) for files in (positive, negative)]
        found = judged(scores[0], scores[1], minimum)
    for name, value in found._asdict().items():
        typer.echo(
            f"{name.replace('_', ' '):<12} {value:,}"
            if isinstance(value, int)
            else f"{name.replace('_', ' '):<12} {value:.4f}"
        )


def texts(paths: list[str]) -> Iterator[Any]:
    """The text columns of JSONL and Parquet files, batch by batch."""
    from pipeline.cli.documents import batches_of

    for _, batch in batches_of(paths):
        yield batch["text"]
