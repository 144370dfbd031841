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

from tokenizer.count_files import unit_of
from tokenizer.limits import check_size
from tokenizer.training import LARGEST, CountBatches, Training, laid_out, replay


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


NO_MERGES = Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))


def train(
    counts: pa.Table | CountBatches,
    vocabulary_size: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    minimum_count: int = 1,
    longest: int | None = None,
    may_make: Callable[[bytes], bool] | None = None,
    base: Merges = NO_MERGES,
    strict: bool = False,
    checkpoint: Callable[[Merges], None] | None = None,
) -> Merges:
    """Learns merges until the vocabulary has ``vocabulary_size`` tokens or no pair is left.

    Args:
        counts: columns ``piece`` (large_binary) and ``count`` (int64), see ``tokenizer.counts``.
        vocabulary_size: regular tokens, the 256 bytes included.
        progress: called with (tokens so far, tokens asked for) a few hundred times.
        minimum_count: pairs that occur less often are not merged.
        longest: bytes of the longest token that is made; ``tokenizers``' ``max_token_length`` n is n - 1 here.
        may_make: whether a token with these bytes may be made; asked before each merge, 10 µs each.
        base: merges to begin with, whatever their counts; further ones are learned on top.
        strict: refuse a text too small for its vocabulary instead of returning fewer merges.
        checkpoint: given the merges so far now and then; as ``base`` of a later call with the same counts they lead to
            the same end.

    Returns:
        The merges: ``vocabulary_size - 256`` of them, fewer when the text has no more pairs.

    Raises:
        ValueError: ``vocabulary_size`` below that of ``base`` or 256, tokens of more bytes than the encoder holds,
            counts in parts of an occurrence, a piece's count below 0, counts that add up to more than int64 holds, or
            too little text with ``strict``.
    """
    if unit_of(counts.schema) != 1:
        raise ValueError(
            f"counts are in parts of which {unit_of(counts.schema)} make one occurrence: add them up with "
            "`gristmill tokenizer merge-counts` first"
        )
    check_size(vocabulary_size, 0)
    if vocabulary_size < 256:
        raise ValueError(f"vocabulary {vocabulary_size} is below 256: every byte needs a token of its own")
    if vocabulary_size < base.vocabulary_size:
        raise ValueError(
            f"vocabulary {vocabulary_size} is below the {base.vocabulary_size} tokens to begin with: ask for more"
        )
    tokens = base.tokens()
    if may_make is not None or not _proper(base, tokens):
        may_make = _may_make(set(tokens), may_make)
    training = Training(
        counts, vocabulary_size - 256, max(minimum_count, 1), longest or LARGEST, (base.pairs, base.counts), ID_OF_BYTE
    )

    def may_join(left: int, right: int) -> bool:
        for known in training.merged[len(tokens) - 256 : training.done].tolist():
            tokens.append(tokens[known[0]] + tokens[known[1]])
        assert may_make is not None
        return may_make(tokens[left] + tokens[right])

    chunk = max(64, (vocabulary_size - base.vocabulary_size) // 400)
    more = True
    while more and training.done < len(training.merged):
        limit = min(training.done + chunk, len(training.merged))
        more = training.advance(limit, None if may_make is None else may_join)
        check_size(256 + training.done, training.token_bytes)
        if progress is not None:
            progress(256 + training.done, vocabulary_size)
        if checkpoint is not None:
            checkpoint(Merges(training.merged[: training.done], training.merged_counts[: training.done]))
    learned = Merges(training.merged[: training.done].copy(), training.merged_counts[: training.done].copy())
    if strict and learned.vocabulary_size < vocabulary_size:
        often = f" that occur {minimum_count:,} times or more" if minimum_count > 1 else ""
        raise ValueError(
            f"vocabulary {vocabulary_size} is more than this text holds: it has pairs{often} for "
            f"{learned.vocabulary_size} tokens; give more text or ask for fewer"
        )
    return learned


def _proper(merges: Merges, tokens: list[bytes]) -> bool:
    """Whether every token encodes to itself, as all do that were learned; then no merge can make one of them again."""
    if not len(merges.pairs):
        return True
    pieces = pa.table([pa.array(tokens, pa.large_binary()), pa.array([1] * len(tokens))], ["piece", "count"])
    symbols, _, _, _ = laid_out(pieces, ID_OF_BYTE, np.int32)
    replay(symbols, np.array([len(token) for token in tokens], np.int32), merges.pairs)
    starts = 1 + np.cumsum([0, *(len(token) + 1 for token in tokens[256:-1])])
    return bool((symbols[starts] == np.arange(256, len(tokens))).all())


def _may_make(tokens: set[bytes], also: Callable[[bytes], bool] | None) -> Callable[[bytes], bool]:
    """Refuses tokens that are there already."""
    return lambda token: token not in tokens and (also is None or also(token))
