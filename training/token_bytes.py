"""How many bytes of text each token stands for, so that losses of different tokenizers compare: bits per byte.

Read straight from a byte-level ``tokenizer.json``, where each character of an entry stands for one byte: the trainer
needs no tokenizer library for it. Special tokens stand for no text.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from training.errors import TrainingError

_FILES = ("tokenizer.json", "tokenizer_config.json")


def find_tokenizer(shards: Path, hash: str) -> Path | None:
    """The folder of the tokenizer with this hash, in or beside a folder of shards; None if it is not there.

    A ``tokenizer_config.json`` that names another hash is another tokenizer; one that names none is taken on trust.
    """
    for folder in (shards / "tokenizer", shards.parent / "tokenizer"):
        if (folder / _FILES[0]).is_file() and _hash(folder) in (None, hash):
            return folder
    return None


def _hash(folder: Path) -> str | None:
    try:
        return json.loads((folder / _FILES[1]).read_text(encoding="utf-8"))["gristmill"]["hash"]
    except (OSError, KeyError, TypeError, ValueError):
        return None


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copies the tokenizer's files, so that a run's folder is enough to use its checkpoints."""
    target.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def token_bytes(tokenizer: Path, vocabulary: int) -> np.ndarray:
    """Bytes of text by token, int64 [vocabulary]: 0 for special tokens and for ids that stand for nothing.

    Raises TrainingError when ``tokenizer.json`` is not byte-level BPE.
    """
    path = tokenizer / _FILES[0]
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["model"]["vocab"]
        special = {token["id"] for token in content.get("added_tokens", []) if token.get("special", True)}
        lengths = np.zeros(vocabulary, np.int64)
        for entry, number in entries.items():
            if number not in special and number < vocabulary:
                lengths[number] = len(entry)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainingError(f"{path} is not a byte-level BPE tokenizer ({error!r})") from None
    return lengths
