"""Reading signature files: whole for their buckets, or the rows of some documents; and checking what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dedup.digests import digests
from dedup.minhash import MinHashSettings
from dedup.shingles import ShingleSets, distinct_shingles
from dedup.signature_files import SettingsMismatch, check_schema, matrix
from pipeline.arrays import vector
from pipeline.corpus import FILE_BITS, Corpus, part_of, part_path
from pipeline.errors import GristmillError
from pipeline.parts import MAKE_AGAIN, read_part, read_rows, read_schema


@dataclass(frozen=True)
class SignatureFiles:
    """The signatures of a corpus, of this one or of another that it is held against.

    ``settings``: of this corpus; ``permutations`` is what is stored here, and at least what the bands need.
    ``foreign``: it is another corpus, in which nothing is to be deleted for this one's sake.
    """

    corpus: Corpus
    dumps: tuple[str, ...]
    settings: MinHashSettings
    foreign: bool = False

    @property
    def remedy(self) -> str:
        """What to do about a file that cannot be right."""
        if not self.foreign:
            return MAKE_AGAIN
        folder = self.corpus.config.output
        return f"it belongs to the corpus in {folder}: run `gristmill dedup` there, or leave it out of dedup.against"

    def path(self, part: int) -> str:
        """The signature file of a part."""
        return self.corpus.path(f"signatures/{part_path(part, self.dumps)}.parquet")

    def batches(self, part: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of a part, with their keys.

        Raises:
            GristmillError: made with other settings; or a key stands twice, or in a part that is not its own.
        """
        path = self.path(part)
        self._check_settings(path)
        last = -1
        for batch in read_part(path, ["key", *columns], self.remedy):
            keys = vector(batch["key"])
            self._check_keys(path, part, keys, last)
            last = int(keys[-1]) if len(keys) else last
            yield batch

    def _check_settings(self, path: str) -> None:
        try:
            check_schema(read_schema(path, self.remedy), self.settings)
        except SettingsMismatch as error:
            raise GristmillError(f"{path}: {error}") from error

    def _check_keys(self, path: str, part: int, keys: np.ndarray, last: int) -> None:
        """Keys that ascend within a file, and lie in its own range, are distinct in all files together."""
        foreign = np.flatnonzero(part_of(keys) != part)
        if len(foreign):
            key = int(keys[foreign[0]])
            number = int(part_of(keys[foreign[:1]])[0])
            where = "a dump that this corpus does not know"
            if number >> FILE_BITS < len(self.dumps):
                where = self.path(number)
            raise GristmillError(
                f"{path} holds document {key}, whose place is {where}: a key would stand twice; the first is a copy: "
                f"{self.remedy}"
            )
        ascending = keys[1:] > keys[:-1]
        if len(keys) and int(keys[0]) <= last:
            raise GristmillError(self._twice(path, int(keys[0]), last))
        if not ascending.all():
            row = int(np.argmin(ascending))
            raise GristmillError(self._twice(path, int(keys[row + 1]), int(keys[row])))

    def _twice(self, path: str, key: int, after: int) -> str:
        what = f"document {key} twice" if key == after else f"document {key} after {after}"
        return f"{path} holds {what}: keys ascend in a signature file; {self.remedy}"

    def digests_of(self, keys: np.ndarray) -> np.ndarray:
        """The digests of documents: uint64 [n], ascending and distinct, to uint16 [n, k].

        Raises:
            GristmillError: one of them is not there.
        """
        found: list[np.ndarray] = []
        for part, wanted in by_part(keys):
            rows = [
                digests(matrix(batch["minima"]))
                for batch in read_rows(self.path(part), ["minima"], wanted, self.remedy)
            ]
            if sum(map(len, rows)) != len(wanted):
                raise GristmillError(f"{self.path(part)} lacks documents that it held before: {self.remedy}")
            found += rows
        return np.concatenate(found) if found else np.empty((0, self.settings.permutations), np.uint16)

    def shingles_of(self, keys: np.ndarray) -> ShingleSets:
        """The distinct shingles of documents (keys uint64 [n], ascending and distinct), out of their texts.

        Raises:
            GristmillError: a text is not there any more.
        """
        shingles, sizes = [np.empty(0, np.uint64)], [np.zeros(1, np.int64)]
        for part, wanted in by_part(keys):
            path = self.corpus.path(f"documents/{part_path(part, self.dumps)}.parquet")
            rows = 0
            for batch in read_rows(path, ["text"], wanted):
                some, offsets = distinct_shingles(batch["text"], self.settings.ngram, self.settings.seed)
                shingles.append(some)
                sizes.append(np.diff(offsets))
                rows += batch.num_rows
            if rows != len(wanted):
                raise GristmillError(
                    f"{path} lacks texts that `dedup.verify: exact` compares: set it to estimate, or ingest again"
                )
        return ShingleSets(np.concatenate(shingles), np.cumsum(np.concatenate(sizes)))


def by_part(keys: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Splits ascending keys by their part."""
    parts = part_of(keys)
    starts = np.flatnonzero(np.diff(parts, prepend=-1))
    for start, some in zip(starts, np.split(keys, starts[1:]) if len(starts) else []):
        yield int(parts[start]), some
