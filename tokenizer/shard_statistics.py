"""What lies in shards: amounts by split and source, lengths of documents, the first documents themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tokenizer.shard_index import read_index, shard_files
from tokenizer.shards import open_shard
from tokenizer.shuffle import SPLITS


def stats(folder: str | Path) -> dict[str, Any]:
    """What the shards hold: per split documents, tokens, files, bytes and tokens a document; per source the same.

    Document lengths are quantiles over all documents of the split (tokens): shortest, 10 %, median, 90 %, longest.
    """
    folder = Path(folder)
    content = read_index(folder)
    splits = {}
    for name, described in _in_order(content["splits"]).items():
        every = document_lengths(folder, name)
        splits[name] = {
            "documents": described["documents"],
            "tokens": described["tokens"],
            "files": len(described["files"]),
            "bytes": sum(file["bytes"] for file in described["files"]),
            "tokens_per_document": described["tokens"] / max(described["documents"], 1),
            "lengths": [int(value) for value in np.quantile(every, [0, 0.1, 0.5, 0.9, 1])] if len(every) else [],
        }
    return {
        "tokenizer": content["tokenizer"],
        "vocabulary": content["vocabulary"],
        "seed": content.get("seed"),
        "splits": splits,
        "sources": content.get("sources", {}),
    }


def _in_order(splits: dict[str, Any]) -> dict[str, Any]:
    """Training first, as they are made; the index may have them by name. Splits of other names last."""
    return {name: splits[name] for name in [*SPLITS, *splits] if name in splits}


def document_lengths(folder: str | Path, split: str = "train") -> np.ndarray:
    """Tokens of each document of a split, in its order: int32 [documents].

    Raises:
        ValueError: the index has no such split.
    """
    tables = [open_shard(Path(folder) / file["path"]) for file in shard_files(folder, split)]
    return np.concatenate([np.empty(0, np.int32), *(pc.list_value_length(table["tokens"]) for table in tables)])


def head(folder: str | Path, documents: int = 5, split: str = "train") -> list[dict[str, Any]]:
    """The first documents of a split: ``key``, ``source`` and ``tokens`` (uint32 array) each.

    Raises:
        ValueError: the index has no such split.
    """
    rows: list[dict[str, Any]] = []
    for file in shard_files(folder, split):
        if len(rows) >= documents:
            break
        table = open_shard(Path(folder) / file["path"]).slice(0, documents - len(rows))
        for key, source, tokens in zip(table["key"], table["source"], table["tokens"]):
            rows.append({"key": key.as_py(), "source": source.as_py(), "tokens": tokens.values.to_numpy()})
    return rows
