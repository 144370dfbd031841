"""Verbs that look into tokenizers: what they do to the user's own text, as tables or as a page with charts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.failures import as_one_line
from pipeline.cli.tokenizer.given import TokenizerPath, load

if TYPE_CHECKING:
    import pyarrow as pa

Texts = Annotated[
    list[str],
    typer.Option(
        "--text", help="JSONL, Parquet, WET, WARC or text files or globs; a corpus's filtered/ parts, for example."
    ),
]
Longest = Annotated[int, typer.Option(help="How many of the longest tokens to list.", min=0)]
Unused = Annotated[int, typer.Option(help="How many of the unused tokens to list, those learned first.", min=0)]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page with tables and charts here too.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(inspect)
    app.command()(compare)


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

    from pipeline.cli.tokenizer.tables import show_look

    [found] = _looks([tokenizer], text, longest, unused)
    if html:
        _write_page(html, {tokenizer: found})
    if as_json:
        typer.echo(json.dumps(found))
    else:
        show_look(Console(highlight=False), tokenizer, found)


def compare(
    tokenizers: Annotated[
        list[str], typer.Argument(metavar="TOKENIZER...", help="Two or more tokenizers.", show_default=False)
    ],
    text: Texts,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Compare tokenizers on the same text: bytes a token by language and by domain, more is better.

    gristmill tokenizer compare out/a/tokenizer out/b/tokenizer --text 'held-out/*.jsonl' --html compared.html
    """
    from rich.console import Console

    from pipeline.cli.tokenizer.tables import show_comparison
    from pipeline.errors import ConfigError

    twice = [name for name in tokenizers if tokenizers.count(name) > 1]
    if twice:
        raise ConfigError(f"TOKENIZER: {twice[0]} is given twice; give each tokenizer once")
    if len(tokenizers) < 2:
        raise ConfigError(
            f"TOKENIZER: {tokenizers[0]} alone has nothing to be compared with; give two or more, or use `tokenizer "
            "inspect`"
        )
    found = dict(zip(tokenizers, _looks(tokenizers, text, 10, 10)))
    if html:
        _write_page(html, found)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        show_comparison(Console(highlight=False), found)


def _looks(paths: list[str], files: list[str], longest: int, unused: int) -> list[dict[str, Any]]:
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
