"""Verbs over finished token shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import as_one_line
from pipeline.cli.tokenizer.given import load

if TYPE_CHECKING:
    from tokenizer.formats import Tokenizer

app = typer.Typer(no_args_is_help=True, help="Look into token shards and check them.")


def _shards_in(folder: Path) -> Path:
    """The folder itself, or the shards in the output folder of a corpus."""
    below = folder / "shards"
    return below if not (folder / "shards.json").is_file() and (below / "shards.json").is_file() else folder


Folder = Annotated[
    Path,
    typer.Argument(
        metavar="SHARDS",
        help="Folder that holds shards.json, or a corpus's output folder.",
        show_default=False,
        callback=_shards_in,
    ),
]
OfTokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        help="The tokenizer of the shards, a tokenizer.json or its folder; the one beside them if not given.",
    ),
]


@app.command()
def stats(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print documents, tokens and lengths by split, and tokens by source.

    gristmill shards stats out/corpus/shards
    """
    from rich.console import Console
    from rich.markup import escape

    from pipeline.cli.terminal_tables import numbers_table
    from pipeline.units import singular, size
    from tokenizer import shard_statistics

    with as_one_line():
        found = shard_statistics.stats(folder)
    if as_json:
        typer.echo(json.dumps(found))
        return
    console = Console(highlight=False)
    splits = numbers_table("split", "documents", "tokens", "files", "size")
    lengths = numbers_table("tokens a\ndocument", "least", "10 %", "half", "90 %", "most")
    for name, split in found["splits"].items():
        counts = (f"{split[key]:,}" for key in ("documents", "tokens", "files"))
        splits.add_row(name, *counts, size(split["bytes"]))
        lengths.add_row(name, *(f"{length:,}" for length in split["lengths"]))
    sources = numbers_table("source", "documents", "tokens")
    for name, source in found["sources"].items():
        sources.add_row(escape(name), f"{source['documents']:,}", f"{source['tokens']:,}")
    for table in (splits, lengths, sources):
        console.print(table)
    rearranged = _rearranged(folder)
    if rearranged:
        console.print(singular(f"{rearranged:,} documents rearranged to fill in the middle"))
    console.print(f"tokenizer {found['tokenizer'][:12]}, vocabulary {found['vocabulary']:,}")


def _rearranged(folder: Path) -> int:
    """Documents that fill-in-the-middle rearranged, as the manifest of the runs beside the shards tells."""
    from pipeline import manifests

    manifest = manifests.read_manifest(str(folder.parent / "runs")) or {}
    return manifest.get("counts", {}).get("rearranged", 0)


@app.command()
def head(
    folder: Folder,
    documents: Annotated[int, typer.Option("-n", "--documents", help="How many.", min=1)] = 3,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    tokens: Annotated[int, typer.Option(help="Tokens of each to show.", min=1)] = 60,
    tokenizer: OfTokenizer = None,
) -> None:
    """Show the first documents as ids, and as text where their tokenizer is at hand.

    gristmill shards head out/corpus/shards -n 2
    """
    from pipeline.errors import GristmillError
    from pipeline.report.visible import visible_lines
    from tokenizer import shard_index, shard_statistics

    with as_one_line():
        rows = shard_statistics.head(folder, documents, split)
        made_with, vocabulary = (shard_index.read_index(folder)[key] for key in ("tokenizer", "vocabulary"))
    path, found = _tokenizer_of(folder, tokenizer)
    pieces = None
    if found is None:
        typer.echo("ids only: there is no tokenizer beside the shards; give theirs with --tokenizer", err=True)
    elif found.hash != made_with:
        told = f"ids only: the shards were made with tokenizer {made_with[:12]}, {path} is {found.hash[:12]}"
        typer.echo(f"{told}; give theirs with --tokenizer", err=True)
    else:
        pieces = found.token_bytes + [b""] * (vocabulary - found.tokens)  # what pads the vocabulary is no text
    for row in rows:
        ids = row["tokens"][:tokens].tolist()
        typer.secho(f"key {row['key']}  source {row['source']}  {len(row['tokens']):,} tokens", bold=True)
        typer.echo(" ".join(map(str, ids)))
        if pieces:
            if max(ids, default=0) >= len(pieces):
                raise GristmillError(f"token {max(ids)} is outside the vocabulary: `gristmill shards verify {folder}`")
            typer.echo(visible_lines(b"".join(pieces[token] for token in ids).decode("utf-8", "replace")))


