"""Verbs of one corpus: count its mixture, and learn from the counts."""

from __future__ import annotations

import typer

from pipeline.cli.running import Config, DryRun, Options, Runner, Workers, configured, run_jobs


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(train)
    app.command()(count)


def train(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the mixture of a corpus and learn the merges: the tokenizer stage.

    gristmill tokenizer train corpus.yaml

    A training that was killed goes on from its last checkpoint when it is started again.
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run)


def count(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the pieces of a corpus: a Parquet file beside each part and counts/pieces.parquet, their sum.

    gristmill tokenizer count corpus.yaml
    """
    from pipeline.errors import ConfigError

    if given := configured(config, runner, workers, options).tokenizer.path:
        raise ConfigError(f"tokenizer.path: {given} is a whole tokenizer: there is nothing to count for it")
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run, only="count")
