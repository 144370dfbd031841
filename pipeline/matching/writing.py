"""Results → files, one set beside each part; and what earlier runs left there of who was put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from dedup.candidates import Memberships, Pairs, distinct, orders_of
from dedup.judging import nearest
from pipeline import progress
from pipeline.arrays import vector
from pipeline.corpus import part_number, part_of
from pipeline.job import telling_errors
from pipeline.manifests import Outcome
from pipeline.matching.buckets import to_partitions
from pipeline.matching.comparing import SAMPLES_A_PART
from pipeline.matching.question import Question
from pipeline.matching.results import EMPTY, Result
from pipeline.parts import read_whole, write_part
from pipeline.storage import StoredFile

PAIRS = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("jaccard", pa.float32()), ("orders", pa.uint8())])
OUTSIDE = pa.schema([("key", pa.uint64()), ("index", pa.uint16()), ("other", pa.uint64()), ("jaccard", pa.float32())])
REFUSALS = pa.schema([("pass", pa.uint8()), ("level", pa.uint8()), ("bucket", pa.uint64()), ("key", pa.uint64())])


class Write(beam.DoFn):
    """All results of a group → the files of its pending parts, and their outcomes."""

    def __init__(self, question: Question):
        self._question = question

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        found = _Found([Result.unpacked(message) for message in element[1]["results"]])
        for names in element[1]["tasks"]:
            for name in names:
                with telling_errors():
                    outcome = self._write(name, found, part_number(name, self._question.own.dumps))
                progress.advance(tasks=1)
                yield name, outcome

    def _write(self, name: str, found: _Found, part: int) -> Outcome:
        question = self._question
        right, left, jaccard, levels = found.pairs.of(part)
        orders = orders_of(levels) & np.uint8(3 if question.both_orders else 1)
        files = [self._file(f"candidates/{name}.parquet", PAIRS, left, right, jaccard, orders)]
        if question.passes > 1:
            files.append(self._file(f"refusals/{name}.parquet", REFUSALS, *found.back.of(part)))
        others = len(question.corpora) - 1
        own, index, other, alike = found.outside.of(part)
        if others:
            files.append(self._file(f"outside/{name}.parquet", OUTSIDE, own, index, other, alike))
        number, candidates, accepted = found.counts.of(part)
        of_pass = [number == n for n in range(1, question.passes + 1)]
        passes = [[int(candidates[here].sum()), int(accepted[here].sum())] for here in of_pass]
        refused_left, refused_right, refused_jaccard = found.refused.of(part)
        verified = Pairs(left, right, levels, np.zeros_like(left)).chosen(jaccard >= question.min_jaccard)
        details = {
            "passes": passes,
            "accepted": _samples(verified, jaccard[jaccard >= question.min_jaccard]),
            "rejected": _samples(
                Pairs(refused_left, refused_right, np.zeros(len(refused_left), np.uint8), np.zeros_like(refused_left)),
                refused_jaccard,
                -1,
            ),
            "outside": [len(np.unique(own[index == i])) for i in range(others)],
        }
        rejected = sum(candidates - accepted for candidates, accepted in passes)
        return Outcome({"pairs_accepted": len(left), "pairs_rejected": rejected}, details, tuple(files))

    def _file(self, path: str, schema: pa.Schema, *columns: np.ndarray) -> StoredFile:
        corpus = self._question.own.corpus
        with write_part(corpus.path(path), schema) as (out, file):
            out.write(pa.record_batch([pa.array(column) for column in columns], schema=schema))
        return corpus.stored(file)


class Refusals(beam.DoFn):
    """Parts that are done → (partition, who was put back), tagged by the pass: ``after-1``, ``after-2``, …"""

    def __init__(self, question: Question):
        self._question = question

    def process(self, names: list[str]) -> Iterator[Any]:
        for name in names:
            with telling_errors():
                table = read_whole(self._question.own.corpus.path(f"refusals/{name}.parquet"))
            number, level, bucket, key = (vector(table[column]) for column in REFUSALS.names)
            for n in range(1, self._question.passes):
                here = number == n
                for message in to_partitions(Memberships(bucket[here], key[here], level[here]), self._question):
                    yield beam.pvalue.TaggedOutput(f"after-{n}", message)


class _Rows:
    """Columns sorted by part and then by themselves, first column first."""

    def __init__(self, parts: np.ndarray, *columns: np.ndarray):
        order = np.lexsort((*columns[::-1], parts))
        self._parts = parts[order]
        self._columns = [column[order] for column in columns]

    def of(self, part: int) -> tuple[np.ndarray, ...]:
        """The columns of a part."""
        start, stop = np.searchsorted(self._parts, [part, part + 1])
        return tuple(column[start:stop] for column in self._columns)


class _Found:
    """The results of a group by part."""

    def __init__(self, results: list[Result]):
        def column(name: str) -> np.ndarray:
            return np.concatenate([getattr(each, name) for each in [EMPTY, *results]])

        def numbers(name: str) -> np.ndarray:
            return np.concatenate([np.full(len(getattr(each, name)), each.number[0]) for each in [EMPTY, *results]])

        every = Pairs(column("left"), column("right"), column("levels"), column("left"))
        pairs, jaccard = distinct(every, column("jaccard"))
        self.pairs = _Rows(part_of(pairs.right), pairs.right, pairs.left, jaccard, pairs.levels)
        self.counts = _Rows(column("part"), numbers("part"), column("candidates"), column("accepted"))
        back = [numbers("back_part").astype(np.uint8), *(column(name) for name in ("back_levels", "buckets", "keys"))]
        self.back = _Rows(column("back_part"), *back)
        refused = [column(name) for name in ("refused_left", "refused_right", "refused_jaccard")]
        self.refused = _Rows(part_of(refused[1]), *refused)
        outside = [column(name) for name in ("own", "corpus", "other", "outside_jaccard")]
        self.outside = _Rows(part_of(outside[0]), *outside)


def _samples(pairs: Pairs, jaccard: np.ndarray, sign: int = 1) -> list[list[Any]]:
    """The few pairs of a part that are least alike (most for sign -1), each once: left, right, Jaccard."""
    once, jaccard = distinct(pairs, jaccard)
    rows = nearest(once, sign * jaccard, np.zeros(len(jaccard), np.int64), SAMPLES_A_PART)
    columns = (once.left[rows].tolist(), once.right[rows].tolist(), [round(x, 4) for x in jaccard[rows].tolist()])
    return [list(row) for row in zip(*columns, strict=True)]
