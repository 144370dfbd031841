"""Files on local disk, ``s3://``, ``gs://`` and ``hdfs://`` through Beam's filesystems; whole or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipeline import stores
from pipeline.stores import Found


class StoredFile(NamedTuple):
    """A finished file: where it lies, its size in bytes and the hexadecimal SHA-256 of its content."""

    path: str
    bytes: int
    sha256: str


def is_local(path: str) -> bool:
    """Whether a path lies on this machine's own disk."""
    return "://" not in path


def join(folder: str, *names: str) -> str:
    """Joins names below a folder, local or remote."""
    return "/".join([folder.rstrip("/"), *names])


def open_read(path: str) -> BinaryIO:
    """Opens a file for reading as it is, without undoing a compression its name may suggest.

    Raises:
        OSError: what the filesystem says; for a remote store see ``stores.open_read``.
    """
    return open(path, "rb") if is_local(path) else stores.open_read(path)


class _HashingWriter(io.RawIOBase):
    """Counts and hashes what passes through on its way to a file."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.size = 0
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        self.file.write(data)
        length = memoryview(data).nbytes
        self.hash.update(data)
        self.size += length
        return length


class AtomicFile:
    """A file under way: write to ``stream``; after the ``with`` block ``stored`` describes it under its final name."""

    def __init__(self, path: str, stream: _HashingWriter):
        self.path = path
        self.stream = stream

    @property
    def stored(self) -> StoredFile:
        """The file as it now lies; valid once written."""
        return StoredFile(self.path, self.stream.size, self.stream.hash.hexdigest())


@contextlib.contextmanager
def atomic_write(path: str) -> Iterator[AtomicFile]:
    """Writes a file that appears under its name only when the block ends without an error.

    Raises:
        OSError: what the filesystem says, ``ENOSPC`` included; the temporary file is gone by then.
    """
    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
    if is_local(path):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        raw: BinaryIO = open(temporary, "wb")  # noqa: SIM115 closed below, on both ways out
    else:
        raw = stores.create(temporary)
    file = AtomicFile(path, _HashingWriter(raw))
    try:
        yield file
        if is_local(path):
            raw.flush()
            os.fsync(raw.fileno())
        raw.close()
        if is_local(path):
            os.replace(temporary, path)
        else:
            stores.rename(temporary, path)
    except BaseException as error:
        with contextlib.suppress(Exception):
            raw.close()
        with contextlib.suppress(Exception):
            delete([temporary])
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            error.filename = path
        raise


def write_json(path: str, value: Any) -> StoredFile:
    """Writes JSON with sorted keys, so that equal values are equal bytes."""
    with atomic_write(path) as file:
        file.stream.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return file.stored


def read_json(path: str) -> Any:
    """Reads a JSON file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not JSON.
    """
    try:
        with open_read(path) as file:
            return json.load(file)
    except NotADirectoryError as error:
        raise FileNotFoundError(path) from error


def read_text(path: str) -> str:
    """Reads a whole UTF-8 file."""
    with open_read(path) as file:
        return file.read().decode()


def exists(path: str) -> bool:
    """Whether a file lies at the path."""
    return os.path.exists(path) if is_local(path) else stores.exists(path)


def list_files(folder: str) -> dict[str, int]:
    """Sizes in bytes of all files below a folder, by path relative to it; empty when there is no folder."""
    if is_local(folder):
        root = Path(folder)
        return {
            path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
        }
    prefix = folder.rstrip("/") + "/"
    return {found.path[len(prefix) :]: found.bytes for found in stores.listed(prefix)}


def look_at(paths: list[str]) -> dict[str, Found]:
    """Size and time of those of the files that are there, by path.

    Remote files that lie in one folder are looked up by one listing, because a request for each of the 90,000 files of
    a crawl would take an hour.
    """
    found = {}
    folders: dict[str, list[str]] = {}
    for path in paths:
        if not is_local(path):
            folders.setdefault(path.rpartition("/")[0], []).append(path)
        elif os.path.isfile(path):
            status = os.stat(path)
            found[path] = Found(path, status.st_size, status.st_mtime)
    for inside in folders.values():
        wanted = set(inside)
        prefix = os.path.commonprefix(inside)  # noqa: RUF071 of letters, as stores list
        found |= {file.path: file for file in stores.listed(prefix) if file.path in wanted}
    return found


def delete(paths: list[str]) -> None:
    """Deletes files; those that are not there are no error."""
    for path in paths:
        if is_local(path):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
    remote = [path for path in paths if not is_local(path)]
    if remote:
        stores.delete(remote)


def sha256_of(path: str) -> str:
    """SHA-256 of a file's content; an error when it cannot be read."""
    digest = hashlib.sha256()
    with open_read(path) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
