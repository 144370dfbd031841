"""Verbs over tokenizers: train one, look into one, compare several."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import tokenizer_looks
from pipeline.cli.failures import as_one_line, there
from pipeline.cli.running import Config, DryRun, Options, Runner, Workers, configured, run_jobs
from pipeline.cli.tokenizer_looks import TokenizerPath, load

if TYPE_CHECKING:
    from fractions import Fraction


app = typer.Typer(no_args_is_help=True, help="Train a tokenizer, look into it, compare it with others.")


@app.command()
def train(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the mixture of a corpus and learn the merges: the tokenizer stage.

    gristmill tokenizer train corpus.yaml

    A training that was killed goes on from its last checkpoint when it is started again.
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run)


@app.command()
def count(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the pieces of a corpus: a Parquet file beside each part and counts/pieces.parquet, their sum.

    gristmill tokenizer count corpus.yaml
    """
    from pipeline.errors import ConfigError

    if given := configured(config, runner, workers, options).tokenizer.path:
        raise ConfigError(f"tokenizer.path: {given} is a whole tokenizer: there is nothing to count for it")
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run, only="count")


CountPaths = Annotated[
    list[Path],
    typer.Argument(metavar="COUNTS...", help="Count files, or folders of them.", show_default=False),
]


@app.command(name="merge-counts")
def merge_counts(
    counts: CountPaths,
    out: Annotated[Path, typer.Option("--out", help="The count file to write.")],
    weight: Annotated[
        list[str],
        typer.Option(metavar="COUNTS=NUMBER", help="What one of them counts by; 1 for the others. May be repeated."),
    ] = [],  # noqa: B006 typer copies it
) -> None:
    """Add count files together, each by a weight of its own; sums are rounded once, half to even.

    gristmill tokenizer merge-counts out/web/counts out/books/counts --out all.parquet

    gristmill tokenizer merge-counts web.parquet code.parquet --weight code.parquet=2.5 --out all.parquet
    """
    from fractions import Fraction

    from pipeline import storage
    from pipeline.errors import ConfigError
    from pipeline.units import singular
    from tokenizer.count_addition import merge_count_files

    weights = _weights(weight, counts)
    files = [(file, weights.get(str(path), Fraction(1))) for path in counts for file in _count_files(path)]
    with as_one_line(), storage.atomic_write(str(out)) as written:
        rows = merge_count_files([file for file, _ in files], written.stream, [share for _, share in files])
        if not rows and weight:
            raise ConfigError(
                f"--weight {' '.join(weight)}: no piece is left, every count rounds to 0: give larger ones"
            )
    amounts = f"{rows:,} distinct pieces from {len(files):,} files"
    typer.echo(f"{out}: {singular(amounts)}")


def _count_files(path: Path) -> list[Path]:
    """The file itself, or those that make up the counts of a folder: their sum where it lies there."""
    from pipeline.errors import ConfigError
    from pipeline.jobs.count import TOTAL

    if not there(path).is_dir():
        return [path]
    files = [path / TOTAL] if (path / TOTAL).exists() else sorted(path.rglob("*.parquet"))
    if not files:
        raise ConfigError(f"{path}: no count files; make some with `gristmill tokenizer count`")
    return files


_NUMBER = re.compile(r"[^eE]*([eE][+-]?[0-9]{1,3})?")  # 1e1000000000 would fill the memory with its digits


def _weights(given: list[str], counts: list[Path]) -> dict[str, Fraction]:
    from fractions import Fraction

    from pipeline.config import nearest
    from pipeline.errors import ConfigError

    weights = {}
    for each in given:
        name, equals, number = each.rpartition("=")
        if not equals:
            raise ConfigError(f"--weight {each}: give COUNTS=NUMBER, such as {each}=2.5")
        if name not in map(str, counts):
            raise ConfigError(
                f"--weight {each}: {name!r} is none of the counts; {nearest(name, list(map(str, counts)))}"
            )
        try:
            if not _NUMBER.fullmatch(number):
                raise ValueError
            weights[name] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise ConfigError(f"--weight {each}: {number!r} is no number: give one such as {name}=2.5") from None
        if weights[name] < 0:
            raise ConfigError(f"--weight {each}: a file counts 0 times or more")
    return weights


