"""The longest tokens of the tokenizer in an output folder: where boilerplate shows first."""

from __future__ import annotations

from typing import Any

from pipeline import storage
from tokenizer.formats import from_json


def longest_tokens(output: str, most: int = 40) -> list[dict[str, Any]]:
    """The tokens that stand for the most bytes, longest first, equal lengths by id; special tokens are left out.

    Returns:
        ``id``, ``bytes`` (their number) and ``token`` (as text, U+FFFD for half a character); empty when the
        folder has no tokenizer that can be read.
    """
    path = storage.join(output, "tokenizer", "tokenizer.json")
    try:
        with storage.open_read(path) as file:
            found = from_json(file.read().decode(), None, path)
    except (OSError, ValueError):
        return []
    special = set(found.special_ids.values())
    regular = [(-len(content), token) for token, content in enumerate(found.token_bytes) if token not in special]
    return [
        {"id": token, "bytes": -length, "token": found.token_bytes[token].decode("utf-8", "replace")}
        for length, token in sorted(regular)[:most]
    ]
