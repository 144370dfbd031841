"""Training samples out of memory-mapped token shards.

Sample i of a split is ``tokens[i·context : (i+1)·context + 1]`` of its stream: inputs and, shifted by one, targets. The
order in which samples are read is a keyed permutation of i, epoch by epoch, so the whole state of the loader is one
integer, the number of samples read: resuming is exact, takes no time, and does not depend on workers, ranks or batch
size. Nothing is indexed at start and nothing is copied but the samples themselves.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from training.errors import TrainingError
from training.permutation import derive_key, permute
from training.stream import Split, check_range

T = TypeVar("T")

_ORDER, _MIXTURE = 1, 2  # purposes of derived keys
_SLOTS = 4096  # a mixture's shares are exact over each run of this many samples
_AHEAD = 2  # batches made before they are asked for


class Loader:
    """Samples of a weighted mixture of splits, addressed by their position in the run.

    ``batch(cursor, count)`` gives the samples at positions ``[cursor, cursor + count)`` of the endless, shuffled order.
    Raises TrainingError at once when a set has not one sample.
    """

    def __init__(self, splits: Sequence[Split], weights: Sequence[float], context: int, seed: int, vocabulary: int):
        self.splits, self.context, self.seed, self.vocabulary = list(splits), context, seed, vocabulary
        self.samples = np.array([split.samples(context) for split in splits], np.int64)
        for split, samples in zip(splits, self.samples, strict=True):
            if samples == 0:
                raise TrainingError(
                    f"data.context: the {split.name} split in {split.folder} has {split.tokens} tokens, too few for "
                    f"one sample of {context} + 1; lower data.context or add documents"
                )
        shares = np.asarray(weights, float) / sum(weights)
        slots = np.maximum(1, np.floor(shares * _SLOTS)).astype(np.int64)
        for best in np.argsort(-(shares * _SLOTS - slots), kind="stable")[: max(0, _SLOTS - int(slots.sum()))]:
            slots[best] += 1
        self._dealt = slots  # samples of each set in a block
        self._slots = np.repeat(np.arange(len(slots)), slots)
        self._deal = functools.lru_cache(4)(self._deal_block)

    @property
    def tokens(self) -> int:
        """Tokens of one pass over every set."""
        return int(self.samples.sum()) * self.context

    def locate(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Set, sample within it and epoch, int64 each, for positions int64 of the run's order."""
        chosen, ordinal = np.zeros_like(positions), positions.copy()
        if len(self.splits) > 1:  # each run of this many positions deals every set its slots, in an order of its own
            block, place = np.divmod(positions, len(self._slots))
            for number in np.unique(block).tolist():
                here = block == number
                dealt, rank = self._deal(number)
                chosen[here] = dealt[place[here]]
                ordinal[here] = number * self._dealt[chosen[here]] + rank[place[here]]
        epoch, sample = ordinal // self.samples[chosen], ordinal % self.samples[chosen]
        for i, samples in enumerate(self.samples):
            here = chosen == i
            sample[here] = permute(sample[here], int(samples), derive_key(self.seed, _ORDER, i, epoch[here]))
        return chosen, sample, epoch

    def _deal_block(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """The set of each place of a block, and how many places of that set come before it in the block."""
        dealt = self._slots[
            permute(np.arange(len(self._slots)), len(self._slots), derive_key(self.seed, _MIXTURE, block))
        ]
        rank = np.empty_like(dealt)
        for i, count in enumerate(self._dealt.tolist()):
            rank[dealt == i] = np.arange(count)
        return dealt, rank

    def batch(self, cursor: int, count: int) -> np.ndarray:
        """Tokens int64 [count, context + 1]. Raises TrainingError naming the folder when a token is out of range."""
        out = np.empty((count, self.context + 1), np.int64)
        for row, (split, start) in zip(out, self._places(cursor, count)):
            split.read(start, row)
        check_range(out, self.vocabulary, ", ".join(str(s.folder) for s in self.splits))
        return out

    def documents(self, cursor: int, count: int) -> np.ndarray:
        """The document of each input of ``batch(cursor, count)``: int32 [count, context], from 0 in each row."""
        out = np.zeros((count, self.context), np.int32)
        for row, (split, start) in zip(out, self._places(cursor, count)):
            split.mark_documents(start, row)
        return out.cumsum(1, dtype=np.int32, out=out)

    def _places(self, cursor: int, count: int) -> Iterator[tuple[Split, int]]:
        chosen, samples, _ = self.locate(np.arange(cursor, cursor + count, dtype=np.int64))
        for which, start in zip(chosen.tolist(), (samples * self.context).tolist()):
            yield self.splits[which], start


def in_order(
    split: Split, context: int, batch: int, most_tokens: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """A split from front to back, for validation: (place of the first token, tokens int64 [≤ batch, context + 1]).

    The last sample is cut where the stream ends, as a batch of its own, so that every token is predicted once (but the
    first). ``most_tokens`` stops early, at a whole sample.
    """
    samples = split.samples(context)
    rest = max(0, split.tokens - 1 - samples * context)
    if most_tokens is not None and most_tokens < split.tokens:
        samples, rest = min(samples, max(1, most_tokens // context)), 0 if samples else rest
    for first in range(0, samples, batch):
        out = np.empty((min(batch, samples - first), context + 1), np.int64)
        for i, row in enumerate(out):
            split.read((first + i) * context, row)
        yield first * context, out
    if rest:
        tail = np.empty((1, rest + 1), np.int64)
        split.read(samples * context, tail[0])
        yield samples * context, tail


def prefetch(make: Callable[[int], T], first: int, last: int, ahead: int = _AHEAD) -> Iterator[T]:
    """``make(i)`` for i in [first, last), in a thread that works up to ``ahead`` before the caller."""
    with ThreadPoolExecutor(1, "loader") as pool:
        waiting: deque[Future[T]] = deque(pool.submit(make, i) for i in range(first, min(first + ahead, last)))
        try:
            for i in range(first + ahead, last + ahead):
                current = waiting.popleft().result()
                if i < last:
                    waiting.append(pool.submit(make, i))
                yield current
        finally:
            for future in waiting:
                future.cancel()
