"""A corpus on its way: the config, the output folder and what lies where in it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import manifests, storage
from pipeline.config import CorpusConfig
from pipeline.errors import ConfigError, GristmillError
from pipeline.manifests import Receipt
from pipeline.storage import StoredFile

DUMP_BITS, FILE_BITS, RECORD_BITS = 12, 24, 28
_MARK = "corpus.json"


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
        return [Receipt.from_json(value) for value in manifest["tasks"]]

    def manifest(self, folder: str) -> dict[str, Any]:
        """The manifest of a finished stage; raises like ``receipts``."""
        manifest = manifests.read_manifest(self.folder(folder))
        if not manifest or not manifest.get("complete"):
            raise GristmillError(
                f"{self.folder(folder)} is not finished: run `gristmill run` or the stage that writes it first"
            )
        return manifest

    def dumps(self) -> list[str]:
        """Names of the dumps by dump index, in the order in which they were first seen."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            return storage.read_json(self.path("dumps.json"))["dumps"]
        return []

    def register_dumps(self, names: list[str]) -> list[str]:
        """Gives new dumps the next indices, in order of name; those known keep theirs. Returns all names by index."""
        known = self.dumps()
        dumps = known + sorted(set(names) - set(known))
        if len(dumps) > 1 << DUMP_BITS:
            raise GristmillError(
                f"{len(dumps)} dumps are more than the {1 << DUMP_BITS} that a document key can tell apart"
            )
        if dumps != known and not self.read_only:
            storage.write_json(self.path("dumps.json"), {"dumps": dumps})
        return dumps

    def claim(self) -> None:
        """Marks the output folder with this corpus, and clears it of what a killed run left half-written there.

        Raises:
            ConfigError: see ``check_owner``.
        """
        if not self.check_owner():
            storage.write_json(self.path(_MARK), {"name": self.config.name})
        if storage.is_local(self.config.output):
            names = [entry.name for entry in os.scandir(self.config.output) if entry.name.endswith(".tmp")]
            storage.delete([self.path(name) for name in names])

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


def part_name(dump: str, file_index: int) -> str:
    """Name of a part through all stages."""
    return f"dump={dump}/part-{file_index:05d}"


def first_key(dump_index: int, file_index: int) -> int:
    """Key of record 0 of an input file."""
    return (dump_index << (FILE_BITS + RECORD_BITS)) | (file_index << RECORD_BITS)


def part_of(keys: np.ndarray) -> np.ndarray:
    """uint64 keys [n] → int64 [n], a number that orders parts as their keys do: dump index · 2²⁴ + file index."""
    return (keys >> np.uint64(RECORD_BITS)).astype(np.int64)


def part_path(part: int, dumps: list[str]) -> str:
    """The part that a number of ``part_of`` stands for."""
    return part_name(dumps[part >> FILE_BITS], part & ((1 << FILE_BITS) - 1))
