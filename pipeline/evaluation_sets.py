"""Reading evaluation sets: JSON lines, of which some fields hold texts. What is wrong is said before work begins."""

from __future__ import annotations

import functools
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import pyarrow as pa
import zstandard

from filters.decontamination import EvaluationSet, Index, build_index
from pipeline import config, storage
from pipeline.config import nearest
from pipeline.errors import ConfigError

_MAGIC_GZIP, _MAGIC_ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Items(NamedTuple):
    """The lines of a set, by the number of the item: the file each is in, and its line there, from 1."""

    paths: list[str]
    lines: list[int]


class Sets(NamedTuple):
    """Evaluation sets with their index, and the items and texts of each."""

    lookup: Index
    items: list[Items]
    texts: pa.ChunkedArray


def key_of(name: str) -> str:
    """The config's key of a set."""
    return f"filter.decontamination.sets.{name}"


def content_of(settings: config.Decontamination) -> list[dict[str, Any]]:
    """What a measurement depends on: the sets' files by content, their fields and their runs.

    Raises:
        ConfigError: a file cannot be read.
    """
    return [
        {
            "name": name,
            "files": [[path, _sha256_of(name, path)] for path in each.paths],
            "fields": each.fields,
            "ngram": each.ngram,
            "shortest": each.shortest,
        }
        for name, each in settings.sets.items()
    ]


def _sha256_of(name: str, path: str) -> str:
    try:
        return storage.sha256_of(path)
    except OSError as error:
        raise ConfigError(f"{key_of(name)}: {path} cannot be read: {error.strerror or error}") from error


def check(settings: config.Decontamination) -> None:
    """Reads all sets before anything runs; raises like ``read``."""
    load(content_of(settings))


def load(content: list[dict[str, Any]]) -> Sets:
    """The sets that ``content_of`` describes, read and indexed once a process.

    Raises:
        ConfigError: see ``read``.
    """
    return _load(json.dumps(content))


@functools.lru_cache(maxsize=2)
def _load(content: str) -> Sets:
    sets, items = [], []
    for each in json.loads(content):
        texts, numbers, lines = read(each["name"], [path for path, _ in each["files"]], each["fields"])
        sets.append(
            EvaluationSet(each["name"], pa.array(texts, pa.large_string()), numbers, each["ngram"], each["shortest"])
        )
        items.append(lines)
    index = build_index(sets)
    for number, each in enumerate(sets):
        if not index.text_runs[index.text_sets == number].any():
            longest = index.text_words[index.text_sets == number].max()
            raise ConfigError(
                f"{key_of(each.name)}: none of its {len(each.texts):,} texts has the {min(each.shortest, each.ngram)} "
                f"words that are looked for, the longest has {longest}: lower `shortest`, or name other fields"
            )
    return Sets(index, items, pa.chunked_array([each.texts for each in sets], pa.large_string()))


def read(name: str, paths: Sequence[str], fields: Sequence[str]) -> tuple[list[str], np.ndarray, Items]:
    """Reads the texts of a set.

    Args:
        name: of the set, for messages.
        paths: of its files.
        fields: see ``config.EvaluationSet``.

    Returns:
        The texts, the item of each (int64), and where the items stand. A line is an item; blank lines are none.

    Raises:
        ConfigError: a file that cannot be read, a line that is no JSON object or lacks a field; names file, line, field
            and the fields that there are.
    """
    texts: list[str] = []
    numbers: list[int] = []
    items = Items([], [])
    met: set[str] = set()
    for path in paths:
        before = len(items.lines)
        for line, value in _objects(name, path):
            where = f"{key_of(name)}: {path}, line {line}"
            for field in fields:
                found = list(_texts_of(value, field, where))
                met |= {field} if found else set()
                texts += found
                numbers += [len(items.lines)] * len(found)
            items.paths.append(path)
            items.lines.append(line)
        if len(items.lines) == before:
            raise ConfigError(f"{key_of(name)}: {path} is empty: a set needs a line of JSON for each of its items")
    for field in fields:
        if field not in met:
            raise ConfigError(f"{key_of(name)}: no line of {', '.join(paths)} has a text in `{field}`")
    return texts, np.array(numbers, np.int64), items


def _objects(name: str, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    line = 0
    try:
        with storage.open_read(path) as raw, _plain(raw) as file:
            for line, data in enumerate(file, 1):
                text = data.decode("utf-8-sig" if line == 1 else "utf-8")
                if text.isspace() or not text:
                    continue
                value = json.loads(text)
                if not isinstance(value, dict):
                    raise ValueError(f"a {type(value).__name__} and no object")
                yield line, value
    except (OSError, EOFError, zstandard.ZstdError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{key_of(name)}: {path} cannot be read: {reason}") from error
    except ConfigError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{key_of(name)}: {path}, line {max(line, 1)} is no JSON object: {error}") from error


def _plain(raw: BinaryIO) -> BinaryIO:
    """A file without its compression, whatever its name says."""
    file = io.BufferedReader(cast(io.RawIOBase, raw))
    start = file.peek(4)[:4]
    if start.startswith(_MAGIC_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if start == _MAGIC_ZSTD:
        return io.BytesIO(b"".join(_frames(file.read())))
    return file


def _frames(data: bytes) -> Iterator[bytes]:
    """What zstd frames hold. A stream reader would take the end of a cut frame for the end of the file."""
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        yield frame.decompress(data)
        if not frame.eof:
            raise EOFError("its last zstd frame is cut short")
        data = frame.unused_data


def _texts_of(value: dict[str, Any], field: str, where: str) -> Iterator[str]:
    """The texts of a field; those of joined fields are joined if each has one."""
    if " + " not in field:
        yield from _walk(value, field.removesuffix("?").split("."), field, where)
        return
    parts = [list(_texts_of(value, part.strip(), where)) for part in field.split(" + ")]
    if all(parts):
        yield "\n".join(text for part in parts for text in part)


def _walk(value: Any, steps: list[str], field: str, where: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, list) and not (steps and steps[0].isdecimal()):
        for each in value:
            yield from _walk(each, steps, field, where)
    elif not steps:
        if isinstance(value, dict):
            inside = ", ".join(f"{field}.{name}" for name in value) or "nothing"
            raise ConfigError(f"{where}: `{field}` is an object and no text: name what is in it, {inside}")
        yield value if isinstance(value, str) else json.dumps(value)
    elif isinstance(value, list):
        yield from _walk(value[int(steps[0])] if int(steps[0]) < len(value) else None, steps[1:], field, where)
    elif isinstance(value, dict) and steps[0] in value:
        yield from _walk(value[steps[0]], steps[1:], field, where)
    elif not field.endswith("?"):
        there = list(value) if isinstance(value, dict) else []
        hint = f"{nearest(steps[0], there)} It has {', '.join(there) or 'no fields'}"
        raise ConfigError(f"{where} has no field `{steps[0]}` for `{field}`; {hint}")
