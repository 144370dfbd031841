"""Tokenizers where they lie, on local disk or in a remote store: reading, writing, and what a killed training left."""

from __future__ import annotations

import os

from pipeline import storage
from pipeline.storage import AtomicFile
from tokenizer import formats
from tokenizer.checkpoints import Checkpoint

_CHECKPOINT = "merges.checkpoint"


def files_of(path: str) -> tuple[str, str]:
    """The tokenizer.json that a path means, itself or the folder it lies in, and the config that may lie beside it."""
    is_file = path.endswith(".json") or (storage.is_local(path) and os.path.isfile(path))
    file = path if is_file else storage.join(path, "tokenizer.json")
    return file, storage.join(os.path.dirname(file) or ".", "tokenizer_config.json")


def read_tokenizer(path: str) -> formats.Tokenizer:
    """Reads a tokenizer.json, or the one of a folder; errors are those of ``formats.load``."""
    file, beside = files_of(path)
    config = storage.read_text(beside) if storage.exists(beside) else None
    return formats.from_json(storage.read_text(file), config, file)


def write_tokenizer(tokenizer: formats.Tokenizer, folder: str) -> list[AtomicFile]:
    """Writes the two files of a tokenizer into a folder; as they lie then."""
    written = []
    for name, content in sorted(formats.to_json(tokenizer).items()):
        with storage.atomic_write(storage.join(folder, name)) as file:
            file.stream.write(content.encode())
        written.append(file)
    return written


def checkpoint_in(folder: str, key: str) -> Checkpoint:
    """What a killed training left in the folder of its tokenizer, and leaves again; ``key`` is what it depends on."""
    path = storage.join(folder, _CHECKPOINT)
    return Checkpoint(key, lambda: _bytes_of(path), lambda content: _replace(path, content))


def _bytes_of(path: str) -> bytes | None:
    if not storage.exists(path):
        return None
    with storage.open_read(path) as file:
        return file.read()


def _replace(path: str, content: bytes) -> None:
    with storage.atomic_write(path) as file:
        file.stream.write(content)


def drop_checkpoint(folder: str) -> None:
    """Deletes what ``checkpoint_in`` left, once the tokenizer is there."""
    storage.delete([storage.join(folder, _CHECKPOINT)])
