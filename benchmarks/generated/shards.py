"""Token shards of any size in a moment, whose every token follows from its place: what a loader read can be checked.

Token p of the stream is ``(block[p mod L] + p div L) mod vocabulary`` with one random block of L tokens. Documents are
as long as those of a crawl: lognormal, a thousand tokens on average.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa

from tokenizer.shard_index import index_of, write_index
from tokenizer.shards import ShardSummary, schema
from tokenizer.shuffle import token_lists

BLOCK = 1 << 22  # tokens of a record batch, as the pipeline writes them
FILE = 1 << 25  # tokens of a file
VOCABULARY = 102_400
MEAN_LENGTH, SPREAD = 1000, 1.0
TOKENIZER = hashlib.sha256(b"generated").hexdigest()


def expected(places: np.ndarray, seed: int = 0, vocabulary: int = VOCABULARY) -> np.ndarray:
    """The tokens at places int64 [any shape] of the stream: int64."""
    return (_block(seed, vocabulary)[places % BLOCK].astype(np.int64) + places // BLOCK) % vocabulary


def write_shards(folder: Path, tokens: int, seed: int = 0, vocabulary: int = VOCABULARY) -> None:
    """Writes a training split of at least ``tokens`` tokens, in whole record batches, with its index."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    block, of = _block(seed, vocabulary), schema(TOKENIZER, vocabulary, end=1)
    batches = -(-tokens // BLOCK)
    per_file = FILE // BLOCK
    shards, key = [], 0
    for number, first in enumerate(range(0, batches, per_file)):
        path = folder / f"train-{number:05d}.arrow"
        inside = range(first, min(first + per_file, batches))
        documents = 0
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, of) as writer:
            for place in inside:
                offsets = _offsets(rng)
                count = len(offsets) - 1
                source = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array(["generated"]))
                values = (block + np.uint32(place)) % np.uint32(vocabulary)
                keys = pa.array(np.arange(key, key + count, dtype=np.uint64))
                writer.write_batch(pa.record_batch([token_lists(values, offsets), keys, source], schema=of))
                key, documents = key + count, documents + count
        amount = {"documents": documents, "tokens": len(inside) * BLOCK}
        with open(path, "rb") as file:
            digest = hashlib.sha256()
            while part := file.read(1 << 22):
                digest.update(part)
        summary = ShardSummary(
            **amount, sources={"generated": amount}, largest_token=vocabulary - 1, bytes=path.stat().st_size,
            sha256=digest.hexdigest(),
        )  # fmt: skip
        shards.append((path.name, summary))
    write_index(folder, index_of({"train": shards}, tokenizer=TOKENIZER, vocabulary=vocabulary, seed=seed, end=1))


def _block(seed: int, vocabulary: int) -> np.ndarray:
    return np.random.default_rng(seed + 1_000_003).integers(0, vocabulary, BLOCK, np.uint32)


def _offsets(rng: np.random.Generator) -> np.ndarray:
    """Bounds of documents that fill one record batch: int64 [documents + 1]."""
    lengths = rng.lognormal(np.log(MEAN_LENGTH) - SPREAD**2 / 2, SPREAD, 2 * BLOCK // MEAN_LENGTH).astype(np.int64) + 1
    ends = lengths.cumsum()
    return np.concatenate([[0], ends[ends < BLOCK], [BLOCK]])
