"""Byte-level BPE training (Sennrich et al., arXiv 1508.07909) from piece counts: exact, and equal to Hugging Face's.

Token ids: 0-255 are the bytes, in the order in which Hugging Face's byte-level alphabet sorts them; 256 + i is what
merge i makes. The next pair to merge is the most frequent one, of equals the one with the smallest ids, which is what
``tokenizers``' ``BpeTrainer`` does, so the merges are the same, pair for pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_buffers
from tokenizer.merge_kernels import State, first_heap, first_pairs, lay_out, merge_steps


def _byte_order() -> np.ndarray:
    """The byte of each id 0-255: printable Latin-1 characters stand for themselves and sort before the others."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return np.array([*printable, *(byte for byte in range(256) if byte not in printable)], np.uint8)


BYTE_OF_ID: np.ndarray = _byte_order()
ID_OF_BYTE: np.ndarray = np.argsort(BYTE_OF_ID).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Merges:
    """The merge rules, most frequent first.

    Attributes:
        pairs: int32 [merges, 2], token ids; merge i makes token 256 + i.
        counts: int64 [merges], how often the pair occurred when it was merged; zeros where unknown.
    """

    pairs: np.ndarray
    counts: np.ndarray

    @property
    def vocabulary_size(self) -> int:
        """Regular tokens: 256 bytes and one a merge."""
        return 256 + len(self.pairs)

    def tokens(self) -> list[bytes]:
        """The bytes of every regular token, by id."""
        tokens = [bytes([byte]) for byte in BYTE_OF_ID]
        for left, right in self.pairs.tolist():
            tokens.append(tokens[left] + tokens[right])
        return tokens


def train(
    counts: pa.Table,
    vocabulary_size: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    minimum_count: int = 1,
    strict: bool = False,
) -> Merges:
    """Learns merges until the vocabulary has ``vocabulary_size`` tokens or no pair is left.

    Args:
        counts: columns ``piece`` (large_binary) and ``count`` (int64), see ``tokenizer.counts``.
        vocabulary_size: regular tokens, the 256 bytes included.
        progress: called with (tokens so far, tokens asked for) a few hundred times.
        minimum_count: pairs that occur less often are not merged.
        strict: refuse a text too small for its vocabulary instead of returning fewer merges.

    Returns:
        The merges: ``vocabulary_size - 256`` of them, fewer when the text has no more pairs.

    Raises:
        ValueError: ``vocabulary_size`` below 256, a piece's count below 0, or too little text with ``strict``.
    """
    if vocabulary_size < 256:
        raise ValueError(f"vocabulary {vocabulary_size} is below 256: every byte needs a token of its own")
    wanted = vocabulary_size - 256
    data, offsets = text_buffers(counts["piece"].cast(pa.large_binary()).combine_chunks().view(pa.large_string()))
    piece_counts = np.ascontiguousarray(counts["count"].to_numpy(), np.int64)
    if len(piece_counts) and piece_counts.min() < 0:
        raise ValueError(f"count {piece_counts.min()} of a piece is negative: count the documents again")
    merged = np.empty((wanted, 2), np.int32)
    merged_counts = np.empty(wanted, np.int64)
    slots = np.full((2, vocabulary_size), -1, np.int32)
    state = _first_state(data, offsets, piece_counts)
    done = 0
    chunk = max(64, wanted // 400)
    while done < wanted:
        steps = min(chunk, wanted - done)
        state, finished = merge_steps(
            state, steps, 256 + done, minimum_count, merged, merged_counts, done, slots[0], slots[1]
        )
        done += finished
        if progress is not None:
            progress(256 + done, vocabulary_size)
        if finished < steps:
            break
    if strict and done < wanted:
        raise ValueError(
            f"vocabulary {vocabulary_size} is more than this text holds: it has pairs for {256 + done} tokens; "
            "give more text or ask for fewer"
        )
    return Merges(merged[:done].copy(), merged_counts[:done].copy())


def _first_state(data: np.ndarray, offsets: np.ndarray, piece_counts: np.ndarray) -> State:
    symbol, extent, piece_of = lay_out(data, offsets, ID_OF_BYTE)
    pair_at, left, right, count, list_start, list_length, positions = first_pairs(
        symbol, extent, piece_of, piece_counts
    )
    heap_count, heap_key, heap_pair = first_heap(left, right, count)
    return State(
        symbol, extent, pair_at, piece_of, piece_counts, left, right, count, list_start, list_length, positions,
        heap_count, heap_key, heap_pair, len(left), len(positions), len(heap_count),
    )  # fmt: skip
