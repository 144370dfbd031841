"""Export to Megatron's indexed dataset, read back by a reader written from the format's description alone."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tokenizer import megatron, shards, shuffle
from tokenizer.shard_index import index_of, write_index


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
    hashes = shuffle.shuffle_hash(keys, 0, 3)
    shuffle.write_run(tmp_path / "run", hashes, keys, ["web"] * 300, tokens, offsets)
    of = shards.schema("a" * 64, vocabulary)
    files = []
    for k, (low, high) in enumerate(zip(shuffle.shard_bounds(3), shuffle.shard_bounds(3)[1:])):
        path = tmp_path / f"{k}.arrow"
        files.append(
            (path.name, shards.write_shard(path, [shuffle.read_run_range(str(tmp_path / "run"), low, high)], of))
        )
    write_index(tmp_path, index_of({"train": files}, tokenizer="a" * 64, vocabulary=vocabulary, seed=3))
    assert megatron.export(tmp_path, "train", tmp_path / "out" / "web") == (300, lengths.sum())
    found, documents = read_dataset(tmp_path / "out" / "web")
    assert found == code
    assert documents == [tokens[offsets[i] : offsets[i + 1]].tolist() for i in np.argsort(hashes)]
    with pytest.raises(ValueError, match=r"split 'test' is unknown: these shards have train"):
        megatron.export(tmp_path, "test", tmp_path / "out" / "web")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tokens": 11}, "holds 2 documents and 10 tokens, the index says 2 and 11"),
        ({"documents": 3}, "the index says 3 and 10"),
        ({"vocabulary": 9}, "holds token 9, outside the vocabulary of 9"),
    ],
)
def test_what_the_index_does_not_say_is_not_written(tmp_path, change, told):
    part = shuffle.Documents(
        np.arange(2, dtype=np.uint64), np.arange(2, dtype=np.uint64), shuffle.as_sources(["web"] * 2),
        np.arange(10, dtype=np.uint32), np.array([0, 4, 10]),
    )  # fmt: skip
    summary = shards.write_shard(tmp_path / "a.arrow", [part], shards.schema("a" * 64, 10))
    index = index_of({"train": [("a.arrow", summary)]}, tokenizer="a" * 64, vocabulary=10, seed=0)
    index["splits"]["train"]["files"][0] |= {k: v for k, v in change.items() if k != "vocabulary"}
    index |= {k: v for k, v in change.items() if k == "vocabulary"}
    write_index(tmp_path, index)
    with pytest.raises(ValueError, match=rf"a\.arrow: .*{told}; `gristmill shards verify`"):
        megatron.export(tmp_path, "train", tmp_path / "out" / "web")
    assert not list((tmp_path / "out").iterdir())
