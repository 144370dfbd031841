"""Shards written to the contract with pyarrow alone, so that these tests need nothing of the tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

END = 1

Documents = Sequence[tuple[str, Sequence[int]]]
"""(source, tokens without the end token)"""


def write_shards(
    folder: Path, splits: dict[str, list[Documents]], vocabulary: int = 64, tokenizer: str = "a" * 64, rows: int = 7
) -> Path:
    """Writes ``{split: [documents of each file]}``; record batches of ``rows`` documents; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"gristmill.tokenizer": tokenizer, "gristmill.vocabulary": str(vocabulary)}
    names = sorted({source for files in splits.values() for documents in files for source, _ in documents})
    schema = pa.schema(
        [("tokens", pa.list_(pa.uint32())), ("key", pa.uint64()), ("source", pa.dictionary(pa.int32(), pa.string()))],
        metadata=metadata,
    )
    index: dict = {
        "tokenizer": tokenizer, "vocabulary": vocabulary, "begin": None, "end": END, "seed": 0, "splits": {},
    }  # fmt: skip
    key = 0
    for split, files in splits.items():
        entries = []
        for number, documents in enumerate(files):
            path = folder / f"{split}-{number:05d}.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for first in range(0, len(documents), rows):
                    part = documents[first : first + rows]
                    tokens = pa.array([[*t, END] for _, t in part], pa.list_(pa.uint32()))
                    codes = pa.array([names.index(s) for s, _ in part], pa.int32())
                    source = pa.DictionaryArray.from_arrays(codes, pa.array(names))
                    keys = pa.array(range(key, key + len(part)), pa.uint64())
                    key += len(part)
                    writer.write_batch(pa.record_batch([tokens, keys, source], schema=schema))
            entries.append(
                {
                    "path": path.name, "documents": len(documents), "tokens": sum(len(t) + 1 for _, t in documents),
                    "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
            )  # fmt: skip
        index["splits"][split] = {
            "documents": sum(e["documents"] for e in entries), "tokens": sum(e["tokens"] for e in entries),
            "files": entries,
        }  # fmt: skip
    (folder / "shards.json").write_text(json.dumps(index))
    return folder


def counting_documents(rng: np.random.Generator, documents: int, vocabulary: int, source: str) -> Documents:
    """Documents that count upward from anywhere, modulo the vocabulary: easy to learn, impossible to guess."""
    out = []
    for _ in range(documents):
        length, first, stride = rng.integers(5, 60), rng.integers(0, vocabulary), rng.integers(1, 4)
        out.append((source, (2 + (first + stride * np.arange(length)) % (vocabulary - 2)).tolist()))
    return out
