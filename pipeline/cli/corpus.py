"""Verbs over a corpus: run and each of its stages with the verbs below it, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import dedup, interruption, quiet
from pipeline.cli.outputs import Output, folder_of

if TYPE_CHECKING:
    from pipeline.config import CorpusConfig

Config = Annotated[Path, typer.Argument(metavar="CORPUS.YAML", help="The corpus configuration.", show_default=False)]
Options = Annotated[
    list[str] | None,
    typer.Argument(metavar="[-- OPTIONS]", help="Further options for the engine, passed to Beam.", show_default=False),
]
Runner = Annotated[
    str | None,
    typer.Option("--runner", help="Engine: direct, spark, flink or dataflow. The config's when not given."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Workers of the direct engine. The config's when not given.", min=1),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

_STAGE_HELP = {
    "ingest": "Read crawl files into documents. What cannot be read goes to rejects/.",
    "dedup": "Find copies across dumps, exact and near, and decide which one stays.",
    "filter": "Measure every document, then keep those that pass the rules.",
    "mix": "Draw the mixture: the shares of sources and languages.",
    "tokenize": "Encode, shuffle and write the token shards.",
}
_BELOW: dict[str, dict[str, Callable[..., None]]] = {"dedup": {"report": dedup.report}}  # verbs below a stage's


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
        app.command(name=stage, help=example)(_stage_verb(stage))
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
        _known(until, "--until", list(STAGES))
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


def run_jobs(
    path: Path,
    stages: list[str],
    runner: str | None,
    workers: int | None,
    options: list[str] | None,
    dry_run: bool,
    only: str | None = None,
) -> None:
    """Runs stages of a corpus under a live display; ``only`` one job of them."""
    interruption.stop_at_once()
    config = configured(path, runner, workers, options)  # before Beam, which takes a second to import
    quiet.quieten_workers()
    from pipeline import stages as pipeline_stages
    from pipeline.console import Display
    from pipeline.corpus import Corpus
    from pipeline.runners import runner_and_options

    corpus = Corpus(config)
    runner_and_options(config.engine)  # refuses wrong options before anything is done
    if dry_run:
        from pipeline.forecast import show_plan

        show_plan(corpus, stages)
        return
    with Display() as display:
        pipeline_stages.run(corpus, stages, display, only)
    typer.echo(corpus.config.output)


def configured(path: Path, runner: str | None, workers: int | None, options: list[str] | None) -> CorpusConfig:
    """The config with what the command line overrides."""
    from pipeline.config_file import load

    config = load(path)
    if runner is not None:
        _known(runner, "--runner", ["direct", "spark", "flink", "dataflow"])
        config.engine.name = runner  # type: ignore[assignment]
    if workers is not None:
        config.engine.workers = workers
    config.engine.options += options or []
    return config


def _known(value: str, option: str, known: list[str]) -> None:
    from pipeline.config import nearest
    from pipeline.errors import ConfigError

    if value not in known:
        raise ConfigError(f"{option}: `{value}` is unknown; {nearest(value, known)}")


def report(output: Output) -> None:
    """Write report.html, one page with everything that happened, and report.json.

    gristmill report out/corpus
    """
    from pipeline.report.corpus_report import write_report

    typer.echo(write_report(folder_of(output)))
