"""What verbs that run jobs of a corpus share: their arguments, the config they make, and the run under a display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import interruption, quiet

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


def run_jobs(
    path: Path,
    stages: list[str],
    runner: str | None,
    workers: int | None,
    options: list[str] | None,
    dry_run: bool,
    only: str | None = None,
    tell: bool = True,
) -> None:
    """Runs stages of a corpus under a live display, ``only`` one job of them; then tells the output folder."""
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
    if tell:
        typer.echo(corpus.config.output)


def configured(path: Path, runner: str | None, workers: int | None, options: list[str] | None) -> CorpusConfig:
    """The config with what the command line overrides."""
    from pipeline.config_file import load

    config = load(path)
    if runner is not None:
        known(runner, "--runner", ["direct", "spark", "flink", "dataflow"])
        config.engine.name = runner  # type: ignore[assignment]
    if workers is not None:
        config.engine.workers = workers
    config.engine.options += options or []
    return config


def known(value: str, option: str, known: list[str]) -> None:
    from pipeline.config import nearest
    from pipeline.errors import ConfigError

    if value not in known:
        raise ConfigError(f"{option}: `{value}` is unknown; {nearest(value, known)}")
