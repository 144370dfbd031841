"""Verbs over a corpus: run and each of its stages with the verbs below it, report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from pipeline.cli import dedup, mix
from pipeline.cli import filter as filtering
from pipeline.cli.outputs import folder_of
from pipeline.cli.running import Config, DryRun, Options, Runner, Workers, known, run_jobs

_STAGE_HELP = {
    "ingest": "Read crawl files into documents. What cannot be read goes to rejects/.",
    "dedup": "Find copies across dumps, exact and near, and decide which one stays.",
    "filter": "Measure every document, then keep those that pass the rules.",
    "mix": "Draw the mixture: how often each document is used, so that domains have their shares.",
    "tokenize": "Encode, shuffle and write the token shards.",
}
_BELOW: dict[str, dict[str, Callable[..., None]]] = {  # verbs below a stage's
    "dedup": {"report": dedup.report},
    "filter": {"explain": filtering.explain, "presets": filtering.presets},
}
_OWN: dict[str, Callable[..., None]] = {"filter": filtering.run, "mix": mix.run}  # stages with options of their own


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(help=run.__doc__)(run)
    for stage, help_text in _STAGE_HELP.items():
        below = _BELOW.get(stage, {})
        example = (
            f"{help_text}\n\n    gristmill {stage} corpus.yaml\n\n"
            f"Stages before it must be done; `gristmill run --until {stage}` does them too."
            + "".join(f"\n\nSee also `gristmill {stage} {name}`." for name in below)
        )
        app.command(name=stage, help=example)(_OWN.get(stage) or _stage_verb(stage))
        for name, verb in below.items():
            app.command(name=f"{stage} {name}", help=verb.__doc__)(verb)
    app.command(help=report.__doc__)(report)


def run(
    config: Config,
    options: Options = None,
    until: Annotated[
        str | None,
        typer.Option(help="Last stage to run: ingest, dedup, filter, mix, tokenizer or tokenize."),
    ] = None,
    runner: Runner = None,
    workers: Workers = None,
    dry_run: DryRun = False,
) -> None:
    """Do everything from crawl files to token shards; what is done already is skipped.

    gristmill run corpus.yaml

    gristmill run corpus.yaml --until dedup

    gristmill run corpus.yaml --runner spark -- --spark_master_url=spark://host:7077
    """
    from pipeline.config import STAGES

    if until is not None:
        known(until, "--until", list(STAGES))
    last = STAGES[-1] if until is None else until
    run_jobs(config, list(STAGES[: STAGES.index(last) + 1]), runner, workers, options, dry_run)


def _stage_verb(stage: str) -> Callable[..., None]:
    def verb(
        config: Config,
        options: Options = None,
        runner: Runner = None,
        workers: Workers = None,
        dry_run: DryRun = False,
    ) -> None:
        run_jobs(config, [stage], runner, workers, options, dry_run)

    return verb


def report(
    outputs: Annotated[
        list[str], typer.Argument(help="a corpus's output folder or YAML, or folders of training runs to overlay")
    ],
    to: Annotated[str | None, typer.Option(help="the page, where runs are overlaid")] = None,
) -> None:
    """Write report.html, one page with everything that happened, and report.json; of several runs, their curves.

    gristmill report out/corpus

    gristmill report runs/a runs/b --to runs/compared.html
    """
    folders = [folder_of(output) for output in outputs]
    if len(folders) == 1 and to is None:
        from pipeline.report.corpus_report import write_report

        typer.echo(write_report(folders[0]))
    else:
        from pipeline.report.training_page import write_training_report

        typer.echo(write_training_report(folders, to))
