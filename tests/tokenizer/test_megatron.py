"""Export to Megatron's indexed dataset, read back by a reader written from the format's description alone."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tokenizer import megatron, shards


def read_dataset(prefix):
    """(kind code, documents as lists of tokens) of NAME.bin and NAME.idx."""
    index, data = prefix.with_suffix(".idx").read_bytes(), prefix.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, bounds = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1 and bounds == sequences + 1
    at = 9 + 8 + 1 + 8 + 8
    lengths = struct.unpack_from(f"<{sequences}i", index, at)
    pointers = struct.unpack_from(f"<{sequences}q", index, at + 4 * sequences)
    documents = struct.unpack_from(f"<{bounds}q", index, at + 12 * sequences)
    assert at + 12 * sequences + 8 * bounds == len(index)
    assert documents == tuple(range(bounds))
    letter, size = {8: ("H", 2), 4: ("i", 4)}[code]
    found = [list(struct.unpack_from(f"<{n}{letter}", data, p)) for n, p in zip(lengths, pointers, strict=True)]
    assert len(data) == size * sum(lengths)
    return code, found


@pytest.mark.parametrize(("vocabulary", "code"), [(5000, 8), (102_400, 4)])
def test_documents_come_back_in_order(tmp_path, vocabulary, code):
    random = np.random.default_rng(1)
    lengths = random.integers(0, 50, 300)
    tokens = random.integers(0, vocabulary, lengths.sum()).astype(np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    keys = np.arange(300, dtype=np.uint64)
    hashes = shards.shuffle_hash(keys, 0, 3)
    shards.write_run(tmp_path / "run", hashes, keys, ["web"] * 300, tokens, offsets)
    of = shards.schema("a" * 64, vocabulary)
    files = []
    for k, (low, high) in enumerate(zip(shards.shard_bounds(3), shards.shard_bounds(3)[1:])):
        path = tmp_path / f"{k}.arrow"
        files.append(
            (path.name, shards.write_shard(path, [shards.read_run_range(str(tmp_path / "run"), low, high)], of))
        )
    shards.write_index(tmp_path, shards.index({"train": files}, tokenizer="a" * 64, vocabulary=vocabulary, seed=3))
    assert megatron.export(tmp_path, "train", tmp_path / "out" / "web") == (300, lengths.sum())
    found, documents = read_dataset(tmp_path / "out" / "web")
    assert found == code
    assert documents == [tokens[offsets[i] : offsets[i + 1]].tolist() for i in np.argsort(hashes)]
    with pytest.raises(ValueError, match=r"split 'test' is unknown: these shards have train"):
        megatron.export(tmp_path, "test", tmp_path / "out" / "web")
