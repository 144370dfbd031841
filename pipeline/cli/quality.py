"""Verbs over quality models: training one, and those of the modules beside this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import quality_looks, quality_threshold
from pipeline.cli.failures import as_one_line
from pipeline.cli.quality_inputs import Classes, Negative, Positive, SampleBytes, files_by_class, plain, share, texts

if TYPE_CHECKING:
    from filters.quality_training import Trained

app = typer.Typer(no_args_is_help=True, help="Train fastText models of documents, judge them, and find thresholds.")
quality_looks.add_to(app)
quality_threshold.add_to(app)


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="The model to write; OUT.json beside it says what it is made of.")],
    positive: Positive = None,
    negative: Negative = None,
    classes: Classes = None,
    seed: Annotated[int, typer.Option(help="The same seed and documents give the same model.", min=0)] = 0,
    held_out: Annotated[
        str, typer.Option(metavar="SHARE", help="Share of the documents, by a hash of their text, to judge it by.")
    ] = "10%",
    dimension: Annotated[int, typer.Option(help="Numbers in a vector.", min=1, max=1024)] = 64,
    word_ngrams: Annotated[int, typer.Option(help="Longest run of words with a vector.", min=1, max=10)] = 2,
    min_characters: Annotated[
        int, typer.Option(help="Shortest run of characters in a word with a vector; 0 for none.", min=0, max=20)
    ] = 0,
    max_characters: Annotated[
        int, typer.Option(help="Longest one. Text without spaces, such as Chinese, needs 1 to 3.", min=0, max=20)
    ] = 0,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the documents. 5 when not given, more for little text.", min=1)
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="At the start; it falls to 0.", min=1e-6, max=10)] = 0.5,
    minimum_count: Annotated[int, typer.Option(help="Occurrences a word needs.", min=1)] = 1,
    buckets: Annotated[int, typer.Option(help="Vectors that all runs share.", min=1, max=1 << 28)] = 1 << 18,
    sample_bytes: SampleBytes = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a classifier of good against other documents, or of several classes.

        gristmill quality train --positive 'good/*.jsonl' --negative 'crawl/*.jsonl' --out quality.bin

        gristmill quality train --class 'law=law/*.parquet' --class 'code=code/*.jsonl' --out domains.bin

    Then, in the corpus: `filter: {quality: {mine: {model: quality.bin, minimum: 0.5}}}`.
    """
    from filters import quality_training
    from filters.quality_training import Settings
    from pipeline import manifests, storage

    files = files_by_class(positive, negative, classes)
    settings = Settings(
        dimension, word_ngrams, min_characters, max_characters, epochs, learning_rate, minimum_count, buckets,
        sample_bytes, share(held_out, "--held-out"), seed,
    )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    with as_one_line():
        trained = quality_training.train({name: texts(paths) for name, paths in files.items()}, out, settings)
    report = trained.report() | {"gristmill": manifests.code_version(), "held_out": _held_out(trained)}
    for name, paths in files.items():
        report["classes"][name]["files"] = paths
    storage.write_json(f"{out}.json", report)
    if as_json:
        typer.echo(json.dumps(report))
        return
    _tell(trained, report["held_out"])
    typer.echo(out)


def _held_out(trained: Trained) -> dict[str, Any] | None:
    """How the model does on what was held out, as JSON; None where that is not of every class."""
    from filters.quality_evaluation import by_label, evaluate

    if any(not counts.held_out for counts in trained.classes.values()):
        return None
    found: dict[str, Any] = {"labels": by_label(trained.truth, trained.probabilities, trained.model.labels)}
    if len(trained.classes) == 2:
        scores, good = trained.probabilities[:, trained.model.label], trained.truth == trained.model.label
        found["label"] = trained.model.labels[trained.model.label]
        found["evaluation"] = plain(evaluate(scores[good], scores[~good], 0.5)._asdict())
    return found


def _tell(trained: Trained, held_out: dict[str, Any] | None) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    for name, counts in trained.classes.items():
        blank = f", {counts.blank:,} blank" if counts.blank else ""
        console.print(
            f"{name}: {counts.trained:,} documents to learn from, {counts.held_out:,} held out{blank}", markup=False
        )
    if held_out is None:
        console.print("no metrics, for not every class has documents held out; raise --held-out, or give more")
        return
    console.print("on what was held out:")
    if "evaluation" in held_out:
        console.print(quality_looks.figures(held_out["evaluation"]))
    else:
        console.print(quality_looks.label_table(held_out["labels"]))
