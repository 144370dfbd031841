"""Shards as Megatron-LM's indexed dataset: ``NAME.bin`` with all tokens and ``NAME.idx`` with the documents.

The layout is that of ``megatron/core/datasets/indexed_dataset.py``, version 1, little-endian:

    magic "MMIDIDX\\0\\0", version uint64, kind of token uint8, sequences uint64, document bounds uint64,
    length of each sequence int32, byte position of each sequence int64, document bounds int64

A document is one sequence here. Tokens take two bytes where the vocabulary allows it, as Megatron itself decides.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from tokenizer.output_files import whole
from tokenizer.shard_index import read_index, shard_files
from tokenizer.shards import open_shard

MAGIC, VERSION = b"MMIDIDX\x00\x00", 1
_KINDS = {np.dtype(np.uint16): 8, np.dtype(np.int32): 4}
_TWO_BYTES = 65_500  # Megatron's own limit
_REMEDY = "`gristmill shards verify` says what is damaged; write the shards again"


def export(folder: Path, split: str, prefix: Path) -> tuple[int, int]:
    """Writes one split of a folder of shards as ``prefix.bin`` and ``prefix.idx``, in the order of the shuffle.

    Holds one record batch of tokens and 20 bytes a document in memory. Both files appear only when they are whole.
    Amounts are compared with the index, and tokens with its vocabulary; checksums only by ``shard_verification``.

    Returns:
        Documents and tokens written.

    Raises:
        FileNotFoundError: a file of the split is missing.
        ValueError: there is no such split, or a file is no shard or a damaged one.
    """
    vocabulary = read_index(folder)["vocabulary"]
    kind = np.dtype(np.uint16 if vocabulary < _TWO_BYTES else np.int32)
    lengths = [np.empty(0, np.int32)]
    with whole(prefix.with_name(prefix.name + ".bin")) as file:
        for entry in shard_files(folder, split):
            path, first = folder / entry["path"], len(lengths)
            for batch in open_shard(path).to_batches():
                lengths.append(pc.list_value_length(batch["tokens"]).to_numpy(zero_copy_only=False).astype(np.int32))
                tokens = batch["tokens"].flatten().to_numpy()
                if (largest := int(tokens.max(initial=0))) >= vocabulary:
                    raise ValueError(
                        f"{path}: holds token {largest}, outside the vocabulary of {vocabulary}; {_REMEDY}"
                    )
                file.write(tokens.astype(kind).data)
            found = sum(map(len, lengths[first:])), sum(int(each.sum()) for each in lengths[first:])
            if found != (entry["documents"], entry["tokens"]):
                raise ValueError(
                    f"{path}: holds {found[0]} documents and {found[1]} tokens, the index says {entry['documents']} "
                    f"and {entry['tokens']}; {_REMEDY}"
                )
    sizes = np.concatenate(lengths)
    ends = np.cumsum(sizes, dtype=np.int64)
    with whole(prefix.with_name(prefix.name + ".idx")) as file:
        file.write(MAGIC + struct.pack("<QBQQ", VERSION, _KINDS[kind], len(sizes), len(sizes) + 1))
        file.write(sizes.data)
        file.write(((ends - sizes) * kind.itemsize).data)
        file.write(np.arange(len(sizes) + 1, dtype=np.int64).data)
    return len(sizes), int(ends[-1]) if len(ends) else 0
