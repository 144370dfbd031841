"""Verbs to begin with: sample and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(help=sample.__doc__)(sample)
    app.command(help=doctor.__doc__)(doctor)


def sample(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.", show_default=False)],
    dumps: Annotated[int, typer.Option(help="Dumps to write, a quarter of a year apart.", min=1)] = 4,
    seed: Annotated[int, typer.Option(help="Another seed, another crawl.", min=0)] = 0,
    pages: Annotated[
        int | None, typer.Option(help="Bound on the different English pages; all of about 700 when not given.", min=1)
    ] = None,
) -> None:
    """Write a small crawl to try everything on: no network, no licence, and the truth about its copies beside it.

    gristmill sample crawl --dumps 4

    gristmill run crawl/corpus.yaml
    """
    from pipeline.errors import ConfigError
    from pipeline.sample import SampleError, write_sample
    from pipeline.units import size

    try:
        made = write_sample(out, dumps, seed, pages)
    except SampleError as error:
        raise ConfigError(str(error)) from error
    typer.echo(
        f"{out}: {len(made.dumps)} dumps in {made.files} files; {made.documents:,} documents of {made.clusters:,} "
        f"different pages in {len(made.languages)} languages; "
        f"{size(made.text_bytes)} of text; {made.broken} places of damage"
    )
    typer.echo(f"next: gristmill run {out / 'corpus.yaml'}")


def doctor() -> None:
    """Say what this machine has and what each extra needs.

    gristmill doctor
    """
    from rich.console import Console

    from pipeline.doctor import checks, failed, table

    found = checks()
    Console().print(table(found))
    if any(failed(found)):
        raise typer.Exit(1)
