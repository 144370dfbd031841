"""Verbs over finished token shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.failures import as_one_line

app = typer.Typer(no_args_is_help=True, help="Look into token shards and check them.")
Folder = Annotated[Path, typer.Argument(metavar="SHARDS", help="Folder that holds shards.json.", show_default=False)]


@app.command()
def stats(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print documents, tokens and lengths by split, and tokens by source.

    gristmill shards stats out/corpus/shards
    """
    from rich.console import Console
    from rich.table import Table

    from pipeline.units import size
    from tokenizer import shards

    with as_one_line():
        found = shards.stats(folder)
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table(
        "split", "documents", "tokens", "files", "size", "tokens a document: least · 10 % · half · 90 % · most"
    )
    for name, split in found["splits"].items():
        lengths = " · ".join(f"{length:,}" for length in split["lengths"])
        table.add_row(
            name, f"{split['documents']:,}", f"{split['tokens']:,}", str(split["files"]), size(split["bytes"]), lengths
        )
    console = Console()
    console.print(table)
    for name, source in found["sources"].items():
        console.print(f"{name}: {source['documents']:,} documents, {source['tokens']:,} tokens", highlight=False)
    console.print(f"tokenizer {found['tokenizer'][:12]}, vocabulary {found['vocabulary']:,}", highlight=False)


@app.command()
def head(
    folder: Folder,
    documents: Annotated[int, typer.Option("-n", "--documents", help="How many.", min=1)] = 3,
    split: Annotated[str, typer.Option(help="train or validation.")] = "train",
    tokens: Annotated[int, typer.Option(help="Tokens of each to show.", min=1)] = 60,
) -> None:
    """Show the first documents as ids and as text.

    gristmill shards head out/corpus/shards -n 2
    """
    from tokenizer import formats, shards

    with as_one_line():
        rows = shards.head(folder, documents, split)
        beside = folder.parent / "tokenizer"
        pieces = formats.load(beside).token_bytes if (beside / "tokenizer.json").is_file() else None
    for row in rows:
        ids = row["tokens"][:tokens].tolist()
        typer.secho(f"key {row['key']}  source {row['source']}  {len(row['tokens']):,} tokens", bold=True)
        typer.echo(" ".join(map(str, ids)))
        if pieces:
            typer.echo(b"".join(pieces[token] for token in ids).decode("utf-8", "replace"))


@app.command()
def verify(folder: Folder) -> None:
    """Check every shard: checksum, counts, token range, tokenizer.

    gristmill shards verify out/corpus/shards
    """
    from pipeline.errors import GristmillError
    from tokenizer import shards

    with as_one_line():
        problems = shards.verify(folder)
    if problems:
        raise GristmillError("\n".join(problems))
    typer.echo(f"{folder}: all shards are whole")