@app.command()
def verify(folder: Folder, tokenizer: OfTokenizer = None) -> None:
    """Check every shard: checksum, counts, token range, and that its tokenizer is the one beside it.

    gristmill shards verify out/corpus/shards
    """
    from pipeline.errors import GristmillError
    from tokenizer import shard_verification

    _, found = _tokenizer_of(folder, tokenizer)
    with as_one_line():
        problems = shard_verification.verify(folder, found.hash if found else None)
    if problems:
        raise GristmillError("\n".join(problems))
    of = "" if found else "; there is no tokenizer beside them to compare theirs with, give it with --tokenizer"
    typer.echo(f"{folder}: all shards are whole{of}")


def _tokenizer_of(folder: Path, given: str | None) -> tuple[str, Tokenizer | None]:
    """The tokenizer that was given, else the one beside the shards where a corpus has it, if there is one."""
    beside = folder.parent / "tokenizer"
    path = given or str(beside)
    return path, load(path) if given or (beside / "tokenizer.json").is_file() else None


@app.command()
def packing(
    folder: Folder,
    context: Annotated[list[int], typer.Option(help="Tokens in a context; may be given more than once.", min=1)],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a context.")] = False,
) -> None:
    """Say what contexts of a length do to documents: how many the stream cuts, and what best-fit packing would pad.

    gristmill shards packing out/corpus/shards --context 2048 --context 4096
    """
    from dataclasses import asdict

    from rich.console import Console

    from pipeline.cli.terminal_tables import numbers_table
    from tokenizer import shard_statistics
    from tokenizer.packing import packing_plan

    with as_one_line():
        lengths = shard_statistics.document_lengths(folder, split)
        plans = [packing_plan(lengths, each) for each in context]
    if as_json:
        for plan in plans:
            typer.echo(json.dumps(asdict(plan)))
        return
    table = numbers_table(
        "context", "documents\nlonger", "cut by\nthe stream", "contexts\nof it", "contexts\npacked", "padded", "cropped"
    )
    for plan in plans:
        some = max(plan.documents, 1)
        table.add_row(
            f"{plan.context:,}",
            f"{plan.longer / some:.1%}",
            f"{plan.stream_cut / some:.1%}",
            f"{plan.stream_contexts:,}",
            f"{plan.packed_contexts:,}",
            f"{plan.padded:.2%}",
            f"{plan.cropped:.2%}",
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "documents longer than a context, and cut where a context of the plain stream ends; "
        "padded: share of padding if documents are packed whole by best fit, longer ones cut up; "
        "cropped: share of tokens lost if longer ones end with their first context",
        style="dim",
    )


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="Folder for SPLIT.bin and SPLIT.idx.")],
    form: Annotated[str, typer.Option("--format", help="megatron: Megatron-LM's indexed dataset.")] = "megatron",
) -> None:
    """Write the shards in another trainer's format, each split as SPLIT.bin and SPLIT.idx.

    gristmill shards export out/corpus/shards --format megatron --out out/megatron
    """
    from pipeline.errors import ConfigError
    from tokenizer import megatron, shard_index

    if form != "megatron":
        raise ConfigError(f"--format: `{form}` is unknown; there is megatron")
    if out.resolve() == folder.resolve():
        raise ConfigError(
            f"--out: {out} holds the shards themselves, which only they may lie in: choose another folder"
        )
    with as_one_line():
        for split in shard_index.read_index(folder)["splits"]:
            documents, tokens = megatron.export(folder, split, out / split)
            typer.echo(f"{out / split}.bin, .idx: {documents:,} documents, {tokens:,} tokens")
