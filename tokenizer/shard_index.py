"""``shards.json``: which tokenizer made the shards of a folder, how much there is, and a checksum a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizer.output_files import whole
from tokenizer.shards import ShardSummary

INDEX_NAME = "shards.json"


def index_of(
    splits: Mapping[str, Sequence[tuple[str, ShardSummary]]],
    *,
    tokenizer: str,
    vocabulary: int,
    seed: int,
    begin: int | None = None,
    end: int | None = None,
) -> dict[str, Any]:
    """The content of ``shards.json``.

    Args:
        splits: split name → (path relative to the index, summary) of each shard, in order.
        tokenizer: the tokenizer's hash.
        vocabulary: rows of the model's embedding.
        seed: of the shuffle.
        begin, end: ids around every document, None where there is none.
    """
    sources: dict[str, dict[str, int]] = {}
    described: dict[str, Any] = {}
    for name, shards in splits.items():
        for _, summary in shards:
            for source, amounts in summary.sources.items():
                total = sources.setdefault(source, {"documents": 0, "tokens": 0})
                for key, value in amounts.items():
                    total[key] += value
        described[name] = {
            "documents": sum(summary.documents for _, summary in shards),
            "tokens": sum(summary.tokens for _, summary in shards),
            "files": [summary.entry(path) for path, summary in shards],
        }
    return {
        "tokenizer": tokenizer,
        "vocabulary": vocabulary,
        "begin": begin,
        "end": end,
        "seed": seed,
        "splits": described,
        "sources": dict(sorted(sources.items())),
    }


def write_index(folder: str | Path, content: Mapping[str, Any]) -> Path:
    """Writes ``shards.json`` into ``folder``, whole or not at all; returns its path."""
    path = Path(folder) / INDEX_NAME
    with whole(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
    return path


def read_index(folder: str | Path) -> dict[str, Any]:
    """Reads ``shards.json`` from a folder (or its own path).

    Raises:
        FileNotFoundError: there is none; says how to make one.
        ValueError: it is damaged or misses a field.
    """
    path = Path(folder)
    path = path / INDEX_NAME if path.name != INDEX_NAME else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such index; write shards with `gristmill tokenize`")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON ({error}); write the shards again") from error
    problem = _index_problem(content)
    if problem:
        raise ValueError(f"{path}: {problem}; write the shards again")
    return content


def _index_problem(content: Any) -> str | None:
    """What an index lacks."""
    if missing := _missing(content, {"tokenizer": str, "vocabulary": int, "splits": dict}):
        return f"has no {missing!r}"
    for name, split in content["splits"].items():
        if missing := _missing(split, {"documents": int, "tokens": int, "files": list}):
            return f"splits.{name} has no {missing!r}"
        for number, file in enumerate(split["files"]):
            if missing := _missing(file, {"path": str, "documents": int, "tokens": int, "bytes": int, "sha256": str}):
                return f"splits.{name}.files, entry {number}, has no {missing!r}"
    return None


def _missing(content: Any, kinds: Mapping[str, type]) -> str | None:
    """The first of some keys that is absent or of another kind."""
    found = content if isinstance(content, dict) else {}
    return next((key for key, kind in kinds.items() if not isinstance(found.get(key), kind)), None)


def shard_files(folder: str | Path, split: str) -> list[dict[str, Any]]:
    """The entries of a split's files in the index, in order.

    Raises:
        ValueError: the index has no such split.
    """
    splits = read_index(folder)["splits"]
    if split not in splits:
        raise ValueError(f"split {split!r} is unknown: these shards have {', '.join(splits)}")
    return splits[split]["files"]
