"""Pairs of copies on their way through a shuffle: out of the files of match, and the documents that stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from pipeline.arrays import vector
from pipeline.corpus import FILE_BITS, Corpus, part_of, part_path
from pipeline.job import telling_errors
from pipeline.parts import read_part

_MOST_GROUPS = 1 << 10
_ROWS_A_MESSAGE = 1 << 20


class PartGroups:
    """Neighbouring parts taken together, so that messages to them are few however many parts there are."""

    def __init__(self, parts: Iterable[str], dumps: list[str]):
        index = {name: number for number, name in enumerate(dumps)}
        self._numbers = np.sort(np.array([_part_number(part, index) for part in parts], np.int64))
        self._dumps = dumps
        self._index = index

    def of_keys(self, keys: np.ndarray) -> np.ndarray:
        """The group of each document key: uint64 [n] to int64 [n]. All keys lie in one of the parts."""
        return self._of_numbers(part_of(keys))

    def of_part(self, part: str) -> int:
        """The group of a part."""
        return int(self._of_numbers(np.array([_part_number(part, self._index)]))[0])

    def by_part(self, keys: np.ndarray) -> dict[str, np.ndarray]:
        """The rows of each part: int64 positions in ``keys`` (uint64 [n])."""
        rows = np.arange(len(keys))
        return {part_path(number, self._dumps): found for number, (found,) in split(part_of(keys), rows)}

    def _of_numbers(self, numbers: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self._numbers, numbers)
        return places * min(len(self._numbers), _MOST_GROUPS) // max(len(self._numbers), 1)


def _part_number(part: str, dumps: dict[str, int]) -> int:
    dump, _, file = part.removeprefix("dump=").partition("/part-")
    return dumps[dump] << FILE_BITS | int(file)


def split(places: np.ndarray, *columns: np.ndarray) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """Rows of columns by their place (integers [n]), ascending, their order kept, in messages of bounded size."""
    if not len(places):
        return
    order = np.argsort(places, kind="stable")
    distinct, starts = np.unique(places[order], return_index=True)
    for place, rows in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
        for start in range(0, len(rows), _ROWS_A_MESSAGE):
            yield place, tuple(column[rows[start : start + _ROWS_A_MESSAGE]] for column in columns)


def join(messages: Iterable[tuple[np.ndarray, ...]], *kinds: type) -> tuple[np.ndarray, ...]:
    """The columns of messages end to end; empty ones of these kinds where there is no message."""
    columns = list(zip(*messages))
    if not columns:
        return tuple(np.empty(0, kind) for kind in kinds)
    return tuple(np.concatenate(column) for column in columns)


class ReadPairs(beam.DoFn):
    """Path of a file of pairs → (0, (left, right, orders)), a message a row group."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def process(self, path: str) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        with telling_errors():
            for batch in read_part(self._corpus.path(path)):
                orders = vector(batch["orders"]) if "orders" in batch.schema.names else np.ones(len(batch), np.uint8)
                yield 0, (vector(batch["left"]), vector(batch["right"]), orders)


class PairedDocuments(beam.DoFn):
    """(partition, pairs) → (part group, (partition, keys)): the documents in these pairs."""

    def __init__(self, groups: PartGroups):
        self._groups = groups

    def process(self, element: tuple[int, tuple[np.ndarray, ...]]) -> Iterator[tuple[int, Any]]:
        partition, (left, right, *_) = element
        keys = np.union1d(left, right)
        for group, (some,) in split(self._groups.of_keys(keys), keys):
            yield group, (partition, some)
