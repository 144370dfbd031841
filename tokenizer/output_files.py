"""Files on their way to disk: hashed as they are written, and under their name only when they are whole."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def whole(path: str | Path) -> Iterator[BinaryIO]:
    """A file that takes its name when all of it is written; its folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def opened(destination: Any) -> Iterator[Any]:
    """A path opened for writing and closed behind, or a file object left open."""
    if isinstance(destination, (str, os.PathLike)):
        with open(destination, "wb") as file:
            yield file
    else:
        yield destination


@dataclass
class Hashing(io.RawIOBase):
    """Passes bytes on to a file, counting and hashing them on the way."""

    file: Any
    written: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.file.write(view)
        self.digest.update(view)
        self.written += len(view)
        return len(view)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self.written
