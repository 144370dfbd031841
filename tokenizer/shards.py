"""Token shards: what a training run reads. Arrow IPC files, memory-mapped, one row a document, and an index of them.

A shard has the columns ``tokens`` (list<uint32>), ``key`` (uint64) and ``source`` (dictionary<string>). The list values
of a record batch are one flat token array and the list offsets are the document boundaries, so the same shard serves
any context length. ``shards.json`` beside them says which tokenizer made them, how much there is, and a checksum a
file. Reading needs only NumPy and pyarrow.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.shuffle import (
    SPLITS,
    Documents,
    as_lists,
    batches,
    concatenate,
    read_run_range,
    shard_bounds,
    shuffle_hash,
    splits_of,
    token_lists,
    write_run,
)

__all__ = [
    "INDEX_NAME", "SPLITS", "Documents", "ShardSummary", "concatenate", "document_lengths", "head", "index",
    "open_shard", "read_index", "read_run_range", "shard_bounds", "shard_files", "shuffle_hash", "splits_of",
    "stats", "verify", "write_index", "write_run", "write_shard",
]  # fmt: skip

INDEX_NAME = "shards.json"
SHARD_FIELDS = (
    pa.field("tokens", pa.list_(pa.uint32())),
    pa.field("key", pa.uint64()),
    pa.field("source", pa.dictionary(pa.int32(), pa.string())),
)
_TOKENIZER = b"gristmill.tokenizer"
_CHUNK = 1 << 20
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
        _TOKENIZER: tokenizer.encode(),
        b"gristmill.vocabulary": str(vocabulary).encode(),
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
    vocabulary = int((of.metadata or {})[b"gristmill.vocabulary"])
    if largest >= vocabulary:
        raise ValueError(
            f"token {largest} is outside the vocabulary of {vocabulary}: the tokens are of another tokenizer"
        )
    with _opened(destination) as file:
        hashing = _Hashing(file)
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


def index(
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
    unfinished = path.with_name(f".{INDEX_NAME}.{os.getpid()}")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)
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
    made_with = (table.schema.metadata or {}).get(_TOKENIZER, b"").decode()
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


def shard_files(folder: str | Path, split: str) -> list[dict[str, Any]]:
    """The entries of a split's files in the index, in order.

    Raises:
        ValueError: the index has no such split.
    """
    splits = read_index(folder)["splits"]
    if split not in splits:
        raise ValueError(f"split {split!r} is unknown: these shards have {', '.join(splits)}")
    return splits[split]["files"]


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


@dataclass
class _Hashing(io.RawIOBase):
    """Passes bytes on to a file, counting and hashing them on the way."""

    file: Any
    written: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.file.write(view)
        self.digest.update(view)
        self.written += len(view)
        return len(view)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self.written


class _opened:
    """A path opened for writing and closed behind, or a file object left open."""

    def __init__(self, destination: Any) -> None:
        self._own = isinstance(destination, (str, os.PathLike))
        self._file = open(destination, "wb") if self._own else destination  # noqa: SIM115

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._file.close()
