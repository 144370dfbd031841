"""Verbs over tokenizers: train one, look into one, compare several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.corpus import Config, DryRun, Options, Runner, Workers, run_jobs
from pipeline.cli.failures import as_one_line, there

if TYPE_CHECKING:
    import pyarrow as pa

    from tokenizer.formats import Tokenizer

app = typer.Typer(no_args_is_help=True, help="Train a tokenizer, look into it, compare it with others.")
TokenizerPath = Annotated[
    Path, typer.Argument(metavar="TOKENIZER", help="A tokenizer.json or the folder it lies in.", show_default=False)
]


@app.command()
def train(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the mixture of a corpus and learn the merges: the tokenizer stage.

    gristmill tokenizer train corpus.yaml
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run)


@app.command()
def count(
    config: Config, options: Options = None, runner: Runner = None, workers: Workers = None, dry_run: DryRun = False
) -> None:
    """Count the pieces of a corpus, a Parquet file beside each part; `merge` learns from them.

    gristmill tokenizer count corpus.yaml
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, dry_run, only="count")


@app.command()
def merge(
    counts: Annotated[
        list[Path], typer.Argument(metavar="COUNTS...", help="Count files, or folders of them.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the tokenizer.")],
    vocabulary: Annotated[int, typer.Option(help="Regular tokens, the 256 bytes included.", min=256)] = 100_000,
    pretokenizer: Annotated[str, typer.Option(help="The pre-tokenizer of the counts.")] = "deepseek-llm",
    min_frequency: Annotated[int, typer.Option(help="A pair rarer than this is not merged.", min=1)] = 2,
    strict: Annotated[bool, typer.Option("--strict", help="Fail when the text is too little.")] = False,
) -> None:
    """Learn merges from count files, of one corpus or of several added together.

    gristmill tokenizer merge out/a/counts out/b/counts --vocabulary 32000 --out tok
    """
    from rich.progress import Progress

    from pipeline.errors import ConfigError
    from tokenizer import count_addition, count_files, formats, merges, pretokenizers

    files = sorted(file for path in counts for file in (path.rglob("*.parquet") if path.is_dir() else [there(path)]))
    if not files:
        raise ConfigError(f"{counts[0]}: no count files; make some with `gristmill tokenizer count`")
    with as_one_line():
        scheme = pretokenizers.pretokenizer(pretokenizer)
        total = count_addition.merge_counts([count_files.read_counts(file, scheme) for file in files])
        with Progress(transient=True) as progress:
            line = progress.add_task("merges", total=vocabulary)
            learned = merges.train(
                total,
                vocabulary,
                lambda done, _: progress.update(line, completed=done),
                minimum_count=min_frequency,
                strict=strict,
            )
        formats.save(formats.Tokenizer(scheme, learned), out)
    short = vocabulary - learned.vocabulary_size
    told = f"; the text has pairs for no more than that, {short:,} short of what was asked" if short else ""
    typer.echo(f"{out}: {learned.vocabulary_size:,} regular tokens from {total.num_rows:,} distinct pieces{told}")


@app.command()
def encode(
    tokenizer: TokenizerPath,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads standard input.", show_default=False)],
) -> None:
    """Encode a string: its ids, and its tokens in alternating colours.

    gristmill tokenizer encode out/corpus/tokenizer "The mill grinds 42 sacks."
    """
    import sys

    import pyarrow as pa
    from rich.console import Console
    from rich.text import Text

    from tokenizer.encoder import Encoder

    loaded = _load(tokenizer)
    content = sys.stdin.read() if text == "-" else text
    ids = Encoder(loaded).encode(pa.array([content], pa.large_string())).tokens.tolist()
    shown = Text()
    for place, token in enumerate(ids):
        piece = loaded.token_bytes[token].decode("utf-8", "replace")
        shown.append(piece.replace("\n", "⏎\n"), "black on bright_cyan" if place % 2 else "black on bright_yellow")
    console = Console(highlight=False)
    console.print(" ".join(map(str, ids)), soft_wrap=True)
    console.print(shown, soft_wrap=True)
    console.print(f"{len(ids)} tokens, {len(content.encode()) / max(1, len(ids)):.2f} bytes a token", style="dim")


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

    try:
        typer.echo(Encoder(_load(tokenizer)).decode(np.array(ids, np.uint32)).decode("utf-8", "replace"))
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error)) from error


Texts = Annotated[
    list[str], typer.Option("--text", help="JSONL or Parquet files or globs; a corpus's filtered/ parts, for example.")
]


@app.command()
def inspect(
    tokenizer: TokenizerPath,
    text: Texts,
    longest: Annotated[int, typer.Option(help="How many of the longest tokens to list.", min=0)] = 10,
) -> None:
    """Show what a tokenizer does to text: bytes a token and tokens a word by language, its longest and unused tokens.

    gristmill tokenizer inspect out/corpus/tokenizer --text 'out/corpus/filtered/*/*.parquet'
    """
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from tokenizer.encoder import Encoder
    from tokenizer.inspection import compression, longest_tokens, unused_tokens

    loaded = _load(tokenizer)
    encoder = Encoder(loaded)
    texts, groups = _grouped(text)
    table = Table("language", "documents", "bytes", "tokens", "bytes a token", "tokens a word")
    for row in compression(encoder, texts, groups):
        counts = [f"{row[name]:,}" for name in ("documents", "bytes", "tokens")]
        table.add_row(row["language"], *counts, f"{row['bytes_per_token']:.2f}", f"{row['fertility']:.2f}")
    console = Console(highlight=False)
    console.print(table)
    seen = np.unique(encoder.encode(texts).tokens)
    unused = unused_tokens(loaded, seen)
    console.print(f"{len(unused):,} of {loaded.merges.vocabulary_size:,} regular tokens do not occur in this text")
    for token in longest_tokens(loaded, longest):
        console.print(f"{token['id']:>8}  {token['bytes']:>4} bytes  {token['text']!r}", markup=False)


@app.command()
def compare(
    tokenizers: Annotated[
        list[Path], typer.Argument(metavar="TOKENIZER...", help="Two or more tokenizers.", show_default=False)
    ],
    text: Texts,
) -> None:
    """Compare tokenizers on the same text: bytes a token by language, more is better.

    gristmill tokenizer compare out/a/tokenizer out/b/tokenizer --text 'held-out/*.jsonl'
    """
    from rich.console import Console
    from rich.table import Table

    from tokenizer.encoder import Encoder
    from tokenizer.inspection import compression

    texts, groups = _grouped(text)
    found = [{row["language"]: row for row in compression(Encoder(_load(path)), texts, groups)} for path in tokenizers]
    table = Table("language", "documents", "bytes", *(str(path) for path in tokenizers))
    for language, row in found[0].items():
        rates = [f"{each[language]['bytes_per_token']:.3f}" for each in found]
        table.add_row(language, f"{row['documents']:,}", f"{row['bytes']:,}", *rates)
    Console(highlight=False).print(table)


def _grouped(paths: list[str]) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The texts of some files, and the language of each as the files say it, else the file's name."""
    import pyarrow as pa

    from pipeline.cli.documents import batches_of

    texts, groups = [], []
    for name, batch in batches_of(paths):
        texts.append(batch["text"])
        groups.append(batch["language"].fill_null(name))
    return pa.chunked_array(texts, pa.large_string()), pa.chunked_array(groups, pa.string())


def _load(path: Path) -> Tokenizer:
    from tokenizer import formats

    with as_one_line():
        return formats.load(there(path))
