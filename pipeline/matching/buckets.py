"""Signature files → who stands in which bucket, by hash partition; and buckets → pairs with their centres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from dedup.candidates import (
    CERTAIN,
    Memberships,
    Pairs,
    first_pairs,
    merged,
    next_pairs,
    outside_pairs,
    partition_of,
)
from dedup.matching import memberships
from dedup.radix_kernels import sort_by
from dedup.signature_files import matrix
from pipeline import progress
from pipeline.arrays import vector
from pipeline.job import telling_errors
from pipeline.matching.messages import pack, unpack
from pipeline.matching.question import Question

# Documents whose buckets go out together: a message to each partition, which is to be worth its envelope, out of what
# a worker can hold, 0.25 GB at 15 buckets each.
_FEWEST_TOGETHER, _MOST_TOGETHER, _DOCUMENTS_A_PARTITION = 1 << 17, 1 << 20, 64
_OF_WORDS = ("content", "normalised", "words")
WAITING = "waiting"

Rows = tuple[np.ndarray, np.ndarray]  # keys and buckets, uint64 [m] each


class Source(NamedTuple):
    """Some signature files of one corpus: its number (0 is this one) and numbers of parts."""

    corpus: int
    parts: tuple[int, ...]


class Address(NamedTuple):
    """What a message of buckets is about: a corpus, and whether the buckets are addresses."""

    corpus: int
    urls: bool


def sources(question: Question) -> list[Source]:
    """All signature files, in as many pieces as keep the workers busy and the messages few."""
    found = []
    for number, groups in enumerate(question.left_groups):
        pieces = min(len(groups.parts), 16 * question.partitions)
        found += [Source(number, tuple(part.tolist())) for part in np.array_split(groups.parts, max(1, pieces))]
    return found


class ToPartitions(beam.DoFn):
    """Signature files → (partition, who stands in which of its buckets)."""

    def __init__(self, question: Question):
        self._question = question

    def process(self, source: Source) -> Iterator[tuple[int, tuple[Address, bytes]]]:
        with telling_errors():
            held: dict[bool, list[Rows]] = {False: [], True: []}
            documents, together = 0, documents_together(self._question.partitions)
            for part in source.parts:
                for batch in self._question.corpora[source.corpus].batches(part, [*_OF_WORDS, "url", "minima"]):
                    keys, urls = vector(batch["key"]), vector(batch["url"])
                    content, normalised, words = (vector(batch[column]) for column in _OF_WORDS)
                    minima, banding = matrix(batch["minima"]), self._question.banding
                    held[False].append(memberships(keys, content, normalised, words, minima, banding))
                    if self._question.urls:
                        held[True].append((keys[urls > 0], urls[urls > 0]))
                    documents += len(keys)
                    progress.advance(len(keys))
                    if documents >= together:
                        yield from self._messages(source.corpus, held)
                        held, documents = {False: [], True: []}, 0
            yield from self._messages(source.corpus, held)

    def _messages(self, corpus: int, held: dict[bool, list[Rows]]) -> Iterator[tuple[int, tuple[Address, bytes]]]:
        for urls, rows in held.items():
            if rows:
                keys, buckets = sort_by(*_together(rows))  # ascending keys pack to next to nothing
                places = partition_of(buckets, self._question.partitions)
                for partition, columns in split(places, keys, buckets):
                    yield partition, (Address(corpus, urls), pack(*columns))


class FirstPairs(beam.DoFn):
    """All buckets of a partition → (left group, pairs of documents with their centres)."""

    def __init__(self, question: Question):
        self._question = question

    def process(self, element: tuple[int, Iterable[tuple[Address, bytes]]]) -> Iterator[tuple[int, bytes]]:
        question = self._question
        held: dict[Address, list[Rows]] = {}
        for address, message in element[1]:
            keys, buckets = unpack(message)
            held.setdefault(Address(*address), []).append((keys, buckets))
        rows = {address: _together(some) for address, some in held.items()}
        found = []
        for urls in (False, True):
            if Address(0, urls) in rows:
                pairs = first_pairs(*rows[Address(0, urls)], levels=question.levels)
                found.append(_certain(pairs) if urls else pairs)
        if found:
            pairs = Pairs(*map(np.concatenate, zip(*found, strict=True)))
            del found
            yield from to_left_groups(pairs, question)
        for corpus in range(1, len(question.corpora)):
            yield from self._outside(corpus, rows)

    def _outside(self, corpus: int, rows: dict[Address, Rows]) -> Iterator[tuple[int, bytes]]:
        question = self._question
        for urls in (False, True):
            if Address(0, urls) in rows and Address(corpus, urls) in rows:
                keys, buckets = rows[Address(0, urls)]
                here = question.wanted(keys)
                tries = 1 if urls else question.passes
                other, own = outside_pairs(keys[here], buckets[here], *rows[Address(corpus, urls)], tries)
                pairs = Pairs(other, own, np.zeros(len(own), np.uint8), np.zeros_like(own))
                yield from to_left_groups(_certain(pairs) if urls else pairs, question, corpus)


class NextPairs(beam.DoFn):
    """All who were put back into the buckets of a partition → (left group, pairs); those that wait, as they came."""

    def __init__(self, question: Question):
        self._question = question

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[object]:
        back = Memberships(*map(np.concatenate, zip(*(unpack(message) for message in element[1]), strict=True)))
        pairs, waiting = next_pairs(back)
        yield from to_left_groups(pairs, self._question)
        if len(waiting.keys):
            yield beam.pvalue.TaggedOutput(WAITING, (element[0], pack(*waiting)))


def documents_together(partitions: int) -> int:
    """Documents whose buckets go out together."""
    return min(_MOST_TOGETHER, max(_FEWEST_TOGETHER, _DOCUMENTS_A_PARTITION * partitions))


def to_left_groups(pairs: Pairs, question: Question, corpus: int = 0) -> Iterator[tuple[int, bytes]]:
    """The distinct pairs that are wanted, by the group of their left document; of another corpus, by its groups."""
    pairs = merged(pairs.chosen(question.wanted(pairs.right)))
    places = question.left_groups[corpus].of(pairs.left)
    for group, columns in split(places, *pairs):
        yield corpus << 32 | group, pack(*columns)


def to_partitions(back: Memberships, question: Question) -> Iterator[tuple[int, bytes]]:
    """Who was put back, by partition."""
    for partition, columns in split(partition_of(back.buckets, question.partitions), *back):
        yield partition, pack(*columns)


def split(places: np.ndarray, *columns: np.ndarray) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """Splits columns by place, in order of places; order within a place is kept."""
    if not len(places):  # which np.split would take for one place
        return
    order = np.argsort(places, kind="stable")
    distinct, starts = np.unique(places[order], return_index=True)
    columns = tuple(column[order] for column in columns)
    for place, start, stop in zip(distinct.tolist(), starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        yield place, tuple(column[start:stop] for column in columns)


def _together(some: list[Rows]) -> Rows:
    keys, buckets = map(np.concatenate, zip(*some, strict=True))
    return keys, buckets


def _certain(pairs: Pairs) -> Pairs:
    return pairs._replace(levels=pairs.levels | np.uint8(CERTAIN))
