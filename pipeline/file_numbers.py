"""The number of each input file in its dump: a part of all keys, so that it stays whatever files come or go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline import storage
from pipeline.errors import ConfigError, GristmillError

FOLDER = "files"


class SourceFile(NamedTuple):
    """An input file as it is known: by its source and by its name there, see ``pipeline.sources.names``."""

    source: str
    name: str


def path_of(output: str, dump: str) -> str:
    """Where the numbers of a dump's files lie."""
    return storage.join(output, FOLDER, f"dump={dump}.json")


def read(output: str, dump: str) -> list[SourceFile] | None:
    """The files of a dump by number, as far as they are known; None where no file is.

    Raises:
        GristmillError: they cannot be told.
    """
    path = path_of(output, dump)
    try:
        rows = storage.read_json(path)["files"]
        files = [SourceFile(source, name) for source, name in rows]
        whole = all(isinstance(text, str) for file in files for text in file) and len(set(files)) == len(files)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise damaged(path, output)
    return files


def write(output: str, dump: str, files: list[SourceFile]) -> None:
    """Writes them, whole or not at all."""
    storage.write_json(path_of(output, dump), {"dump": dump, "files": files})


def with_new(dump: str, known: list[SourceFile], files: Iterable[SourceFile], most: int) -> list[SourceFile]:
    """Gives files not yet known the next numbers, in order of source and name.

    Raises:
        ConfigError: they are more than ``most``.
    """
    numbered = known + sorted(set(files).difference(known))
    if len(numbered) > most:
        raise ConfigError(
            f"sources: dump {dump} would have {len(numbered):,} files, more than the {most:,} that a document key can "
            "tell apart: give some of them another sources.dump, or join small files"
        )
    return numbered


def damaged(path: str, output: str, what: str = "is damaged") -> GristmillError:
    """The refusal to guess numbers that all keys are made of."""
    return GristmillError(
        f"{path} {what}: it gives the documents in {output} their keys; bring it back from a copy, or delete {output} "
        "and run anew"
    )
