"""The longest tokens of the tokenizer in an output folder: where boilerplate shows first."""

from __future__ import annotations

from typing import Any

from pipeline import storage
from tokenizer.formats import from_json


def longest_tokens(output: str, most: int = 40) -> list[dict[str, Any]]:
    """The tokens that stand for the most bytes, longest first, equal lengths by id.

    Special tokens are left out, and of those that only repeat one byte (a vocabulary holds runs of spaces of nearly
    every length) all but the longest.

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
    by_length = sorted(
        (-len(content), token) for token, content in enumerate(found.token_bytes) if token not in special
    )
    rows: list[dict[str, Any]] = []
    repeated: set[bytes] = set()
    for length, token in by_length:
        content = found.token_bytes[token]
        if content.strip(content[:1]) == b"":
            if content[:1] in repeated:
                continue
            repeated.add(content[:1])
        rows.append({"id": token, "bytes": -length, "token": content.decode("utf-8", "replace")})
        if len(rows) == most:
            break
    return rows
