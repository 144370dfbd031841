"""The quality models of a config, as a run and its workers hold them."""

from __future__ import annotations

import functools
import os

from filters.quality import QualityModel
from pipeline import storage

_MOST_HELD = 8  # models in the memory of a process at once


@functools.lru_cache(maxsize=_MOST_HELD)
def loaded(path: str, label: str | None, sample_bytes: int | None, content: str) -> QualityModel:
    """A model, read once a process and not once a task.

    Args:
        path: of the model.
        label: whose probability is the score; its first label when None.
        sample_bytes: see ``QualityModel``.
        content: the checksum of the file, which tells whether it is still the same.
    """
    return QualityModel(path, label, sample_bytes)


def content_of(path: str) -> str:
    """SHA-256 of a model's file, which is read again only when its size or time of change is another."""
    stat = os.stat(path)
    return _content(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _content(path: str, size: int, changed: int) -> str:
    return storage.sha256_of(path)
