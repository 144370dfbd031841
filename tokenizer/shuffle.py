"""The global shuffle: where each document lands, and the run files it passes through on the way.

A document's place is a hash of its key, so the order is the same for any runner and any number of workers. Encoding
writes runs, each sorted by hash; a shard is one range of hashes, read out of every run and merged. Needs only NumPy and
pyarrow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

# The mixer of text.hashing in NumPy, so that readers of shards need no numba; a test holds the two equal.
_M1 = np.uint64(0xFF51AFD7ED558CCD)
_M2 = np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)
_SPLIT_SEED = 0x5B117  # keeps the split independent of the order under the same seed

BATCH_TOKENS = 1 << 22  # list offsets stay far inside int32, and a batch is a few megabytes
LARGEST_DOCUMENT = 2**31 - 1
SPLITS = ("train", "validation", "test")
_HASH_RANGE = b"gristmill.run.hashes"


class Documents(NamedTuple):
    """Encoded documents as columns; document ``i`` has ``tokens[offsets[i]:offsets[i + 1]]``."""

    hashes: np.ndarray  # uint64 [documents], place in the shuffle
    keys: np.ndarray  # uint64 [documents]
    sources: pa.DictionaryArray  # dictionary<string> [documents]
    tokens: np.ndarray  # uint32 [tokens]
    offsets: np.ndarray  # int64 [documents + 1]


def _mix64(value: np.ndarray) -> np.ndarray:
    value = value ^ (value >> _SHIFT)
    value = value * _M1
    value = value ^ (value >> _SHIFT)
    value = value * _M2
    return value ^ (value >> _SHIFT)


def shuffle_hash(keys: np.ndarray, copies: np.ndarray | int, seed: int) -> np.ndarray:
    """The place of each document in the shuffle: uint64, uniform.

    Args:
        keys: uint64 [documents].
        copies: uint16 [documents] or one number; copy 0 of a key, copy 1 and so on land in unrelated places.
        seed: another seed, another order.
    """
    keys = np.asarray(keys, np.uint64)
    with np.errstate(over="ignore"):
        step = (np.asarray(copies, np.uint64) + np.uint64(1)) * _GOLDEN
        base = _mix64(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64) + _GOLDEN)
        return _mix64(_mix64(keys ^ base) + step)


def splits_of(keys: np.ndarray, seed: int, validation_share: float, test_share: float = 0) -> np.ndarray:
    """The split of each document: uint8 [documents], its place in ``SPLITS``.

    By key alone, so that all copies go the same way. Validation grows from the low end of the hash and test from the
    high one: a larger share only adds documents, and neither moves the other.

    Raises:
        ValueError: a share is outside [0, 1], or the two are more than 1 together.
    """
    for name, share in (("validation_share", validation_share), ("test_share", test_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} {share} is outside 0..1: give a share such as 0.005")
    if validation_share + test_share > 1:
        raise ValueError(f"validation_share {validation_share} and test_share {test_share} are more than 1 together")
    places = shuffle_hash(keys, 0, seed ^ _SPLIT_SEED)
    splits = np.zeros(len(places), np.uint8)
    splits[places < np.uint64(validation_share * 2.0**64) if validation_share < 1 else slice(None)] = 1
    splits[~places < np.uint64(test_share * 2.0**64) if test_share < 1 else slice(None)] = 2
    return splits


def shard_bounds(shards: int) -> list[int]:
    """The ``shards + 1`` hash bounds that divide [0, 2**64) evenly; shard k is [bounds[k], bounds[k + 1])."""
    return [(k << 64) // shards for k in range(shards + 1)]


def by_place(documents: Documents) -> Documents:
    """The documents ordered by (hash, key)."""
    order = np.lexsort((documents.keys, documents.hashes))
    lists = as_lists(documents).take(pa.array(order))
    offsets = lists.offsets.to_numpy()
    tokens = lists.values.to_numpy()
    return Documents(
        documents.hashes[order], documents.keys[order], documents.sources.take(pa.array(order)), tokens, offsets
    )


def concatenate(parts: list[Documents]) -> Documents:
    """All documents of all parts, in that order; sources share one sorted dictionary."""
    if not parts:
        return Documents(
            np.empty(0, np.uint64),
            np.empty(0, np.uint64),
            as_sources([]),
            np.empty(0, np.uint32),
            np.zeros(1, np.int64),
        )
    shifts = np.cumsum([0, *(len(part.tokens) for part in parts)])
    offsets = [part.offsets[1:] - part.offsets[0] + shift for part, shift in zip(parts, shifts)]
    return Documents(
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.keys for part in parts]),
        as_sources(pa.chunked_array([part.sources.cast(pa.string()) for part in parts])),
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([np.zeros(1, np.int64), *offsets]),
    )


def as_sources(sources: Any) -> pa.DictionaryArray:
    """Source names as a dictionary array whose dictionary is sorted and holds only names in use."""
    if isinstance(sources, pa.ChunkedArray):
        sources = sources.combine_chunks()
        if isinstance(sources, pa.ChunkedArray):
            sources = pa.concat_arrays(sources.chunks) if sources.num_chunks else pa.array([], pa.string())
    if not isinstance(sources, pa.Array):
        sources = pa.array(sources, pa.string())
    if pa.types.is_dictionary(sources.type):
        sources = sources.cast(pa.string())
    encoded = sources.cast(pa.string()).fill_null("").dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int32)
    rank[order] = np.arange(len(names))
    indices = rank[encoded.indices.to_numpy()] if len(names) else np.empty(0, np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int32()), pa.array([names[i] for i in order], pa.string())
    )


def batches(offsets: np.ndarray, batch_tokens: int = BATCH_TOKENS) -> list[tuple[int, int]]:
    """Cuts documents into row ranges of at most ``batch_tokens`` tokens each (a longer document stands alone).

    Raises:
        ValueError: one document has more tokens than an Arrow list can hold.
    """
    ranges: list[tuple[int, int]] = []
    rows = len(offsets) - 1
    start = 0
    while start < rows:
        stop = int(np.searchsorted(offsets, offsets[start] + batch_tokens, "right")) - 1
        stop = max(stop, start + 1)
        if offsets[stop] - offsets[start] > LARGEST_DOCUMENT:
            raise ValueError(
                f"document {start} has {offsets[stop] - offsets[start]} tokens: more than 2**31 - 1 in one"
            )
        ranges.append((start, stop))
        start = stop
    return ranges


def token_lists(tokens: np.ndarray, offsets: np.ndarray) -> pa.ListArray:
    """``list<uint32>`` over flat tokens (uint32) and int64 offsets, without copying the tokens."""
    first = int(offsets[0])
    values = pa.array(tokens[first : int(offsets[-1])])
    return pa.ListArray.from_arrays(pa.array((offsets - first).astype(np.int32)), values)


def write_run(
    destination: Any, hashes: np.ndarray, keys: np.ndarray, sources: Any, tokens: np.ndarray, offsets: np.ndarray
) -> int:
    """Writes encoded documents as one run, sorted by (hash, key): an uncompressed Arrow IPC file.

    Args:
        destination: path or binary file object.
        hashes, keys: uint64 [documents].
        sources: names, as strings or an Arrow array.
        tokens, offsets: uint32 flat and int64 [documents + 1].

    Returns:
        The number of documents.
    """
    documents = by_place(Documents(hashes, keys, as_sources(sources), tokens, offsets))
    ranges = batches(documents.offsets)
    bounds = [[int(documents.hashes[start]), int(documents.hashes[stop - 1])] for start, stop in ranges]
    fields = [
        pa.field("hash", pa.uint64()),
        pa.field("key", pa.uint64()),
        pa.field("source", pa.dictionary(pa.int32(), pa.string())),
        pa.field("tokens", pa.list_(pa.uint32())),
    ]
    schema = pa.schema(fields, {_HASH_RANGE: json.dumps(bounds).encode()})
    with _output(destination) as sink, pa.ipc.new_file(sink, schema) as writer:
        for start, stop in ranges:
            columns = [
                pa.array(documents.hashes[start:stop]),
                pa.array(documents.keys[start:stop]),
                documents.sources[start:stop],
                token_lists(documents.tokens, documents.offsets[start : stop + 1]),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return len(documents.keys)


def read_run_range(source: Any, low: int, high: int) -> Documents:
    """The documents of a run with ``low`` <= hash < ``high`` (high up to 2**64), in order.

    Touches only the batches that overlap the range, and of a local path (memory-mapped) only the pages in it.

    Args:
        source: path or seekable binary file object.
        low, high: bounds as Python integers, see ``shard_bounds``.
    """
    parts: list[Documents] = []
    with _input(source) as file:
        reader = pa.ipc.open_file(file)
        if _HASH_RANGE not in (reader.schema.metadata or {}):
            raise ValueError(f"{source}: is no run of encoded documents (no hash ranges inside); encode again")
        for i, (first, last) in enumerate(json.loads(reader.schema.metadata[_HASH_RANGE])):
            if last < low or first >= high:
                continue
            batch = reader.get_batch(i)
            hashes = batch.column("hash").to_numpy()
            start = int(np.searchsorted(hashes, np.uint64(low), "left"))
            stop = len(hashes) if high > last else int(np.searchsorted(hashes, np.uint64(high), "left"))
            if start == stop:
                continue
            lists = batch.column("tokens")
            offsets = lists.offsets.to_numpy()[start : stop + 1].astype(np.int64)
            tokens = lists.values.to_numpy()[offsets[0] : offsets[-1]]
            parts.append(
                Documents(
                    hashes[start:stop].copy(),
                    batch.column("key").to_numpy()[start:stop].copy(),
                    as_sources(batch.column("source")[start:stop]),
                    tokens.copy(),
                    offsets - offsets[0],
                )
            )
    return concatenate(parts)


def as_lists(documents: Documents) -> pa.LargeListArray:
    """The tokens of some documents as ``large_list<uint32>``, not copied."""
    first = documents.offsets[0]
    values = pa.array(documents.tokens[first : documents.offsets[-1]])
    return pa.LargeListArray.from_arrays(pa.array(documents.offsets - first), values)


@contextmanager
def _output(destination: Any) -> Iterator[Any]:
    if isinstance(destination, (str, os.PathLike)):
        with pa.OSFile(os.fspath(destination), "wb") as file:
            yield file
    else:
        yield destination


@contextmanager
def _input(source: Any) -> Iterator[Any]:
    if isinstance(source, (str, os.PathLike)):
        with pa.memory_map(os.fspath(source)) as file:
            yield file
    else:
        yield source
