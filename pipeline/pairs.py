"""Pairs of copies on their way through a shuffle: out of the files of match, and the documents that stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from pipeline.arrays import vector
from pipeline.corpus import Corpus, part_number, part_of, part_path
from pipeline.job import telling_errors
from pipeline.matching.buckets import split
from pipeline.matching.groups import Groups, grouped
from pipeline.matching.messages import pack, unpack
from pipeline.parts import read_part

_ROWS_A_MESSAGE = 1 << 20
_DOCUMENTS_IN_A_GROUP = 10_000_000  # whose decisions, 21 bytes each, one worker holds

Message = tuple[int, bytes]  # to a partition or a group


def pair_files(corpus: Corpus) -> list[str]:
    """The files of pairs, one beside each part."""
    return [f"candidates/{receipt.task}.parquet" for receipt in corpus.receipts("candidates")]


def part_groups(corpus: Corpus) -> Groups:
    """Parts taken together, so that messages to them are few however many parts there are."""
    dumps = corpus.dumps()
    documents = {
        part_number(receipt.task, dumps): receipt.outcome.counts["documents"]
        for receipt in corpus.receipts("signatures")
    }
    for_memory = -(-sum(documents.values()) // _DOCUMENTS_IN_A_GROUP)
    return grouped(documents, max(corpus.config.dedup.partitions, for_memory))


def rows_by_part(keys: np.ndarray, corpus: Corpus) -> dict[str, np.ndarray]:
    """The rows of each part, by its name: int64 positions in ``keys`` (uint64 [n])."""
    dumps = corpus.dumps()
    return {part_path(part, dumps): rows for part, (rows,) in split(part_of(keys), np.arange(len(keys)))}


def messages(places: np.ndarray, *columns: np.ndarray) -> Iterator[Message]:
    """Rows of columns by their place (integers [n]), ascending, their order kept, in messages of bounded size."""
    for place, rows in split(places, *columns):
        for start in range(0, len(rows[0]), _ROWS_A_MESSAGE):
            yield place, pack(*(column[start : start + _ROWS_A_MESSAGE] for column in rows))


def join(packed: Iterable[bytes], *kinds: type) -> tuple[np.ndarray, ...]:
    """The columns of messages end to end; empty ones of these kinds where there is no message."""
    empty: tuple[np.ndarray, ...] = tuple(np.empty(0, kind) for kind in kinds)
    return tuple(np.concatenate(column) for column in zip(*[empty, *map(unpack, packed)], strict=True))


class ReadPairs(beam.DoFn):
    """Path of a file of pairs → (0, (left, right, orders)), a message a row group."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def process(self, path: str) -> Iterator[Message]:
        with telling_errors():
            for batch in read_part(self._corpus.path(path), ["left", "right", "orders"]):
                yield 0, pack(*(vector(batch[name]) for name in ("left", "right", "orders")))


class PairedDocuments(beam.DoFn):
    """(partition, pairs) → (part group, (partition, keys)): the documents in these pairs."""

    def __init__(self, groups: Groups):
        self._groups = groups

    def process(self, element: Message) -> Iterator[tuple[int, Any]]:
        partition, packed = element
        left, right, _ = unpack(packed)
        keys = np.union1d(left, right)
        for group, message in messages(self._groups.of(keys), keys):
            yield group, (partition, message)
