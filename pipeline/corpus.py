"""A corpus on its way: the config, the output folder and what lies where in it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from pipeline import file_numbers, manifests, storage
from pipeline.config import CorpusConfig
from pipeline.errors import ConfigError, GristmillError
from pipeline.file_numbers import SourceFile
from pipeline.manifests import Receipt
from pipeline.storage import StoredFile

DUMP_BITS, FILE_BITS, RECORD_BITS = 12, 24, 28
_MARK = "corpus.json"
_DUMPS = "dumps.json"
_DUMP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # as a corpus is named: it becomes a folder
_READERS = 16  # files read at once


@dataclass(frozen=True)
class Corpus:
    """The config with its output folder; picklable, so that workers know where things lie.

    ``read_only``: nothing is written, not even a new dump's index; for looking ahead.
    """

    config: CorpusConfig
    read_only: bool = False

    def folder(self, name: str) -> str:
        """A stage's folder."""
        return storage.join(self.config.output, name)

    def path(self, relative: str) -> str:
        """A file below the output folder."""
        return storage.join(self.config.output, relative)

    def stored(self, file: storage.AtomicFile) -> StoredFile:
        """A finished file by its path relative to the output folder, so that a corpus may be moved."""
        stored = file.stored
        return stored._replace(path=stored.path[len(self.config.output.rstrip("/")) + 1 :])

    def receipts(self, folder: str) -> list[Receipt]:
        """What a finished stage made, task by task.

        Raises:
            GristmillError: the stage is not finished.
        """
        manifest = self.manifest(folder)
        try:
            return [Receipt.from_json(value) for value in manifest["tasks"]]
        except manifests.DAMAGED:
            raise self._unfinished(folder) from None

    def manifest(self, folder: str) -> dict[str, Any]:
        """The manifest of a finished stage; raises like ``receipts``."""
        manifest = manifests.read_manifest(self.folder(folder))
        if not manifest or not manifest.get("complete"):
            raise self._unfinished(folder)
        return manifest

    def _unfinished(self, folder: str) -> GristmillError:
        return GristmillError(
            f"{self.folder(folder)} is not finished: run `gristmill run` or the stage that writes it first"
        )

    def dumps(self) -> list[str]:
        """Names of the dumps by dump index, in the order in which they were first seen; none in a new folder.

        Raises:
            GristmillError: ``dumps.json`` is damaged.
        """
        try:
            dumps: list[str] = storage.read_json(self.path(_DUMPS))["dumps"]
            whole = all(isinstance(name, str) for name in dumps) and len(set(dumps)) == len(dumps)
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole or not isinstance(dumps, list):
            raise file_numbers.damaged(self.path(_DUMPS), self.config.output)
        return dumps

    def register_dumps(self, names: Iterable[str]) -> list[str]:
        """Gives new dumps the next indices, in order of name; those known keep theirs. Returns all names by index.

        Raises:
            ConfigError: a name that cannot be one, or more dumps than a key can tell apart.
            GristmillError: ``dumps.json`` is damaged.
        """
        known = self.dumps()
        dumps = _with_new_dumps(known, names)
        if dumps != known and not self.read_only:
            storage.write_json(self.path(_DUMPS), {"dumps": dumps})
        return dumps

    def known_files(self, dumps: Collection[str]) -> dict[str, list[SourceFile]]:
        """The files of each of some dumps that have a number, by number; none of a new dump.

        Raises:
            ConfigError: a dump's name cannot be one, or there are more dumps than a key can tell apart.
            GristmillError: indices or numbers given before are damaged or gone.
        """
        output = self.config.output
        indexed = self.dumps()
        if not indexed and manifests.exists(self.folder("documents")):
            raise file_numbers.damaged(self.path(_DUMPS), output, "is missing")
        _with_new_dumps(indexed, dumps)
        with ThreadPoolExecutor(_READERS) as pool:
            read = dict(zip(dumps, pool.map(lambda dump: file_numbers.read(output, dump), dumps)))
        for dump, files in read.items():
            if files is None and dump in indexed:
                raise file_numbers.damaged(file_numbers.path_of(output, dump), output, "is missing")
        return {dump: files or [] for dump, files in read.items()}

    def register_files(
        self, files: Mapping[str, Collection[SourceFile]], known: Mapping[str, list[SourceFile]] | None = None
    ) -> tuple[list[str], dict[str, dict[SourceFile, int]]]:
        """Numbers the input files of each dump: a file keeps its number, new ones get the next, in order.

        ``known``: what ``known_files`` says of these dumps, if it was asked already.

        Returns:
            The names of all dumps by index, and for each dump in ``files`` its files with their numbers.

        Raises:
            ConfigError: there are more files in a dump than a key can tell apart.
            ConfigError, GristmillError: see ``known_files``.
        """
        known = self.known_files(files) if known is None else known
        numbered = {}
        for dump in files:
            after = file_numbers.with_new(dump, known[dump], files[dump], 1 << FILE_BITS)
            if after != known[dump] and not self.read_only:
                file_numbers.write(self.config.output, dump, after)
            numbered[dump] = {file: number for number, file in enumerate(after)}
        # Last, so that a dump which has an index has numbers too, whenever this is interrupted.
        return self.register_dumps(files), numbered

    def claim(self) -> None:
        """Marks the output folder with this corpus, and clears it of what a killed run left half-written there.

        Raises:
            ConfigError: see ``check_owner``.
        """
        if not self.check_owner():
            storage.write_json(self.path(_MARK), {"name": self.config.name})
        if storage.is_local(self.config.output):
            for folder in (self.config.output, self.path(file_numbers.FOLDER)):
                names = [name for name in _names_in(folder) if name.endswith(".tmp")]
                storage.delete([storage.join(folder, name) for name in names])

    def check_owner(self) -> bool:
        """Whether the output folder is marked with this corpus; False where nothing lies there yet.

        Raises:
            ConfigError: another corpus, or something else altogether, lies there.
        """
        output = self.config.output
        try:
            owner = storage.read_json(self.path(_MARK))["name"]
        except (FileNotFoundError, NotADirectoryError):
            others = [name for name in _names_in(output) if not name.startswith(".") and not name.endswith(".tmp")]
            if others:
                shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
                raise ConfigError(
                    f"output: {output} is not empty ({shown}) and no corpus of gristmill's: choose another folder"
                ) from None
            return False
        except (ValueError, KeyError, TypeError):
            owner = "?"
        if owner != self.config.name:
            raise ConfigError(
                f"output: {output} holds the corpus `{owner}`, and this config is named "
                f"`{self.config.name}`: choose another output folder, or delete that one"
            )
        stored = _sources_in(self.path("corpus.yaml"))
        if stored and not stored & _marks_of(source.model_dump() for source in self.config.sources):
            raise ConfigError(
                f"output: {output} holds another corpus `{owner}`: none of its sources is one of this config, by name "
                "or by path: choose another output folder, or delete that one"
            )
        return True

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the output folder against a second run (local folders; a lock of a dead process is taken over)."""
        if not storage.is_local(self.config.output):
            yield
            return
        import fcntl

        self.check_owner()  # before anything is written there
        try:
            os.makedirs(self.config.output, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"output: {self.config.output} cannot be made ({error.strerror}): choose another folder"
            ) from error
        with open(self.path(".lock"), "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise GristmillError(
                    f"{self.config.output} is in use by another run ({file.read().strip()}): wait for it or stop it"
                ) from None
            try:
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
            except OSError as error:
                error.filename = self.path(".lock")
                raise
            yield


def _names_in(folder: str) -> list[str]:
    """Names at the top of a folder; none where there is no folder."""
    if not storage.is_local(folder):
        return sorted({path.split("/")[0] for path in storage.list_files(folder)})
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise ConfigError(f"output: {folder} is a file: name a folder") from None


def _sources_in(path: str) -> set[str]:
    """The marks of the sources in a config that a run left; none where it left none that can be read."""
    try:
        return _marks_of(yaml.safe_load(storage.read_text(path))["sources"])
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return set()


def _marks_of(sources: Iterable[dict[str, Any]]) -> set[str]:
    """By what a source is known again: its name, and each of its paths."""
    marks = set()
    for source in sources:
        paths = [*source.get("paths", []), *source.get("path_lists", [])]
        marks |= {f"name {source['name']}", *(f"path {path}" for path in paths)}
    return marks


def _with_new_dumps(known: list[str], names: Iterable[str]) -> list[str]:
    """All dumps by index, new ones last in order of name."""
    new = sorted(set(names) - set(known))
    for name in new:
        if not _DUMP_NAME.fullmatch(name):
            raise ConfigError(
                f"sources: `{name}` cannot be the name of a dump, which has letters, digits, `.`, `_` and `-` and "
                "begins with a letter or digit: set sources.dump, or let {dump} stand for another part of the path"
            )
    if len(known) + len(new) > 1 << DUMP_BITS:
        raise ConfigError(
            f"sources: {len(known) + len(new):,} dumps are more than the {1 << DUMP_BITS:,} that a document key can "
            "tell apart: join some of them by sources.dump"
        )
    return known + new


def part_name(dump: str, file_index: int) -> str:
    """Name of a part through all stages."""
    return f"dump={dump}/part-{file_index:05d}"


def first_key(dump_index: int, file_index: int) -> int:
    """Key of record 0 of an input file."""
    return (dump_index << (FILE_BITS + RECORD_BITS)) | (file_index << RECORD_BITS)


def part_of(keys: np.ndarray) -> np.ndarray:
    """uint64 keys [n] → int64 [n], a number that orders parts as their keys do: dump index · 2²⁴ + file index."""
    return (keys >> np.uint64(RECORD_BITS)).astype(np.int64)


def part_number(name: str, dumps: Sequence[str]) -> int:
    """The number that ``part_of`` gives to the documents of a part, of its name."""
    dump, _, file = name.removeprefix("dump=").partition("/part-")
    return (dumps.index(dump) << FILE_BITS) | int(file)


def part_path(part: int, dumps: Sequence[str]) -> str:
    """The part that a number of ``part_of`` stands for."""
    return part_name(dumps[part >> FILE_BITS], part & ((1 << FILE_BITS) - 1))
