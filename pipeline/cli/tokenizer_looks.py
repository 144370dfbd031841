"""Verbs that look into tokenizers: what they do to the user's own text, as tables or as a page with charts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.failures import as_one_line, there

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from tokenizer.formats import Tokenizer

TokenizerPath = Annotated[
    Path, typer.Argument(metavar="TOKENIZER", help="A tokenizer.json or the folder it lies in.", show_default=False)
]
Texts = Annotated[
    list[str], typer.Option("--text", help="JSONL or Parquet files or globs; a corpus's filtered/ parts, for example.")
]
Longest = Annotated[int, typer.Option(help="How many of the longest tokens to list.", min=0)]
Unused = Annotated[int, typer.Option(help="How many of the unused tokens to list, those learned first.", min=0)]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with tables and charts here too.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_MOST_DOMAINS = 15
_ROOM_FOR_NAMES = 30  # columns of 80 that are left for the names of tokenizers, at the head of columns


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(help=inspect.__doc__)(inspect)
    app.command(help=compare.__doc__)(compare)


def load(path: Path) -> Tokenizer:
    """The tokenizer at a path that a person gave."""
    from tokenizer import formats

    with as_one_line():
        return formats.load(there(path))


def inspect(
    tokenizer: TokenizerPath,
    text: Texts,
    longest: Longest = 10,
    unused: Unused = 10,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Show what a tokenizer does to text: bytes a token and tokens a word by language and by domain, how much of
    Chinese, Japanese and Korean it covers, its longest and its unused tokens.

    gristmill tokenizer inspect out/corpus/tokenizer --text 'out/corpus/filtered/*/*.parquet' --html look.html
    """
    from rich.console import Console
    from rich.table import Table

    [found] = _looks([tokenizer], text, longest, unused)
    if html:
        _write_page(html, {str(tokenizer): found})
    if as_json:
        typer.echo(json.dumps(found))
        return
    console = Console(highlight=False)
    for by, rows in found["by"].items():
        table = Table(by, "documents", "bytes", "tokens", "bytes a token", "tokens a word")
        for row in [found["all"], *rows[:_MOST_DOMAINS]]:
            counts = [f"{row[name]:,}" for name in ("documents", "bytes", "tokens")]
            table.add_row(row["group"], *counts, f"{row['bytes_per_token']:.2f}", f"{row['fertility']:.2f}")
        console.print(table)
        if len(rows) > _MOST_DOMAINS:
            console.print(f"and {len(rows) - _MOST_DOMAINS:,} more", style="dim")
    for row in found["cjk"]:
        seen = (
            f"; {row['covered'] / row['in_text']:.1%} of the {row['in_text']:,} in this text" if row["in_text"] else ""
        )
        console.print(f"{row['block']}: {row['tokens']:,} of {row['characters']:,} characters are tokens{seen}")
    _print_tokens(console, "the longest tokens", found["longest"])
    console.print(f"{found['unused']:,} of {found['vocabulary']:,} regular tokens do not occur in this text")
    _print_tokens(console, "of these the first that were learned", found["first_unused"])


def _print_tokens(console: Console, title: str, tokens: list[dict[str, Any]]) -> None:
    if tokens:
        console.print(f"{title}:")
    for token in tokens:
        console.print(f"{token['id']:>8}  {token['bytes']:>4} bytes  {token['text']!r}", markup=False)


def compare(
    tokenizers: Annotated[
        list[Path], typer.Argument(metavar="TOKENIZER...", help="Two or more tokenizers.", show_default=False)
    ],
    text: Texts,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Compare tokenizers on the same text: bytes a token by language and by domain, more is better.

    gristmill tokenizer compare out/a/tokenizer out/b/tokenizer --text 'held-out/*.jsonl' --html compared.html
    """
    from rich.console import Console
    from rich.table import Table

    from pipeline.errors import ConfigError

    names = [str(path) for path in tokenizers]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"TOKENIZER: {twice[0]} is given twice; give each tokenizer once")
    if len(names) < 2:
        raise ConfigError(
            f"TOKENIZER: {names[0]} alone has nothing to be compared with; give two or more, or use `tokenizer inspect`"
        )
    found = dict(zip(names, _looks(tokenizers, text, 10, 10)))
    if html:
        _write_page(html, found)
    if as_json:
        typer.echo(json.dumps(found))
        return
    console, first = Console(highlight=False), found[names[0]]
    headings = names
    if sum(map(len, names)) > _ROOM_FOR_NAMES:
        headings = [str(number) for number in range(1, len(names) + 1)]
        for number, name in zip(headings, names):
            console.print(f"{number}: {name}", markup=False, soft_wrap=True)
    for by in first["by"]:
        table = Table(by, "documents", "bytes", *headings)
        by_group = [{row["group"]: row for row in look["by"][by]} for look in found.values()]
        lines = [[look["all"] for look in found.values()]]
        lines += [[rows[row["group"]] for rows in by_group] for row in first["by"][by][:_MOST_DOMAINS]]
        for row, *others in lines:
            rates = [f"{each['bytes_per_token']:.3f}" for each in (row, *others)]
            table.add_row(row["group"], f"{row['documents']:,}", f"{row['bytes']:,}", *rates)
        console.print(table)


def _looks(paths: list[Path], files: list[str], longest: int, unused: int) -> list[dict[str, Any]]:
    """What there is to see of each tokenizer on the documents of some files, read once and a batch at a time."""
    from pipeline.cli.documents import batches_of
    from pipeline.errors import GristmillError
    from tokenizer.inspection import Inspection

    inspections = [Inspection(load(path)) for path in paths]
    with as_one_line():
        for name, batch in batches_of(files):
            groups = _groups(name, batch)
            for inspection in inspections:
                inspection.add(batch["text"], groups)
    if not inspections[0].bytes:
        raise GristmillError(f"--text {' '.join(files)}: there is no text in it to look at")
    return [inspection.found(longest, unused) for inspection in inspections]


def _groups(name: str, batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """The language and the host of each document, else its file's name."""
    import pyarrow.compute as pc

    host = pc.struct_field(pc.extract_regex(batch["url"], r"^[a-z]+://(?:[^/@?#]*@)?(?P<host>[^/:?#]+)"), "host")
    return {"language": batch["language"].fill_null(name), "domain": host.fill_null(name)}


def _write_page(path: Path, looks: dict[str, dict[str, Any]]) -> None:
    from pipeline.report.page import write_page
    from pipeline.report.tokenizer_page import page_of

    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(str(path), page_of(looks))
    typer.echo(str(path), err=True)
