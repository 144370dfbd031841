"""Training samples out of memory-mapped token shards.

The shards of a split are one virtual stream of tokens, documents one after the other with their end token between
them. Sample i is ``tokens[i·context : (i+1)·context + 1]``: inputs and, shifted by one, targets. The order in which
samples are read is a keyed permutation of i, epoch by epoch, so the whole state of the loader is one integer, the
number of samples read: resuming is exact, takes no time, and does not depend on workers, ranks or batch size. Nothing
is indexed at start and nothing is copied but the samples themselves.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from tokenizer.shards import INDEX_NAME, open_shard, read_index
from training.config import ShardSet
from training.errors import TrainingError
from training.permutation import derive_key, permute

T = TypeVar("T")

_ORDER, _MIXTURE = 1, 2  # purposes of derived keys
_SLOTS = 4096  # a mixture's shares are exact over each run of this many samples


@dataclass(frozen=True)
class Split:
    """One split of one folder of shards, opened.

    ``batches`` are the record batches of its files in order; ``segments`` their tokens, uint32 views into the mapped
    files; ``starts`` int64 [segments + 1], where each begins in the stream.
    """

    folder: Path
    name: str
    tokenizer: str
    vocabulary: int
    begin_token: int | None
    end_token: int | None
    fingerprint: str
    batches: list[pa.RecordBatch] = field(repr=False)
    files: list[str] = field(repr=False)  # of each batch, for messages
    segments: list[np.ndarray] = field(repr=False)
    starts: np.ndarray = field(repr=False)

    @property
    def tokens(self) -> int:
        """Tokens in the split."""
        return int(self.starts[-1])

    def samples(self, context: int) -> int:
        """Whole samples of a context length; each needs one token more than it has inputs, shared with the next."""
        return max(0, (self.tokens - 1) // context)

    def read(self, start: int, out: np.ndarray) -> None:
        """Copies ``tokens[start : start + len(out)]`` of the stream into ``out``."""
        filled, segment = 0, int(np.searchsorted(self.starts, start, "right")) - 1
        while filled < len(out):
            offset = start + filled - int(self.starts[segment])
            piece = self.segments[segment][offset : offset + len(out) - filled]
            out[filled : filled + len(piece)] = piece
            filled, segment = filled + len(piece), segment + 1

    def sources(self, start: int, stop: int, names: list[str]) -> np.ndarray:
        """The source of each token of ``[start, stop)`` as int32 indices into ``names``, which grows as needed."""
        out = np.empty(stop - start, np.int32)
        segment = int(np.searchsorted(self.starts, start, "right")) - 1
        while start < stop:
            base = int(self.starts[segment])
            end = min(stop, int(self.starts[segment + 1]))
            batch = self.batches[segment]
            offsets = batch.column("tokens").offsets.to_numpy()
            column = batch.column("source")
            codes = np.array([_index_of(names, name) for name in column.dictionary.to_pylist()], np.int32)
            document = np.searchsorted(offsets - offsets[0], np.arange(start - base, end - base), "right") - 1
            out[len(out) - (stop - start) : len(out) - (stop - end)] = codes[column.indices.to_numpy()[document]]
            start, segment = end, segment + 1
        return out


def open_split(folder: Path | str, split: str = "train", verify: bool = False) -> Split:
    """Maps the files of one split; checks their tokenizer and number of tokens, and their checksums when ``verify``.

    Raises TrainingError for a missing or damaged file, naming it. A split that is absent from the index is empty.
    """
    folder = Path(folder)
    index = _index(folder)
    entries = index["splits"].get(split, {}).get("files", [])
    batches: list[pa.RecordBatch] = []
    files: list[str] = []
    segments: list[np.ndarray] = []
    for entry in entries:
        path = folder / entry["path"]
        if verify and _sha256(path) != entry["sha256"]:
            raise TrainingError(f"{path} does not match its checksum in shards.json: copy or write the shards anew")
        try:
            table = open_shard(path)
            part = table.to_batches()
            views = [batch.column("tokens").flatten().to_numpy(zero_copy_only=True) for batch in part]
        except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
            raise TrainingError(f"{path} cannot be read as a token shard ({error}): write the shards anew") from None
        made_with = (table.schema.metadata or {}).get(b"gristmill.tokenizer", b"").decode()
        if made_with not in ("", index["tokenizer"]):
            raise TrainingError(
                f"{path} was written with tokenizer {made_with[:12]}, shards.json says {index['tokenizer'][:12]}: "
                "files of two runs are mixed in this folder; write the shards anew"
            )
        if sum(map(len, views)) != entry["tokens"]:
            raise TrainingError(
                f"{path} holds {sum(map(len, views))} tokens, shards.json says {entry['tokens']}: write the shards anew"
            )
        for batch, view in zip(part, views, strict=True):
            if len(view):
                batches.append(batch)
                files.append(entry["path"])
                segments.append(view)
    starts = np.concatenate([[0], np.cumsum([len(s) for s in segments], dtype=np.int64)]).astype(np.int64)
    facts = [index["tokenizer"], split, [(e["path"], e["tokens"], e["sha256"]) for e in entries]]
    return Split(
        folder=folder, name=split, tokenizer=index["tokenizer"], vocabulary=int(index["vocabulary"]),
        begin_token=index.get("begin"), end_token=index.get("end"),
        fingerprint=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        batches=batches, files=files, segments=segments, starts=starts,
    )  # fmt: skip


def _index(folder: Path) -> dict[str, Any]:
    """``shards.json``, or a TrainingError with the folder that was probably meant."""
    try:
        return read_index(folder)
    except FileNotFoundError:
        nested = folder / "shards"
        hint = f"; did you mean {nested}?" if (nested / INDEX_NAME).is_file() else ""
        raise TrainingError(f"data.shards: there is no {INDEX_NAME} in {folder}{hint}") from None
    except (OSError, ValueError) as error:
        raise TrainingError(f"data.shards: {error}") from None


def open_sets(sets: Sequence[ShardSet], split: str, verify: bool = False) -> list[Split]:
    """Opens one split of every folder of a mixture; raises TrainingError when their tokenizers differ."""
    opened = [open_split(entry.path, split, verify) for entry in sets]
    for other in opened[1:]:
        if other.tokenizer != opened[0].tokenizer:
            raise TrainingError(
                f"data.shards: {other.folder} was written with tokenizer {other.tokenizer[:12]}, {opened[0].folder} "
                f"with {opened[0].tokenizer[:12]}; tokenize both with one tokenizer"
            )
    return opened


def check_tokens(splits: Sequence[Split], vocabulary: int, thorough: bool = False) -> None:
    """Refuses shards with tokens that the model has no row for.

    Looks at the vocabulary in the index and at the first tokens of every file; at every token when ``thorough``.
    """
    for split in splits:
        if split.vocabulary > vocabulary:
            raise TrainingError(
                f"model.vocabulary: {vocabulary} is smaller than the {split.vocabulary} entries of the shards in "
                f"{split.folder}; set it to {split.vocabulary} or leave it null"
            )
        for name, tokens in zip(split.files, split.segments, strict=True):
            _check_range(tokens if thorough else tokens[:65536], vocabulary, f"{split.folder / name}")


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
        chosen, samples, _ = self.locate(np.arange(cursor, cursor + count, dtype=np.int64))
        out = np.empty((count, self.context + 1), np.int64)
        for row, which, sample in zip(out, chosen.tolist(), samples.tolist(), strict=True):
            self.splits[which].read(sample * self.context, row)
        _check_range(out, self.vocabulary, ", ".join(str(s.folder) for s in self.splits))
        return out


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


def prefetch(make: Callable[[int], T], first: int, last: int) -> Iterator[T]:
    """``make(i)`` for i in [first, last), each computed in a thread while the caller works on the one before."""
    with ThreadPoolExecutor(1, "loader") as pool:
        following = pool.submit(make, first) if first < last else None
        for i in range(first, last):
            assert following is not None
            current = following.result()
            following = pool.submit(make, i + 1) if i + 1 < last else None
            yield current


def _index_of(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def _check_range(tokens: np.ndarray, vocabulary: int, where: str) -> None:
    largest = int(tokens.max()) if tokens.size else 0
    if largest >= vocabulary:
        raise TrainingError(
            f"{where} holds token {largest}, model.vocabulary is {vocabulary}: the shards are damaged or were written "
            "with another tokenizer"
        )


def _sha256(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}): write the shards anew") from None


def _digest(file: Any) -> str:
    digest = hashlib.sha256()  # Python 3.10 has no file_digest
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
