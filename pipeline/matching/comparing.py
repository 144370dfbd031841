"""Pairs → the pairs that resemble each other: left documents travel, cut to digests, to where the right ones lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from dedup.candidates import Pairs, merged, neighbour_pairs
from dedup.digests import equal_values
from dedup.judging import Compared, alike, nearest, put_back
from dedup.shingles import ShingleSets, exact_jaccard_of_rows
from pipeline.corpus import part_of
from pipeline.job import telling_errors
from pipeline.matching.buckets import split, to_left_groups, to_partitions
from pipeline.matching.messages import pack, unpack
from pipeline.matching.question import Question
from pipeline.matching.results import Result, result, together

AGAIN, BACK = "again", "back"
SAMPLES_A_PART = 5
_PAIRS_A_MESSAGE = 1 << 16  # at most 15 MB of digests of 112 values
_DOCUMENTS_A_READ = {"estimate": 1 << 18, "exact": 1 << 14}  # whose digests, or shingles, are read at once


class WithLeft(beam.DoFn):
    """Pairs of one left group → the same, distinct, by right group, with the digests of their left documents.

    A document that is the centre of many travels once a message. For ``verify: exact`` its shingles travel too.
    """

    def __init__(self, question: Question):
        self._question = question

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, tuple[int, bytes]]]:
        corpus, question = element[0] >> 32, self._question
        columns = [unpack(message) for message in element[1]]
        pairs = merged(Pairs(*map(np.concatenate, zip(*columns, strict=True))))
        del columns
        with telling_errors():
            for block in _blocks(pairs, _DOCUMENTS_A_READ[question.verify]):
                left = _Left.read(np.unique(block.left), question, corpus)
                for group, some in split(question.groups.of(block.right), *block):
                    for start in range(0, len(some[0]), _PAIRS_A_MESSAGE):
                        chunk = Pairs(*(column[start : start + _PAIRS_A_MESSAGE] for column in some))
                        yield group, (corpus, left.message(chunk))


class Verify(beam.DoFn):
    """Pairs of one right group with their left documents → results; refused ones as pairs and memberships to try next.

    ``number`` is that of the pass, from 1.
    """

    def __init__(self, question: Question, number: int):
        self._question, self._number = question, number

    def process(self, element: tuple[int, Iterable[tuple[int, bytes]]]) -> Iterator[object]:
        group, messages = element
        found = []
        with telling_errors():
            arrived = [(corpus, _Arrived(*unpack(message))) for corpus, message in messages]
            keys = np.unique(np.concatenate([each.right for _, each in arrived]))
            right = self._question.own.digests_of(keys)
            shingles = self._question.own.shingles_of(keys) if self._question.verify == "exact" else None
            while arrived:
                corpus, each = arrived.pop()
                rows = np.searchsorted(keys, each.right)
                if corpus:
                    found.append(self._outside(corpus, each, right, rows))
                else:
                    compared = self._compared(each, right, rows, shingles)
                    found.append(self._result(compared))
                    if self._number < self._question.passes:
                        refused = compared.pairs.chosen(~alike(compared, self._question.min_jaccard))
                        for message in to_left_groups(neighbour_pairs(refused), self._question):
                            yield beam.pvalue.TaggedOutput(AGAIN, message)
                        for message in to_partitions(found[-1].back, self._question):
                            yield beam.pvalue.TaggedOutput(BACK, message)
        yield group, together(found).packed()

    def _compared(self, each: _Arrived, right: np.ndarray, rows: np.ndarray, shingles: ShingleSets | None) -> Compared:
        pairs = Pairs(each.left[each.rows], each.right, each.levels, each.before)
        if shingles is None:
            values = right.shape[1]
            jaccard = equal_values(each.digests, each.rows, right, rows, values) / values
        else:
            left = ShingleSets(each.shingles, each.offsets)
            jaccard = exact_jaccard_of_rows(left, each.rows, shingles, rows)
        return Compared(pairs, jaccard, each.digests, each.rows, right, rows)

    def _result(self, compared: Compared) -> Result:
        """The files' view of what was compared; who is put back is left out of the last pass, which nothing follows."""
        question, pairs = self._question, compared.pairs
        parts = part_of(pairs.right)
        joined = alike(compared, question.min_jaccard)
        distinct, place = np.unique(parts, return_inverse=True)
        refused = np.flatnonzero(~joined)
        chosen = nearest(pairs.chosen(refused), -compared.jaccard[refused], parts[refused], SAMPLES_A_PART)
        samples = refused[chosen]
        columns = {
            "left": pairs.left[joined],
            "right": pairs.right[joined],
            "jaccard": compared.jaccard[joined].astype(np.float32),
            "levels": pairs.levels[joined],
            "part": distinct,
            "candidates": np.bincount(place, minlength=len(distinct)),
            "accepted": np.bincount(place[joined], minlength=len(distinct)),
            "refused_left": pairs.left[samples],
            "refused_right": pairs.right[samples],
            "refused_jaccard": compared.jaccard[samples].astype(np.float32),
        }
        if self._number < question.passes:
            back, came_from = put_back(compared, ~joined, question.banding)
            columns |= {
                "buckets": back.buckets,
                "keys": back.keys,
                "back_levels": back.levels,
                "back_part": parts[came_from],
            }
        return result(self._number, **columns)

    def _outside(self, corpus: int, each: _Arrived, right: np.ndarray, rows: np.ndarray) -> Result:
        """Copies in another corpus, judged by signatures whatever ``verify`` says: nothing else is read there."""
        values = min(right.shape[1], each.digests.shape[1])
        jaccard = equal_values(each.digests, each.rows, right, rows, values) / values
        pairs = Pairs(each.left[each.rows], each.right, each.levels, each.before)
        joined = alike(Compared(pairs, jaccard, each.digests, each.rows, right, rows), self._question.min_jaccard)
        return result(
            self._number,
            own=pairs.right[joined],
            other=pairs.left[joined],
            corpus=np.full(int(joined.sum()), corpus - 1, np.uint16),
            outside_jaccard=jaccard[joined].astype(np.float32),
        )


