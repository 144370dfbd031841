"""A string as ids and as coloured tokens, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.tokenizer.given import TokenizerPath, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

_COLOURS = "black on bright_yellow", "black on bright_cyan"


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(encode)
    app.command()(decode)


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
    import os
    import sys

    import pyarrow as pa
    from rich.console import Console

    from tokenizer.encoder import Encoder
    from tokenizer.special_matching import encode_matching
    from tokenizer.token_texts import readable

    loaded = load(tokenizer)
    content = _utf8(sys.stdin.buffer.read(), "standard input") if text == "-" else _utf8(os.fsencode(text), "TEXT")
    encoder, column = Encoder(loaded), pa.array([content], pa.large_string())
    ids = (encode_matching(encoder, column) if special else encoder.encode(column)).tokens.tolist()
    console = Console(highlight=False)
    console.print(" ".join(map(str, ids)), soft_wrap=True)
    between = "" if console.color_system else "|"
    console.print(_coloured((readable(loaded.token_bytes[token]) for token in ids), between), soft_wrap=True)
    console.print(f"{len(ids)} tokens, {len(content.encode()) / max(1, len(ids)):.2f} bytes a token", style="dim")


def decode(
    tokenizer: TokenizerPath,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Token ids.", show_default=False)],
) -> None:
    """Decode ids to text, byte for byte; on a terminal in the colours of its tokens, a character that several share in
    the last one's.

    gristmill tokenizer decode out/corpus/tokenizer 17 4 1023
    """
    import codecs
    import sys

    import numpy as np
    from rich.console import Console

    from pipeline.errors import ConfigError
    from tokenizer.encoder import Encoder

    loaded = load(tokenizer)
    for place, token in enumerate(ids):
        if not 0 <= token < loaded.tokens:
            raise ConfigError(
                f"ID: {token} at position {place} is no token of this tokenizer; its ids are 0 to {loaded.tokens - 1}"
            )
    console = Console(highlight=False)
    if console.color_system is None:
        sys.stdout.buffer.write(Encoder(loaded).decode(np.array(ids, np.uint32)) + b"\n")
        return
    characters = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [characters.decode(loaded.token_bytes[token], place == len(ids)) for place, token in enumerate(ids, 1)]
    console.print(_coloured(pieces), soft_wrap=True)


def _coloured(pieces: Iterable[str], between: str = "") -> Text:
    """Pieces of text in alternating colours, what cannot be seen shown by name."""
    from rich.text import Text

    from pipeline.report.visible import visible_lines

    shown = Text()
    for place, piece in enumerate(pieces):
        shown.append(between if place else "")
        shown.append(visible_lines(piece, "⏎\n"), _COLOURS[place % 2])
    return shown


def _utf8(content: bytes, name: str) -> str:
    from pipeline.errors import ConfigError

    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {content[error.start]:#04x} at position {error.start}"
        raise ConfigError(f"{name}: {found} is not UTF-8; convert the text first") from error
