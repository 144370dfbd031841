"""Verbs over tokenizers: train one, look into one, compare several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.corpus import Config, Options, Runner, Workers, run_jobs
from pipeline.cli.failures import as_one_line, there

app = typer.Typer(no_args_is_help=True, help="Train a tokenizer, look into it, compare it with others.")
TokenizerPath = Annotated[
    Path, typer.Argument(metavar="TOKENIZER", help="A tokenizer.json or the folder it lies in.", show_default=False)
]


@app.command()
def train(config: Config, options: Options = None, runner: Runner = None, workers: Workers = None) -> None:
    """Count the mixture of a corpus and learn the merges: the tokenizer stage.

    gristmill tokenizer train corpus.yaml
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, False)


@app.command()
def count(config: Config, options: Options = None, runner: Runner = None, workers: Workers = None) -> None:
    """Count the pieces of a corpus, a Parquet file beside each part; `merge` learns from them.

    gristmill tokenizer count corpus.yaml
    """
    run_jobs(config, ["tokenizer"], runner, workers, options, False, only="count")


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
    from tokenizer import counts as piece_counts
    from tokenizer import formats, merges, pretokenizers

    files = sorted(file for path in counts for file in (path.rglob("*.parquet") if path.is_dir() else [there(path)]))
    if not files:
        raise ConfigError(f"{counts[0]}: no count files; make some with `gristmill tokenizer count`")
    with as_one_line():
        scheme = pretokenizers.pretokenizer(pretokenizer)
        total = piece_counts.merge_counts([piece_counts.read_counts(file, scheme) for file in files])
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


def _load(path: Path):  # type: ignore[no-untyped-def]
    from tokenizer import formats

    with as_one_line():
        return formats.load(there(path))
