"""Tokenizers and count files that a person points at, local or remote: themselves, or the folder they lie in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.failures import as_one_line, there

if TYPE_CHECKING:
    from tokenizer.formats import Tokenizer

TokenizerPath = Annotated[
    str,
    typer.Argument(
        metavar="TOKENIZER",
        help="A tokenizer.json, the folder it lies in, or a corpus's output folder.",
        show_default=False,
    ),
]
CountPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="COUNTS...", help="Count files, folders of them, or corpora's output folders.", show_default=False
    ),
]


def load(path: str) -> Tokenizer:
    """The tokenizer at a path.

    Raises:
        ConfigError: there is none.
        GristmillError: it is none that can be read.
    """
    from pipeline import storage
    from pipeline.tokenizer_files import files_of, read_tokenizer

    _local_there(path)
    below = storage.join(path, "tokenizer")
    with as_one_line():
        is_output = not storage.exists(files_of(path)[0]) and storage.exists(files_of(below)[0])
        return read_tokenizer(below if is_output else path)


def count_files(path: str) -> list[str]:
    """The file itself, or those that make up the counts of a folder: their sum where it lies there.

    Raises:
        ConfigError: there is nothing, or no file of a name that counts have.
    """
    from pipeline import storage
    from pipeline.errors import ConfigError
    from pipeline.jobs.count import FOLDER, TOTAL

    _local_there(path)
    if path.endswith(".parquet") or (storage.is_local(path) and not Path(path).is_dir()):
        return [path]
    for total in (storage.join(path, TOTAL), storage.join(path, FOLDER, TOTAL)):
        if storage.exists(total):
            return [total]
    files = [storage.join(path, name) for name in storage.list_files(path) if name.endswith(".parquet")]
    if not files:
        raise ConfigError(f"{path}: no count files; make some with `gristmill tokenizer count`")
    return files


def _local_there(path: str) -> None:
    from pipeline import storage

    if storage.is_local(path):
        there(Path(path))


def source_of(path: str) -> Any:
    """A count file as ``count_addition`` takes it: a local path, or what opens a remote one."""
    from pipeline import storage

    return path if storage.is_local(path) else partial(storage.open_read, path)
