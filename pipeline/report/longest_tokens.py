"""The longest tokens of the tokenizer in an output folder: where boilerplate shows first."""

from __future__ import annotations

from typing import Any

from pipeline import storage
from tokenizer import token_texts
from tokenizer.formats import from_json


def longest_tokens(output: str, most: int = 40) -> list[dict[str, Any]]:
    """What ``token_texts.longest_tokens`` finds; empty when the folder has no tokenizer that can be read."""
    path = storage.join(output, "tokenizer", "tokenizer.json")
    try:
        return token_texts.longest_tokens(from_json(storage.read_text(path), None, path), most)
    except (OSError, ValueError):
        return []
