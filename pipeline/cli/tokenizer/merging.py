"""Merges learned from count files, with every option of the config's section."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import as_one_line, there
from pipeline.cli.tokenizer.given import CountPaths, count_files, load, source_of

if TYPE_CHECKING:
    from tokenizer.count_files import CountFile
    from tokenizer.pretokenizers import Pretokenizer


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(merge)


def merge(
    counts: CountPaths,
    out: Annotated[str, typer.Option("--out", help="Folder for the tokenizer.")],
    vocabulary: Annotated[int, typer.Option(help="Regular tokens, the 256 bytes included.", min=256)] = 100_000,
    pretokenizer: Annotated[
        str | None, typer.Option(help="What the counts must have been made with; the files say it when not given.")
    ] = None,
    regex: Annotated[str | None, typer.Option(help="The same, where it was an expression.")] = None,
    min_frequency: Annotated[int, typer.Option(help="A pair rarer than this is not merged.", min=1)] = 2,
    max_token_length: Annotated[int | None, typer.Option(help="Bytes of the longest token.", min=2)] = None,
    forbid: Annotated[
        list[str],
        typer.Option(help="A token never to be made, or /a regular expression/ found in it. May be repeated."),
    ] = [],  # noqa: B006 typer copies it
    forbid_file: Annotated[Path | None, typer.Option(help="A file of more of them, one a line.")] = None,
    extend: Annotated[
        str | None, typer.Option(help="A tokenizer whose merges and ids are kept, and learned on top of.")
    ] = None,
    special: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=TEXT",
            help="A special token; ids follow the regular ones. `end` is needed. The default 15, or those of the "
            "tokenizer to extend, if none.",
        ),
    ] = [],  # noqa: B006 typer copies it
    model_vocabulary: Annotated[
        int | None, typer.Option(help="The model's rows; the next multiple of 4,096 when not given.", min=257)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when the text is too little.")] = False,
) -> None:
    """Learn merges from count files, of one corpus or of several added together.

    gristmill tokenizer merge out/a/counts out/b/counts --vocabulary 32000 --out tok

    gristmill tokenizer merge all.parquet --max-token-length 32 --forbid '/[0-9]{2}/' --out tok

    gristmill tokenizer merge new.parquet --extend tok --vocabulary 40000 --out larger

    One that was killed goes on from its last checkpoint when it is started again.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from pipeline.errors import ConfigError
    from pipeline.tokenizer_files import checkpoint_in, drop_checkpoint, write_tokenizer
    from tokenizer.forbidden import check_forbidden
    from tokenizer.learning import check_base, learn
    from tokenizer.pretokenizers import pretokenizer as named
    from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS

    files = [file for path in counts for file in count_files(path)]
    base = load(extend) if extend is not None else None
    if pretokenizer is not None and regex is not None:
        raise ConfigError("--pretokenizer and --regex: counts were made with one of them; leave the other out")
    texts = dict(each.split("=", 1) for each in special if "=" in each)
    if len(texts) != len(special):
        raise ConfigError(f"--special: give NAME=TEXT, each name once, not {' '.join(special)}")
    forbidden = [*forbid, *_forbidden_in(forbid_file)]
    console = Console(stderr=True)
    columns = [*Progress.get_default_columns(), MofNCompleteColumn()]
    with as_one_line():
        check_forbidden(forbidden)
        choice = pretokenizer if regex is None else {"regex": regex}
        scheme = _scheme_of(files[0]) if choice is None else named(choice)
        if base is not None:
            check_base(base, scheme, vocabulary)
        with (
            _added_up(files, scheme) as (counted, content),
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        ):
            options = (vocabulary, scheme.fingerprint, min_frequency, max_token_length, forbidden, base and base.hash)
            line = progress.add_task("merges", total=vocabulary)
            tokenizer = learn(
                counted,
                scheme,
                vocabulary,
                min_frequency=min_frequency,
                max_token_length=max_token_length,
                forbidden=forbidden,
                base=base,
                special_tokens=texts or (base.special_tokens if base else DEFAULT_SPECIAL_TOKENS),
                model_vocabulary=model_vocabulary,
                strict=strict,
                progress=lambda done, _: progress.update(line, completed=done),
                checkpoint=checkpoint_in(out, hashlib.sha256(f"{options}{content}".encode()).hexdigest()),
            )
            rows = counted.num_rows
        write_tokenizer(tokenizer, out)
        drop_checkpoint(out)
    learned = tokenizer.merges.vocabulary_size
    short = vocabulary - learned
    told = f"; the text has no further pair{_often(min_frequency)}: {short:,} short of what was asked" if short else ""
    typer.echo(f"{out}: {learned:,} regular tokens from {rows:,} distinct pieces{told}")


def _often(min_frequency: int) -> str:
    return f" that occurs {min_frequency:,} times or more" if min_frequency > 1 else ""


def _forbidden_in(path: Path | None) -> list[str]:
    from pipeline.errors import GristmillError
    from tokenizer.forbidden import read_forbidden

    if path is None:
        return []
    try:
        return read_forbidden(there(path).read_bytes())
    except ValueError as error:
        raise GristmillError(f"--forbid-file: {path}: {error}") from error


def _scheme_of(path: str) -> Pretokenizer:
    """The pre-tokenizer that a count file names."""
    from pipeline import storage
    from tokenizer.count_files import CountFile, pretokenizer_of

    with storage.open_read(path) as stream:
        return pretokenizer_of(CountFile(stream, name=path).schema)


@contextlib.contextmanager
def _added_up(paths: list[str], scheme: Pretokenizer) -> Iterator[tuple[CountFile, str]]:
    """Count files as one, in whole occurrences, and the checksum of its content."""
    from pipeline import storage
    from tokenizer.count_addition import merge_count_files
    from tokenizer.count_files import CountFile, unit_of

    with tempfile.TemporaryDirectory(prefix="gristmill-merge-") as folder, contextlib.ExitStack() as stack:
        total = paths[0]
        stream = stack.enter_context(storage.open_read(total))
        counted = CountFile(stream, scheme, total)
        if len(paths) > 1 or unit_of(counted.schema) != 1:
            total = str(Path(folder) / "pieces.parquet")
            merge_count_files([source_of(path) for path in paths], total, pretokenizer=scheme)
            counted = CountFile(total, scheme)
        stack.callback(counted.close)
        yield counted, storage.sha256_of(total)