@app.command()
def merge(
    counts: CountPaths,
    out: Annotated[Path, typer.Option("--out", help="Folder for the tokenizer.")],
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
        Path | None, typer.Option(help="A tokenizer whose merges and ids are kept, and learned on top of.")
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
    import hashlib
    import tempfile

    from rich.progress import Progress

    from pipeline import storage
    from pipeline.errors import ConfigError, GristmillError
    from tokenizer import formats, pretokenizers
    from tokenizer.checkpoints import Checkpoint
    from tokenizer.count_addition import merge_count_files
    from tokenizer.count_files import CountFile, pretokenizer_of, unit_of
    from tokenizer.forbidden import read_forbidden
    from tokenizer.learning import check_base, learn
    from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS

    files = [file for path in counts for file in _count_files(path)]
    base = load(extend) if extend is not None else None
    if pretokenizer is not None and regex is not None:
        raise ConfigError("--pretokenizer and --regex: counts were made with one of them; leave the other out")
    named = dict(each.split("=", 1) for each in special if "=" in each)
    if len(named) != len(special):
        raise ConfigError(f"--special: give NAME=TEXT, each name once, not {' '.join(special)}")
    special_tokens = named or (base.special_tokens if base else DEFAULT_SPECIAL_TOKENS)
    forbidden = list(forbid)
    if forbid_file is not None:
        try:
            forbidden += read_forbidden(there(forbid_file).read_bytes())
        except ValueError as error:
            raise GristmillError(f"--forbid-file: {forbid_file}: {error}") from error
    with as_one_line(), tempfile.TemporaryDirectory(prefix="gristmill-merge-") as folder:
        first = CountFile(files[0])
        chosen = pretokenizer if regex is None else {"regex": regex}
        scheme = pretokenizer_of(first.schema) if chosen is None else pretokenizers.pretokenizer(chosen)
        whole = len(files) == 1 and unit_of(first.schema) == 1
        first.close()
        if base is not None:
            check_base(base, scheme, vocabulary)
        total = files[0]
        if not whole:
            total = Path(folder) / "pieces.parquet"
            merge_count_files(files, total, pretokenizer=scheme)
        counted = CountFile(total, scheme)
        options = (vocabulary, scheme.fingerprint, min_frequency, max_token_length, forbidden, base and base.hash)
        key = hashlib.sha256(f"{options}{storage.sha256_of(str(total))}".encode()).hexdigest()
        left = out / "merges.checkpoint"
        checkpoint = Checkpoint(
            key, lambda: left.read_bytes() if left.exists() else None, lambda content: _replace(left, content)
        )
        with Progress(transient=True) as progress:
            line = progress.add_task("merges", total=vocabulary)
            tokenizer = learn(
                counted,
                scheme,
                vocabulary,
                min_frequency=min_frequency,
                max_token_length=max_token_length,
                forbidden=forbidden,
                base=base,
                special_tokens=special_tokens,
                model_vocabulary=model_vocabulary,
                strict=strict,
                progress=lambda done, _: progress.update(line, completed=done),
                checkpoint=checkpoint,
            )
        rows = counted.num_rows
        counted.close()
        formats.save(tokenizer, out)
        left.unlink(missing_ok=True)
    learned = tokenizer.merges.vocabulary_size
    short = vocabulary - learned
    told = f"; the text has pairs for no more than that, {short:,} short of what was asked" if short else ""
    typer.echo(f"{out}: {learned:,} regular tokens from {rows:,} distinct pieces{told}")


def _replace(path: Path, content: bytes) -> None:
    from pipeline import storage

    with storage.atomic_write(str(path)) as file:
        file.stream.write(content)


@app.command()
def encode(
    tokenizer: TokenizerPath,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads standard input.", show_default=False)],
    special: Annotated[
        bool, typer.Option("--special", help="Match special tokens that are written out in the text.")
    ] = False,
) -> None:
    """Encode a string: its ids, and its tokens in alternating colours, where there are none with | between; bytes of a
    character that is split over tokens as <E4><BD>.

    gristmill tokenizer encode out/corpus/tokenizer "The mill grinds 42 sacks."
    """
    import codecs
    import os
    import sys

    import pyarrow as pa
    from rich.console import Console
    from rich.text import Text

    from pipeline.report.visible import visible_lines
    from tokenizer.encoder import Encoder
    from tokenizer.special_matching import encode_matching

    codecs.register_error("alone", _bytes_alone)
    loaded = load(tokenizer)
    content = _utf8(sys.stdin.buffer.read(), "standard input") if text == "-" else _utf8(os.fsencode(text), "TEXT")
    encoder, column = Encoder(loaded), pa.array([content], pa.large_string())
    ids = (encode_matching(encoder, column) if special else encoder.encode(column)).tokens.tolist()
    console = Console(highlight=False)
    shown = Text()
    for place, token in enumerate(ids):
        piece = loaded.token_bytes[token].decode("utf-8", "alone")
        if place and console.color_system is None:
            shown.append("|")
        shown.append(visible_lines(piece, "⏎\n"), "black on bright_cyan" if place % 2 else "black on bright_yellow")
    console.print(" ".join(map(str, ids)), soft_wrap=True)
    console.print(shown, soft_wrap=True)
    console.print(f"{len(ids)} tokens, {len(content.encode()) / max(1, len(ids)):.2f} bytes a token", style="dim")


def _bytes_alone(error: UnicodeError) -> tuple[str, int]:
    """Bytes of a character that is split over tokens, as <E4><BD>."""
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"<{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


def _utf8(content: bytes, name: str) -> str:
    from pipeline.errors import ConfigError

    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {content[error.start]:#04x} at position {error.start}"
        raise ConfigError(f"{name}: {found} is not UTF-8; convert the text first") from error


@app.command()
def decode(
    tokenizer: TokenizerPath,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Token ids.", show_default=False)],
) -> None:
    """Decode ids to text.

    gristmill tokenizer decode out/corpus/tokenizer 17 4 1023
    """
    import numpy as np

    from pipeline.errors import ConfigError
    from tokenizer.encoder import Encoder

    loaded = load(tokenizer)
    for place, token in enumerate(ids):
        if not 0 <= token < loaded.tokens:
            raise ConfigError(
                f"ID: {token} at position {place} is no token of this tokenizer; its ids are 0 to {loaded.tokens - 1}"
            )
    typer.echo(Encoder(loaded).decode(np.array(ids, np.uint32)).decode("utf-8", "replace"))


_FORMATS = ("huggingface", "tiktoken")


@app.command()
def export(
    tokenizer: TokenizerPath,
    out: Annotated[Path, typer.Option("--out", help="A folder for huggingface, a file for tiktoken.")],
    form: Annotated[str, typer.Option("--format", help="huggingface or tiktoken.")] = "huggingface",
) -> None:
    """Write a tokenizer for other libraries: Hugging Face's two files, or tiktoken's ranks.

    gristmill tokenizer export out/corpus/tokenizer --format tiktoken --out mill.tiktoken
    """
    from pipeline.errors import ConfigError
    from tokenizer import formats, tiktoken_format

    if form not in _FORMATS:
        raise ConfigError(f"--format: `{form}` is unknown; there are {', '.join(_FORMATS)}")
    loaded = load(tokenizer)
    with as_one_line():
        if form == "huggingface":
            formats.save(loaded, out)
        else:
            out.write_bytes(tiktoken_format.to_ranks(loaded))
    typer.echo(str(out))


@app.command(name="import")
def import_(
    ranks: Annotated[Path, typer.Argument(metavar="RANKS", help="A file of tiktoken's ranks.", show_default=False)],
    pretokenizer: Annotated[str, typer.Option(help="The pre-tokenizer that goes with the ranks, such as gpt4.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the tokenizer.")],
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
    from tokenizer import formats, pretokenizers, tiktoken_format

    named, ids = _special(special or [])
    content = there(ranks).read_bytes()
    with as_one_line():
        scheme = pretokenizers.pretokenizer(pretokenizer)
    try:
        made = tiktoken_format.from_ranks(content, scheme, named or None, ids or None)
    except ValueError as error:
        raise ConfigError(f"{ranks}: {error}") from error
    formats.save(made, out)
    from pipeline.units import singular

    amounts = f"{made.merges.vocabulary_size:,} regular tokens, {len(made.special_tokens)} special ones"
    typer.echo(f"{out}: {singular(amounts)}")


def _special(given: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """NAME=TEXT or NAME=TEXT=ID as names with their texts, and names with their ids. A text may hold = itself."""
    import re

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


tokenizer_looks.add_to(app)
