"""Verbs of the trainer; they live beside it, because it runs where the pipeline is not installed."""

from __future__ import annotations

import typer

from training import cli


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    for verb in cli.app.registered_commands:
        app.registered_commands.append(verb)
