"""Whether shards are what their index says: there, whole, of its tokenizer, every token and count right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tokenizer.shard_index import INDEX_NAME, read_index
from tokenizer.shards import TOKENIZER, open_shard

_CHUNK = 1 << 20


def verify(folder: str | Path, tokenizer: str | None = None) -> list[str]:
    """Checks every shard against the index: there, whole, of this tokenizer, every token and count right.

    Args:
        folder: holds ``shards.json``.
        tokenizer: hash that the shards must have been made with, when it is known.

    Returns:
        One line a problem, each naming its file; empty when all is well.
    """
    folder = Path(folder)
    content = read_index(folder)
    problems = []
    if tokenizer is not None and content["tokenizer"] != tokenizer:
        problems.append(f"{INDEX_NAME}: made with tokenizer {content['tokenizer'][:12]}, not {tokenizer[:12]}")
    for split, described in content["splits"].items():
        for file in described["files"]:
            problems += [f"{file['path']} ({split}): {text}" for text in _shard_problems(folder, file, content)]
        for key in ("documents", "tokens"):
            total = sum(file[key] for file in described["files"])
            if total != described[key]:
                problems.append(f"{INDEX_NAME}: split {split} says {described[key]} {key}, its files sum to {total}")
    return problems


def _shard_problems(folder: Path, file: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    path = folder / file["path"]
    if not path.is_file():
        yield "is missing"
        return
    if path.stat().st_size != file["bytes"]:
        yield f"has {path.stat().st_size} bytes, the index says {file['bytes']}"
        return
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != file["sha256"]:
        yield "its checksum differs from the index: bytes have changed since it was written"
        return
    try:
        table = open_shard(path)
    except ValueError as error:
        yield str(error).removeprefix(f"{path}: ")
        return
    made_with = (table.schema.metadata or {}).get(TOKENIZER, b"").decode()
    if made_with != content["tokenizer"]:
        yield f"was made with tokenizer {made_with[:12] or 'unknown'}, the index says {content['tokenizer'][:12]}"
    tokens = sum(len(chunk.flatten()) for chunk in table["tokens"].chunks)
    if table.num_rows != file["documents"] or tokens != file["tokens"]:
        yield (
            f"holds {table.num_rows} documents and {tokens} tokens, "
            f"the index says {file['documents']} and {file['tokens']}"
        )
    largest = max((pc.max(chunk.flatten()).as_py() or 0 for chunk in table["tokens"].chunks), default=0)
    if largest >= content["vocabulary"]:
        yield f"holds token {largest}, outside the vocabulary of {content['vocabulary']}"
