"""Token shards: what a training run reads. Arrow IPC files, memory-mapped, one row a document.

A shard has the columns ``tokens`` (list<uint32>), ``key`` (uint64) and ``source`` (dictionary<string>). The list values
of a record batch are one flat token array and the list offsets are the document boundaries, so the same shard serves
any context length. ``shards.json`` beside them lists them (``shard_index``). Reading needs only NumPy and pyarrow.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer.output_files import Hashing, opened
from tokenizer.shuffle import Documents, as_lists, batches, concatenate, token_lists

SHARD_FIELDS = (
    pa.field("tokens", pa.list_(pa.uint32())),
    pa.field("key", pa.uint64()),
    pa.field("source", pa.dictionary(pa.int32(), pa.string())),
)
TOKENIZER = b"gristmill.tokenizer"
_VOCABULARY = b"gristmill.vocabulary"
_NONE = np.empty(0, np.uint32)


@dataclass(frozen=True)
class ShardSummary:
    """What a finished shard holds, as its entry in ``shards.json`` needs it."""

    documents: int
    tokens: int
    sources: dict[str, dict[str, int]]  # name → {"documents", "tokens"}
    largest_token: int
    bytes: int
    sha256: str

    def entry(self, path: str) -> dict[str, Any]:
        """The shard's entry under ``splits.<split>.files``, at ``path`` relative to the index."""
        return {
            "path": path,
            "documents": self.documents,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "sources": self.sources,
        }


def schema(tokenizer: str, vocabulary: int, begin: int | None = None, end: int | None = None) -> pa.Schema:
    """The schema of a shard, with its metadata: tokenizer hash, rows of the embedding, ids around documents."""
    metadata = {
        TOKENIZER: tokenizer.encode(),
        _VOCABULARY: str(vocabulary).encode(),
        b"gristmill.begin": b"" if begin is None else str(begin).encode(),
        b"gristmill.end": b"" if end is None else str(end).encode(),
    }
    return pa.schema(SHARD_FIELDS, metadata)


def write_shard(destination: Any, parts: Sequence[Documents], of: pa.Schema) -> ShardSummary:
    """Writes one shard: all documents of all parts, ordered by (hash, key).

    Tokens are gathered a batch at a time: beside the parts it holds a few record batches and 50 bytes a document.

    Args:
        destination: path or binary file object.
        parts: the shard's documents, as ``read_run_range`` returns them; in any order.
        of: see ``schema``.

    Returns:
        Counts, size and checksum, for the index.

    Raises:
        ValueError: a token is outside the vocabulary.
    """
    order = _Order(parts)
    largest = max((int(part.tokens.max(initial=0)) for part in parts), default=0)
    vocabulary = int((of.metadata or {})[_VOCABULARY])
    if largest >= vocabulary:
        raise ValueError(
            f"token {largest} is outside the vocabulary of {vocabulary}: the tokens are of another tokenizer"
        )
    with opened(destination) as file:
        hashing = Hashing(file)
        sink = pa.PythonFile(hashing, "w")
        with pa.ipc.new_file(sink, of) as writer:
            for start, stop in batches(order.offsets):
                columns = [order.token_lists(start, stop), pa.array(order.keys[start:stop]), order.sources[start:stop]]
                writer.write_batch(pa.record_batch(columns, schema=of))
        sink.flush()
    lengths = np.diff(order.offsets)
    names = order.sources.dictionary.to_pylist()
    indices = order.sources.indices.to_numpy() if names else np.empty(0, np.int32)
    by_source = {
        name: {
            "documents": int(np.count_nonzero(indices == i)),
            "tokens": int(lengths[indices == i].sum()),
        }
        for i, name in enumerate(names)
    }
    return ShardSummary(
        len(lengths), int(lengths.sum()), by_source, largest, hashing.written, hashing.digest.hexdigest()
    )


class _Order:
    """The documents of some parts ordered by (hash, key): ``offsets`` int64 [documents + 1], ``keys``, ``sources``."""

    def __init__(self, parts: Sequence[Documents]) -> None:
        merged = concatenate([part._replace(tokens=_NONE, offsets=np.zeros(1, np.int64)) for part in parts])
        self._parts = parts
        self._first = np.cumsum([0, *(len(part.keys) for part in parts)])  # row of each part's first document
        self._rows = np.lexsort((merged.keys, merged.hashes))
        lengths = np.concatenate([np.empty(0, np.int64), *(np.diff(part.offsets) for part in parts)])
        self.offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[self._rows], dtype=np.int64)])
        self.keys = merged.keys[self._rows]
        self.sources = merged.sources.take(pa.array(self._rows))

    def token_lists(self, start: int, stop: int) -> pa.ListArray:
        """The tokens of documents ``[start, stop)``: list<uint32>, copied out of the parts."""
        rows = self._rows[start:stop]
        by_part = np.argsort(rows, kind="stable")  # documents of a part lie together
        bounds = np.searchsorted(rows[by_part], self._first)
        pieces = []
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            chosen = rows[by_part[bounds[number] : bounds[number + 1]]] - self._first[number]
            pieces.append(as_lists(self._parts[number]).take(pa.array(chosen)))
        back = np.empty(len(rows), np.int64)
        back[by_part] = np.arange(len(rows))
        lists = (pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)).take(pa.array(back))
        return token_lists(lists.values.to_numpy(), lists.offsets.to_numpy())


def open_shard(path: str | Path) -> pa.Table:
    """Maps a shard into memory: columns ``tokens``, ``key``, ``source``; no token is read before it is used.

    List offsets, dictionary indices and sizes are checked, so that no damage makes a later read leave the file's bytes.
    Changed tokens and keys pass: those only a checksum finds, see ``verify``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no shard, or a damaged one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        problem = _structural_problem(table)
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
        raise ValueError(f"{path}: is no Arrow file, or a damaged one ({error}); write the shards again") from error
    if problem:
        raise ValueError(f"{path}: {problem}; write the shards again")
    return table


def _structural_problem(table: pa.Table) -> str | None:
    """What is wrong with the columns of a shard; Arrow's own checks raise ArrowInvalid."""
    if table.column_names != [field.name for field in SHARD_FIELDS]:
        return f"has columns {table.column_names}, a shard has tokens, key, source"
    for wanted, column in zip(SHARD_FIELDS, table.columns, strict=True):
        if column.type != wanted.type:
            return f"column {wanted.name} is {column.type}, in a shard it is {wanted.type}"
    for value in (table.schema.metadata or {}).values():
        value.decode()
    for batch in table.to_batches():
        batch.validate(full=True)
        tokens, keys, sources = batch.columns
        if any(array.null_count for array in (tokens, tokens.values, keys, sources, sources.dictionary)):
            return "has nulls, which no shard has"
    return None
