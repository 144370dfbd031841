"""Verbs that look into tokenizers: what they do to the user's own text, as tables or as a page with charts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.failures import as_one_line, there

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenizer.formats import Tokenizer

TokenizerPath = Annotated[
    Path, typer.Argument(metavar="TOKENIZER", help="A tokenizer.json or the folder it lies in.", show_default=False)
]
Texts = Annotated[
    list[str], typer.Option("--text", help="JSONL or Parquet files or globs; a corpus's filtered/ parts, for example.")
]
Longest = Annotated[int, typer.Option(help="How many of the longest tokens to list.", min=0)]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with tables and charts here too.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_MOST_DOMAINS = 15


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
    tokenizer: TokenizerPath, text: Texts, longest: Longest = 10, html: Html = None, as_json: Json = False
) -> None:
    """Show what a tokenizer does to text: bytes a token and tokens a word by language and by domain, how much of
    Chinese, Japanese and Korean it covers, its longest and its unused tokens.

    gristmill tokenizer inspect out/corpus/tokenizer --text 'out/corpus/filtered/*/*.parquet' --html look.html
    """
    from rich.console import Console
    from rich.table import Table

    [found] = _looks([tokenizer], text, longest)
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
    console.print(f"{found['unused']:,} of {found['vocabulary']:,} regular tokens do not occur in this text")
    for token in found["longest"]:
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

    names = [str(path) for path in tokenizers]
    found = dict(zip(names, _looks(tokenizers, text, 10)))
    if html:
        _write_page(html, found)
    if as_json:
        typer.echo(json.dumps(found))
        return
    console, first = Console(highlight=False), found[names[0]]
    for by in first["by"]:
        table = Table(by, "documents", "bytes", *names)
        by_group = {name: {row["group"]: row for row in look["by"][by]} for name, look in found.items()}
        for row in [first["all"], *first["by"][by][:_MOST_DOMAINS]]:
            rows = [by_group[name].get(row["group"], found[name]["all"]) for name in names]
            rates = [f"{each['bytes_per_token']:.3f}" for each in rows]
            table.add_row(row["group"], f"{row['documents']:,}", f"{row['bytes']:,}", *rates)
        console.print(table)


def _looks(paths: list[Path], files: list[str], longest: int) -> list[dict[str, Any]]:
    """What there is to see of each tokenizer on the documents of some files."""
    from tokenizer.inspection import look

    loaded = [load(path) for path in paths]
    texts, groups = _grouped(files)
    with as_one_line():
        return [look(each, texts, groups, longest) for each in loaded]


def _grouped(paths: list[str]) -> tuple[pa.ChunkedArray, dict[str, pa.ChunkedArray]]:
    """The texts of some files, the language and the host of each, else the file's name."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from pipeline.cli.documents import batches_of

    texts, languages, domains = [], [], []
    for name, batch in batches_of(paths):
        texts.append(batch["text"])
        languages.append(batch["language"].fill_null(name))
        host = pc.struct_field(pc.extract_regex(batch["url"], r"^[a-z]+://(?:[^/@?#]*@)?(?P<host>[^/:?#]+)"), "host")
        domains.append(host.fill_null(name))
    groups = {"language": pa.chunked_array(languages, pa.string()), "domain": pa.chunked_array(domains, pa.string())}
    return pa.chunked_array(texts, pa.large_string()), groups


def _write_page(path: Path, looks: dict[str, dict[str, Any]]) -> None:
    from pipeline.report.page import write_page
    from pipeline.report.tokenizer_page import page_of

    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(str(path), page_of(looks))
    typer.echo(str(path), err=True)
