"""The state of BPE training, and its generations.

A generation watches the pairs that occur often enough to come next, as many as have their positions in a bounded share
of memory, and merges until none of them is left; then the text is closed up, one cell a token, and the next generation
watches rarer ones. What a generation watches decides speed and memory and nothing else: a pair's total never rises, so
one that is not watched cannot be next before all that are have fallen below the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_buffers
from tokenizer.merge_kernels import (
    HEAP,
    NEIGHBOUR_COLUMNS,
    NO_PAIRS,
    PAIRS,
    PAIRS_FULL,
    POSITIONS_FULL,
    Heap,
    Scratch,
    drop_next,
    fill_heap,
    merge_steps,
    next_pair,
)
from tokenizer.pair_kernels import (
    WALL,
    Layout,
    Pairs,
    close_up,
    fill_slots,
    list_positions,
    place_pieces,
    sketch_totals,
    tally_pairs,
)
from tokenizer.replay_kernels import replay_merges

LARGEST = 2**63 - 1
_NARROW_TOKENS = 1 << 15  # as many ids fit into the 16-bit cells that training begins with
_SPARE_POSITIONS = 1 << 26  # positions that may be listed however small the text
_ROOM = 1 << 25  # for positions of pairs made later, where half as many as are listed are fewer
_POSITIONS_SHARE = 4  # else one in so many cells
_WATCHED = 1 << 20  # pairs to begin a generation with, by the sketch of their totals
_SKETCH_BITS = 16, 24
_RARER = 8  # how many times rarer the pairs of the next generation may be
_FEWER_THAN_PIECES = 4  # the first threshold: pieces of the text for each merge, divided by this


class CountBatches(Protocol):
    """Counts that are read twice, batch by batch, such as ``counts.CountFile``."""

    schema: pa.Schema

    def batches(self) -> Iterable[pa.RecordBatch]:
        """The rows: ``piece`` (large_binary) and ``count`` (int64)."""


class Generation(NamedTuple):
    """What is watched: the pairs that occur at least ``threshold`` times."""

    threshold: int
    pairs: Pairs
    positions: np.ndarray  # uint32 or int64, cells of the pairs, ascending within each
    heap: Heap
    in_use: np.ndarray  # int64 [3]: pairs, positions, entries of the heap


class Training:
    """Merges on their way. ``merged`` int32 [wanted, 2] and ``merged_counts`` int64 [wanted] hold ``done`` of them."""

    def __init__(
        self,
        counts: pa.Table | CountBatches,
        wanted: int,
        minimum_count: int,
        longest: int,
        base: tuple[np.ndarray, np.ndarray],
        byte_ids: np.ndarray,
    ):
        base_pairs, base_counts = base
        self.done = len(base_pairs)
        self.merged = np.empty((wanted, 2), np.int32)
        self.merged_counts = np.empty(wanted, np.int64)
        self.merged[: self.done] = base_pairs
        self.merged_counts[: self.done] = base_counts
        self._minimum, self._longest = minimum_count, longest
        tokens = 256 + wanted
        self._sizes = np.ones(tokens, np.int32)
        for token, (left, right) in enumerate(base_pairs.tolist(), 256):
            self._sizes[token] = self._sizes[left] + self._sizes[right]
        self._spans = self._sizes.copy()
        self._scratch = Scratch(np.zeros((tokens, NEIGHBOUR_COLUMNS), np.int64), np.empty((4, tokens), np.int32))
        self._symbols, self._range_end, self._range_count, pieces = laid_out(
            counts, byte_ids, np.int16 if self.done <= _NARROW_TOKENS - 256 else np.int32
        )
        if self.done:
            replay(self._symbols, self._spans, base_pairs)
        guess = int(pieces / max(wanted - self.done, 1) / _FEWER_THAN_PIECES)
        self._generation: Generation | None = self._next_generation(guess)

    @property
    def token_bytes(self) -> int:
        """Bytes of all tokens so far together."""
        return int(self._sizes[: 256 + self.done].sum(dtype=np.int64))

    def advance(self, limit: int, may_make: Callable[[int, int], bool] | None = None) -> bool:
        """Merges until ``limit`` are done; False when no pair is left before that."""
        while self.done < limit:
            now = self._generation
            if now is None:
                return False
            narrow_end = _NARROW_TOKENS - 256 if self._symbols.dtype == np.int16 else LARGEST
            if self.done == narrow_end:
                self._generation = now = None
                self._generation = self._next_generation(self._threshold, widen=True)
                continue
            stop = min(limit, narrow_end)
            if may_make is not None:
                stop = self.done + 1
                pair = next_pair(now.pairs, now.heap, now.in_use, now.threshold)
                if pair >= 0 and not may_make(int(now.pairs.left[pair]), int(now.pairs.right[pair])):
                    drop_next(now.heap, now.in_use)
                    continue
            layout = Layout(self._symbols, self._spans, self._sizes, self._range_end, self._range_count)
            self.done, status = merge_steps(
                layout, now.pairs, now.positions, now.heap, self._scratch, now.in_use, now.threshold, self._longest,
                self.merged, self.merged_counts, self.done, stop,
            )  # fmt: skip
            if status == PAIRS_FULL:
                self._generation = _with_more_pairs(now, 2 * self.done + 1024)
            elif status == POSITIONS_FULL or (status == NO_PAIRS and self._threshold > self._minimum):
                rarer = 1 if status == POSITIONS_FULL else _RARER
                self._generation = now = None  # frees it before the next one is made
                self._generation = self._next_generation(self._threshold // rarer)
            elif status == NO_PAIRS:
                self._generation = None
        return True

    def _next_generation(self, guess: int, widen: bool = False) -> Generation | None:
        """Watches the pairs that occur at least about ``guess`` times; None when no pair is left at all."""
        self._close_up(widen)
        symbols, spans, ends, counts = self._symbols, self._spans, self._range_end, self._range_count
        if self.done:
            bits = min(max(int(len(symbols) // 8).bit_length(), _SKETCH_BITS[0]), _SKETCH_BITS[1])
            sketch = np.zeros(1 << bits, np.int64)
            sketch_totals(symbols, spans, ends, counts, sketch)
        else:
            sketch = np.full(1, LARGEST)  # of bytes there are no more than 65,536 pairs
        threshold = max(min(guess, int(sketch.max())), self._minimum)
        if len(sketch) > _WATCHED:
            threshold = max(threshold, int(np.partition(sketch, -_WATCHED)[-_WATCHED]))
        while True:
            left, right, total, length, beyond = tally_pairs(
                symbols, spans, self._sizes, ends, counts, self._longest, sketch, threshold
            )
            if beyond:
                raise ValueError(
                    "counts of the pieces add up to more than 2^63 for one pair: count less text, or weigh it less"
                )
            top = int(total.max(initial=0))
            if top >= threshold:
                break
            if threshold == self._minimum:
                return None
            threshold = max(self._minimum, threshold // _RARER)
        del sketch
        threshold = max(threshold, _affordable(total, length, max(len(symbols) // _POSITIONS_SHARE, _SPARE_POSITIONS)))
        chosen = total >= threshold
        left, right, total, length = left[chosen], right[chosen], total[chosen], length[chosen]
        self._threshold = threshold
        found, entries = len(left), int(length.sum())
        start = np.cumsum(length) - length
        room = entries + max(entries // 2, 2 * int(length.max()), min(2 * entries, _ROOM))
        positions = np.empty(room, np.uint32 if len(symbols) < 2**32 else np.int64)
        pairs = Pairs(left, right, total, start, np.zeros(found, np.int64), np.empty(0, np.int32))
        heap = Heap(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int32))
        generation = Generation(threshold, pairs, positions, heap, np.array([found, entries, 0], np.int64))
        generation = _with_more_pairs(generation, found + 4096)
        pairs, heap = generation.pairs, generation.heap
        list_positions(symbols, spans, pairs.left, pairs.right, pairs.slots, pairs.start, pairs.length, positions)
        fill_heap(pairs.left, pairs.right, pairs.total, heap.total, heap.key, heap.pair, found)
        generation.in_use[HEAP] = found
        return generation

    def _close_up(self, widen: bool) -> None:
        """Moves the tokens together, into wider cells where asked, and forgets counts of which no piece is left."""
        cells = close_up(self._symbols, self._spans, self._range_end)
        self._spans[: 256 + self.done] = 1
        self._symbols.resize(cells, refcheck=False)
        if widen:
            self._symbols = self._symbols.astype(np.int32)
        filled = np.diff(self._range_end, prepend=1) > 0
        self._range_end, self._range_count = self._range_end[filled], self._range_count[filled]


def _affordable(total: np.ndarray, length: np.ndarray, positions: int) -> int:
    """The least total that can be watched when all pairs of that total or more may have ``positions`` together."""
    order = np.argsort(total)[::-1]
    fits = int(np.searchsorted(np.cumsum(length[order]), positions, "right"))
    if fits == len(order):
        return 0
    return int(total[order[0]] if total[order[fits]] == total[order[0]] else total[order[fits]] + 1)


def _with_more_pairs(now: Generation, more: int) -> Generation:
    """The same with room for more pairs."""
    used = int(now.in_use[PAIRS])
    size = used + max(more, used)

    def grown(array: np.ndarray) -> np.ndarray:
        out = np.empty(size, array.dtype)
        out[: len(array)] = array[:size]
        return out

    slots = np.zeros(1 << int(2 * size - 1).bit_length(), np.int32)
    fill_slots(now.pairs.left, now.pairs.right, used, slots)
    pairs = Pairs(*map(grown, now.pairs))._replace(slots=slots)
    return now._replace(pairs=pairs, heap=Heap(*map(grown, now.heap)))


def replay(symbols: np.ndarray, spans: np.ndarray, pairs: np.ndarray) -> None:
    """Applies merges to pieces that are laid out as bytes, in place."""
    left, right = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    slots = np.zeros(1 << int(2 * len(pairs)).bit_length(), np.int32)
    fill_slots(left, right, len(left), slots)
    replay_merges(symbols, spans, left, right, slots)


def laid_out(
    counts: pa.Table | CountBatches, byte_ids: np.ndarray, cells: type[np.signedinteger]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Lays pieces out as bytes, in order of their counts; those that have no pair are left out.

    Returns:
        ``symbols``, ``range_end`` and ``range_count`` of ``pair_kernels.Layout``, and the sum of the counts.

    Raises:
        ValueError: a count is negative.
    """
    distinct, cells_of = np.empty(0, np.int64), np.empty(0, np.int64)
    pieces = 0.0
    for _, offsets, batch in _arrays_of(counts):
        if len(batch) and batch.min() < 0:
            raise ValueError(f"count {batch.min()} of a piece is negative: count the documents again")
        lengths = np.diff(offsets)
        longer = (lengths > 1) & (batch > 0)
        distinct, where = np.unique(np.concatenate([distinct, batch[longer]]), return_inverse=True)
        weights = np.concatenate([cells_of, lengths[longer] + 1])
        cells_of = np.zeros(len(distinct), np.int64)
        np.add.at(cells_of, where, weights)
        pieces += float(batch[longer].sum(dtype=np.float64))
    range_count = distinct[::-1].copy()
    range_end = 1 + np.cumsum(cells_of[::-1])
    cursor = np.concatenate([[1], range_end[:-1]]).astype(np.int64)[: len(range_count)]
    symbols = np.full(int(range_end[-1]) if len(range_end) else 1, WALL, cells)
    for data, offsets, batch in _arrays_of(counts):
        place_pieces(data, offsets, batch, range_count, cursor, symbols, byte_ids)
    return symbols, range_end, range_count, pieces


def _arrays_of(counts: pa.Table | CountBatches) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for batch in counts.to_batches() if isinstance(counts, pa.Table) else counts.batches():
        data, offsets = text_buffers(batch["piece"].cast(pa.large_binary()).view(pa.large_string()))
        yield data, offsets, np.ascontiguousarray(batch["count"].to_numpy(zero_copy_only=False), np.int64)
