"""Tokenizers for other libraries, and from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.failures import as_one_line, there
from pipeline.cli.tokenizer.given import TokenizerPath, load


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(export)
    app.command(name="import")(import_)


_FORMATS = ("huggingface", "tiktoken")


def export(
    tokenizer: TokenizerPath,
    out: Annotated[str, typer.Option("--out", help="A folder for huggingface, a file for tiktoken.")],
    form: Annotated[str, typer.Option("--format", help="huggingface or tiktoken.")] = "huggingface",
) -> None:
    """Write a tokenizer for other libraries: Hugging Face's two files, or tiktoken's ranks.

    gristmill tokenizer export out/corpus/tokenizer --format tiktoken --out mill.tiktoken
    """
    from pipeline import storage
    from pipeline.errors import ConfigError
    from pipeline.tokenizer_files import write_tokenizer
    from tokenizer import tiktoken_format

    if form not in _FORMATS:
        raise ConfigError(f"--format: `{form}` is unknown; there are {', '.join(_FORMATS)}")
    loaded = load(tokenizer)
    with as_one_line():
        if form == "huggingface":
            write_tokenizer(loaded, out)
        else:
            ranks = tiktoken_format.to_ranks(loaded)
            with storage.atomic_write(out) as file:
                file.stream.write(ranks)
    typer.echo(out)


def import_(
    ranks: Annotated[Path, typer.Argument(metavar="RANKS", help="A file of tiktoken's ranks.", show_default=False)],
    pretokenizer: Annotated[str, typer.Option(help="The pre-tokenizer that goes with the ranks, such as gpt4.")],
    out: Annotated[str, typer.Option("--out", help="Folder for the tokenizer.")],
    special: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TEXT[=ID]",
            help="A special token, and its id; ids follow the ranks if none is given. `end` is needed. The default 15 "
            "if left out.",
        ),
    ] = None,
) -> None:
    """Make a tokenizer out of tiktoken's ranks. A tokenizer.json needs no import: every verb reads it.

    gristmill tokenizer import cl100k_base.tiktoken --pretokenizer gpt4 --special 'end=<|endoftext|>=100257' --out tok
    """
    from pipeline.errors import ConfigError
    from pipeline.tokenizer_files import write_tokenizer
    from pipeline.units import singular
    from tokenizer import pretokenizers, tiktoken_format

    named, ids = _special(special or [])
    content = there(ranks).read_bytes()
    with as_one_line():
        scheme = pretokenizers.pretokenizer(pretokenizer)
    try:
        made = tiktoken_format.from_ranks(content, scheme, named or None, ids or None)
    except ValueError as error:
        raise ConfigError(f"{ranks}: {error}") from error
    with as_one_line():
        write_tokenizer(made, out)
    amounts = f"{made.merges.vocabulary_size:,} regular tokens, {len(made.special_tokens)} special ones"
    typer.echo(f"{out}: {singular(amounts)}")


def _special(given: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """NAME=TEXT or NAME=TEXT=ID as names with their texts, and names with their ids. A text may hold = itself."""
    from pipeline.errors import ConfigError

    texts, ids = {}, {}
    for each in given:
        found = re.fullmatch(r"([^=]+)=(.*?)(?:=([0-9]{1,18}))?", each, re.DOTALL)
        if found is None or found[1] in texts:
            raise ConfigError(f"--special: give NAME=TEXT or NAME=TEXT=ID, each name once, not {' '.join(given)}")
        texts[found[1]] = found[2]
        if found[3]:
            ids[found[1]] = int(found[3])
    if ids and len(ids) < len(texts):
        lacking = next(name for name in texts if name not in ids)
        raise ConfigError(f"--special {lacking}: give an id to each special token, or to none")
    return texts, ids
