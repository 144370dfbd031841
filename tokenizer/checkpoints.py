"""Merges that a killed training had learned: the file it goes on from."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable

import numpy as np

from tokenizer.merges import NO_MERGES, Merges

SECONDS = 30.0  # between two checkpoints


class Checkpoint:
    """Keeps the merges so far; call it with them.

    Args:
        key: what the training depends on; a checkpoint of another one is passed over.
        read: gives the bytes of the file, or None where there is none.
        write: replaces the file, whole or not at all.
    """

    def __init__(self, key: str, read: Callable[[], bytes | None], write: Callable[[bytes], None]):
        self._key, self._write = key, write
        self._last = time.monotonic()
        self.merges = _read(read(), key)

    def __call__(self, merges: Merges) -> None:
        """Writes the merges, if the last ones are old enough."""
        if time.monotonic() - self._last < SECONDS:
            return
        file = io.BytesIO()
        np.savez(file, key=np.array(self._key), pairs=merges.pairs, counts=merges.counts)
        self._write(file.getvalue())
        self._last = time.monotonic()


def _read(content: bytes | None, key: str) -> Merges:
    """The merges of a checkpoint; none where it is another training's, or damaged."""
    if content is None:
        return NO_MERGES
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            if str(file["key"]) != key:
                return NO_MERGES
            return Merges(file["pairs"].astype(np.int32).reshape(-1, 2), file["counts"].astype(np.int64))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return NO_MERGES