class Unverified(beam.DoFn):
    """Pairs of one left group → results by right group, for ``verify: off``."""

    def __init__(self, question: Question):
        self._question = question

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        corpus, question = element[0] >> 32, self._question
        pairs = merged(Pairs(*map(np.concatenate, zip(*map(unpack, element[1]), strict=True))))
        for group, columns in split(question.groups.of(pairs.right), *pairs):
            some = Pairs(*columns)
            unknown = np.full(len(some.left), np.nan, np.float32)
            if corpus:
                where = np.full(len(some.left), corpus - 1, np.uint16)
                found = result(1, own=some.right, other=some.left, corpus=where, outside_jaccard=unknown)
            else:
                part, counts = np.unique(part_of(some.right), return_counts=True)
                found = result(
                    1,
                    left=some.left,
                    right=some.right,
                    jaccard=unknown,
                    levels=some.levels,
                    part=part,
                    candidates=counts,
                    accepted=counts,
                )
            yield group, found.packed()


class _Arrived(NamedTuple):
    """A message between ``WithLeft`` and ``Verify``.

    Attributes:
        left: uint64 [m], distinct keys; digests: uint16 [m, k]; shingles and offsets: their sets, for exact comparison.
        rows: int64 [p], the row in these of each pair; right, levels, before: of each pair.
    """

    left: np.ndarray
    digests: np.ndarray
    shingles: np.ndarray
    offsets: np.ndarray
    rows: np.ndarray
    right: np.ndarray
    levels: np.ndarray
    before: np.ndarray


class _Left(NamedTuple):
    """Left documents and what they are compared by."""

    keys: np.ndarray
    digests: np.ndarray
    sets: ShingleSets | None

    @staticmethod
    def read(keys: np.ndarray, question: Question, corpus: int) -> _Left:
        files = question.corpora[corpus]
        exact = question.verify == "exact" and corpus == 0
        return _Left(keys, files.digests_of(keys), files.shingles_of(keys) if exact else None)

    def message(self, pairs: Pairs) -> bytes:
        left, rows = np.unique(pairs.left, return_inverse=True)
        at = np.searchsorted(self.keys, left)
        sets = (
            _chosen_sets(self.sets, at)
            if self.sets is not None
            else ShingleSets(np.empty(0, np.uint64), np.zeros(1, np.int64))
        )
        return pack(*_Arrived(left, self.digests[at], *sets, rows, pairs.right, pairs.levels, pairs.before))


def _chosen_sets(sets: ShingleSets, rows: np.ndarray) -> ShingleSets:
    sizes = np.diff(sets.offsets)[rows]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    return ShingleSets(sets.shingles[np.repeat(sets.offsets[rows], sizes) + within], offsets)


def _blocks(pairs: Pairs, most: int) -> Iterator[Pairs]:
    """Cuts pairs, sorted by left, where a left part ends, into blocks of more than ``most`` left documents if need be.

    So each part is read once, and few messages are made of many small parts.
    """
    new = np.flatnonzero(np.diff(pairs.left, prepend=~pairs.left[:1]))  # a row for each left document
    parts = part_of(pairs.left[new])
    ends = np.append(np.flatnonzero(np.diff(parts)) + 1, len(new))  # documents up to the end of each part
    start = 0
    for end in ends.tolist():
        if end - start >= most or end == len(new):
            stop = new[end] if end < len(new) else len(pairs.left)
            yield pairs.chosen(slice(int(new[start]), int(stop)))
            start = end
