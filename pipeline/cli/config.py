"""Verbs over the configuration itself."""

from __future__ import annotations

import json

import typer

from pipeline.cli.running import Config

app = typer.Typer(no_args_is_help=True, help="Look at a configuration before anything runs.")


@app.command()
def show(config: Config) -> None:
    """Print a corpus configuration fully resolved: every key, its help, paths made absolute.

    gristmill config show corpus.yaml
    """
    from pipeline.config_file import load
    from pipeline.config_file import show as shown

    typer.echo(shown(load(config)), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON schema of a corpus configuration, for editors.

    gristmill config schema > corpus.schema.json
    """
    from pipeline.config import CorpusConfig

    typer.echo(json.dumps(CorpusConfig.model_json_schema(), indent=2))
