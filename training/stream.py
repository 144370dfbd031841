"""A split of a folder of token shards, opened as one stream of tokens: documents one after the other, as written.

Files are mapped, not read. Opening checks what costs nothing: that every file is there, has its size, is a whole Arrow
file, and was made by the tokenizer of the index. Checksums are compared when asked for: that reads everything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer.shard_index import INDEX_NAME, read_index
from tokenizer.shards import open_shard
from training.config import ShardSet, ValidationSet
from training.errors import TrainingError

_LOOKED_AT = 1 << 16  # tokens at the beginning of each file whose range is checked before the first step


@dataclass(frozen=True)
class Split:
    """One split of one folder of shards, opened.

    ``batches`` are the record batches of its files in order; ``segments`` their tokens, uint32 views into the mapped
    files, ``bounds`` int32 [documents + 1] where their documents begin among those; ``starts`` int64 [segments + 1],
    where each segment begins in the stream.
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
    bounds: list[np.ndarray] = field(repr=False)
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
        filled, segment = 0, int(self.starts.searchsorted(start, "right")) - 1
        offset = start - int(self.starts[segment])
        while filled < len(out):
            piece = self.segments[segment][offset : offset + len(out) - filled]
            out[filled : filled + len(piece)] = piece
            filled, segment, offset = filled + len(piece), segment + 1, 0

    def documents(self, start: int, stop: int) -> np.ndarray:
        """Numbers the documents of ``[start, stop)`` from 0: int32 [stop - start], one number a token."""
        marks = np.zeros(stop - start, np.int32)
        self.mark_documents(start, marks)
        return marks.cumsum(dtype=np.int32)

    def mark_documents(self, start: int, out: np.ndarray) -> None:
        """Sets to 1 each place of ``out``, which begins at ``start``, where a document begins; but the first place."""
        for place, _, bounds, first, last in self._parts(start, start + len(out)):
            inside = bounds[bounds.searchsorted(first) : bounds.searchsorted(last)]
            out[inside + (place - first)] = 1  # a document of no tokens begins where the next one does
        out[0] = 0

    def sources(self, start: int, stop: int, names: list[str]) -> np.ndarray:
        """The source of each token of ``[start, stop)`` as int32 indices into ``names``, which grows as needed."""
        out = np.empty(stop - start, np.int32)
        for place, segment, bounds, first, last in self._parts(start, stop):
            column = self.batches[segment].column("source")
            codes = np.array([_index_of(names, name) for name in column.dictionary.to_pylist()], np.int32)
            document = bounds.searchsorted(np.arange(first, last), "right") - 1
            out[place : place + last - first] = codes[column.indices.to_numpy()[document]]
        return out

    def _parts(self, start: int, stop: int) -> Iterator[tuple[int, int, np.ndarray, int, int]]:
        """The segments that ``[start, stop)`` touches: place in it, segment, bounds, first and last token of these."""
        segment, place = int(self.starts.searchsorted(start, "right")) - 1, 0
        while start + place < stop:
            base, end = int(self.starts[segment]), min(stop, int(self.starts[segment + 1]))
            yield place, segment, self.bounds[segment], start + place - base, end - base
            place, segment = end - start, segment + 1


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
    bounds: list[np.ndarray] = []
    for entry in entries:
        path = folder / entry["path"]
        size = path.stat().st_size if path.is_file() else entry["bytes"]
        if size != entry["bytes"]:
            raise TrainingError(f"{path} has {size} bytes instead of {entry['bytes']}: copy or write the shards anew")
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
                offsets = batch.column("tokens").offsets.to_numpy()
                bounds.append(offsets - offsets[0] if offsets[0] else offsets)
    starts = np.concatenate([[0], np.cumsum([len(s) for s in segments], dtype=np.int64)]).astype(np.int64)
    facts = [index["tokenizer"], split, [(e["path"], e["tokens"], e["sha256"]) for e in entries]]
    return Split(
        folder=folder, name=split, tokenizer=index["tokenizer"], vocabulary=int(index["vocabulary"]),
        begin_token=index.get("begin"), end_token=index.get("end"),
        fingerprint=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
        batches=batches, files=files, segments=segments, bounds=bounds, starts=starts,
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
        _same_tokenizer("data.shards", other, opened[0])
    return opened


def validation_sets(
    chosen: Sequence[ValidationSet] | None, training: Sequence[ShardSet], like: Split, verify: bool = False
) -> dict[str, Split]:
    """The sets to measure on, by name: those chosen, or the validation splits of the training folders that have one.

    Raises TrainingError when a chosen one has nothing to measure on or another tokenizer than ``like``.
    """
    entries = chosen if chosen is not None else [ValidationSet(path=entry.path) for entry in training]
    opened: dict[str, Split] = {}
    for entry in entries:
        split = open_split(entry.path, entry.split, verify)
        _same_tokenizer("validation.shards", split, like)
        if split.tokens > 1:
            opened[entry.name or unused_name(Path(entry.path), opened)] = split
        elif chosen is not None:
            raise TrainingError(f"validation.shards: the {entry.split} split in {entry.path} has no tokens to score")
    return opened


def unused_name(folder: Path, used: Mapping[str, Any]) -> str:
    """A folder's name, of ``corpus/shards`` the corpus's; the whole path where that is taken."""
    name = folder.parent.name if folder.name == "shards" and folder.parent.name else folder.name
    return str(folder) if name in used else name


def _same_tokenizer(key: str, other: Split, one: Split) -> None:
    if other.tokenizer != one.tokenizer:
        raise TrainingError(
            f"{key}: {other.folder} was written with tokenizer {other.tokenizer[:12]}, {one.folder} "
            f"with {one.tokenizer[:12]}; tokenize both with one tokenizer"
        )


def check_tokens(splits: Sequence[Split], vocabulary: int, thorough: bool = False) -> None:
    """Refuses shards with tokens that the model has no row for.

    Looks at the vocabulary in the index and at the first tokens of every file; at every token when ``thorough``. What
    is not looked at here is when it is read.
    """
    for split in splits:
        if split.vocabulary > vocabulary:
            raise TrainingError(
                f"model.vocabulary: {vocabulary} is smaller than the {split.vocabulary} entries of the shards in "
                f"{split.folder}; set it to {split.vocabulary} or leave it null"
            )
        before = None
        for name, tokens in zip(split.files, split.segments, strict=True):
            if thorough or name != before:
                check_range(tokens if thorough else tokens[:_LOOKED_AT], vocabulary, f"{split.folder / name}")
            before = name


def _index_of(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def check_range(tokens: np.ndarray, vocabulary: int, where: str) -> None:
    """Raises TrainingError naming ``where`` when a token has no row in a vocabulary."""
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
