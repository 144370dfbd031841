"""By what name a source knows its files: one that stays when the crawl, the config and the output move together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

_FIXED = re.compile(r"(?:\[[*?\[]\]|(?!\{dump\})[^*?\[])*")  # what a glob begins with before any of its wild cards
_ESCAPED = re.compile(r"\[([*?\[])\]")


def names_of(
    files: Sequence[str], paths: Sequence[str], base: str = "", known: Collection[str] = frozenset()
) -> list[str]:
    """Names of the files of one source in one dump, each once.

    A file that a glob finds is called by its path from the last folder on that has no wild card: ``wet/…/a.gz`` of
    ``/data/wet/**.gz``, wherever that lies. One from a path list is called as its line below ``base`` says, so that a
    mirror changes nothing. A file whose path ends in a known name keeps that, so that a glob may become wider or
    narrower. Files that would share a name are called by their whole paths.

    Args:
        files: their paths.
        paths: the globs of the source.
        base: what its path lists are relative to; may be empty.
        known: names given before; a set, if they are many.
    """
    roots = sorted({_root(path) for path in paths} | ({base.rstrip("/")} if base else set()), key=len)
    short = [next((name for name in _ends(file) if name in known), _below(file, roots)) for file in files]
    count = Counter(short)
    return [name if count[name] == 1 else file for file, name in zip(files, short)]


def _root(path: str) -> str:
    """The folder above the last one without a wild card; the bucket or server itself where there is none."""
    match = _FIXED.match(path)
    folder = _ESCAPED.sub(r"\1", match[0] if match else "").rpartition("/")[0]
    above = folder.rpartition("/")[0]
    return folder if "://" in folder and above.endswith("/") else above


def _ends(path: str) -> Iterator[str]:
    """The path, and what is left of it without its first folders, the longest first."""
    yield path
    at = path.find("/")
    while at >= 0:
        yield path[at + 1 :]
        at = path.find("/", at + 1)


def _below(file: str, roots: list[str]) -> str:
    for root in roots:
        if file.startswith(root + "/"):
            return file[len(root) + 1 :]
    return file
