"""Which files a source names: globs, ``{dump}``, path lists."""

from __future__ import annotations

import difflib
import os
import posixpath
import re
from typing import NamedTuple

from apache_beam.io.filesystems import FileSystems

from pipeline import storage, stores
from pipeline.errors import ConfigError, GristmillError
from pipeline.sources import https
from pipeline.sources.read import open_input
from pipeline.sources.segments import Break, Segments

_DUMP = "{dump}"
_CRAWL = re.compile(r"(?:^|/)crawl-data/(CC-[^/]+)/")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(\d+)\s*)?$")


class InputFile(NamedTuple):
    """A file to read and the dump it belongs to."""

    path: str
    dump: str


def expand(
    paths: list[str],
    path_lists: list[str] | None = None,
    base: str = "",
    files: str | None = None,
    dump: str | None = None,
    folder: str = "",
) -> list[InputFile]:
    """Finds the input files of a source, each once, ordered by dump and path.

    Args:
        paths: files or globs (``*`` and ``?`` within a name, ``**`` across folders, ``[a-z]``), local, ``s3://``,
            ``gs://`` or ``hdfs://``; addresses of single files, ``https://``. ``{dump}`` stands for a part of a
            name and names the dump; where several readings are possible, for the longest.
        path_lists: files that list files, one a line; plain, gzip or zstd. Blank lines and ``#`` comments are left out.
        base: what the relative lines of a path list are put behind; the folder, if empty.
        files: a slice of the ordered files, as in Python, such as ``0:20``.
        dump: the dump of files whose path has no ``{dump}``. If that is not given either, Common Crawl's paths tell it
            (``crawl-data/CC-MAIN-2024-10/…``); of other files it is ``main``.
        folder: what relative paths are relative to.

    Raises:
        ConfigError: a glob that matches nothing, a list that cannot be read or is empty, a slice that is none or empty.
    """
    found: dict[str, str] = {}
    for path in paths:
        for name, named_dump in _match(_absolute(path, folder)):
            found.setdefault(name, named_dump or dump or _crawl(name))
    for path_list in path_lists or []:
        for line in _read_list(_absolute(path_list, folder)):
            name = _absolute(line, _absolute(base, folder) if base else folder)
            found.setdefault(name, dump or _crawl(name))
    ordered = sorted((InputFile(path, of) for path, of in found.items()), key=lambda file: (file.dump, file.path))
    return _slice(ordered, files) if files else ordered


def _absolute(path: str, folder: str) -> str:
    if "://" in path or path.startswith("/") or not folder:
        return path
    if "://" in folder:
        return storage.join(folder, path)
    return posixpath.normpath(storage.join(folder, path))


def _crawl(path: str) -> str:
    match = _CRAWL.search(path)
    return match[1] if match else "main"


def _match(path: str) -> list[tuple[str, str | None]]:
    """The files that a path or glob stands for, each with the dump that ``{dump}`` names."""
    glob = path.replace(_DUMP, "*")
    if https.is_https(path):
        if _has_magic(glob):
            raise ConfigError(f"{path}: a web server cannot be searched; name each file, or use path_lists")
        return [(path, None)]
    if not _has_magic(glob):
        _check_there(path)
        return [(path, None)]
    pattern = re.compile(_regex(path))
    try:
        names = _names(glob)
    except GristmillError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be searched: {error}") from error
    matches = [(name, match) for name in names if (match := pattern.fullmatch(name))]
    if not matches:
        raise ConfigError(f"{path} matches no file{_nearest(glob)}")
    return [(name, match.groupdict().get("dump")) for name, match in matches]


def _names(glob: str) -> list[str]:
    """Paths among which those lie that a glob stands for, in order."""
    if storage.is_local(glob):
        return sorted({found.path for result in FileSystems.match([_search(glob)]) for found in result.metadata_list})
    return [found.path for found in stores.listed(re.split(r"[*?\[]", glob)[0])]


def _search(glob: str) -> str:
    """The glob as Beam is to search it: it knows neither that ``**`` may stand for no folder at all, nor ``[!a]``."""
    return re.sub(r"\[[^\]/]*\]", "?", glob.replace("**/", "**"))


def _has_magic(path: str) -> bool:
    return any(letter in path for letter in "*?[")


def _check_there(path: str) -> None:
    """Refuses a single path that is not there."""
    try:
        there = storage.exists(path)
        is_folder = not there or (storage.is_local(path) and os.path.isdir(path))
    except GristmillError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked at: {error}") from error
    if there and is_folder:
        raise ConfigError(f"{path} is a folder; name its files, such as {storage.join(path, '*.gz')}")
    if not there:
        raise ConfigError(f"{path} does not exist{_nearest(path)}")


def _nearest(path: str) -> str:
    """What lies in the deepest folder of a path that has no wild cards, the nearest names first."""
    folder, _, name = path.rpartition("/")
    while _has_magic(folder):
        folder, _, name = folder.rpartition("/")
    try:
        there = _names_in(folder) if folder else []
    except OSError:
        there = []
    if not there:
        return f"; there is nothing in {folder}" if folder else ""
    near = difflib.get_close_matches(name.replace("*", ""), there, 3, 0.3) or there[:3]
    return f"; {folder} has {', '.join(near)}" + (" and others" if len(there) > len(near) else "")


def _names_in(folder: str) -> list[str]:
    """Names of some files and folders in a folder; of a store, which may hold millions, those among its first."""
    if storage.is_local(folder):
        return sorted(os.listdir(folder))
    prefix = folder.rstrip("/") + "/"
    return sorted({file.path[len(prefix) :].split("/")[0] for file in stores.listed(prefix, 1000)})


def _regex(glob: str) -> str:
    """A glob as a regular expression, the first ``{dump}`` as a group, any further one equal to it."""
    out = []
    at = 0
    seen = False
    while at < len(glob):
        if glob.startswith(_DUMP, at):
            out.append("(?P=dump)" if seen else "(?P<dump>[^/]+)")
            seen = True
            at += len(_DUMP)
        elif glob.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
            out.append(".*")
            at += 2
        elif glob[at] == "*":
            out.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            out.append("[^/]")
            at += 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
            at = end + 1
        else:
            out.append(re.escape(glob[at]))
            at += 1
    return "".join(out)


def _read_list(path: str) -> list[str]:
    """The lines of a path list."""
    parts = []
    try:
        with open_input(path) as file:
            segments = Segments(file, plausible=lambda data: True, plain=None)
            while (piece := segments.next()) is not None:
                if isinstance(piece, Break):
                    raise ConfigError(f"{path}: the list is damaged ({piece.reason}: {piece.detail}); fetch it again")
                parts.append(piece.data)
        lines = [line.strip() for line in b"".join(parts).decode().splitlines()]
    except FileNotFoundError as error:
        near = "" if https.is_https(path) else _nearest(path)
        raise ConfigError(f"{path}: there is no such path list{near}") from error
    except GristmillError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the list of paths cannot be read: {error}") from error
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise ConfigError(f"{path}: the list names no files")
    return lines


def _slice(found: list[InputFile], files: str) -> list[InputFile]:
    match = _SLICE.match(files)
    if not match or match[3] == "0":
        raise ConfigError(f"files: {files!r} is no slice; write it like 0:20")
    chosen = found[slice(*(int(part) if part else None for part in match.groups()))]
    if not chosen:
        raise ConfigError(f"files: {files!r} leaves none of the {len(found)} files that were found")
    return chosen
