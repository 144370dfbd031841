"""A corpus of generated documents with known clusters: web-like lengths, Zipf words, several dumps.

Every row is made from numbers alone, so a file of the corpus can be written without the others, and any part of it
twice. Cluster sizes follow a power law; a copy is its origin byte for byte, or its origin with words exchanged, left
out or put in so that the Jaccard similarity of the two is known.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.generated import text_kernels
from benchmarks.generated.vocabulary import SLOT, vocabulary
from dedup.minhash import Signatures
from pipeline.corpus import first_key
from text.arrow_buffers import text_array
from text.hashing import below, keyed_hash

BATCH = 4096
_UNIT = 2.0**-64


class File(NamedTuple):
    """One input file of a generated corpus: its dump, its number there, and its rows."""

    dump: int
    number: int
    start: int
    stop: int


class Batch(NamedTuple):
    """Some documents.

    Attributes:
        text: large_string [n]; url: string [n].
        jaccard: float64 [n], exact similarity to the cluster's origin.
    """

    text: pa.LargeStringArray
    url: pa.Array
    jaccard: np.ndarray


class _Rows(NamedTuple):
    cluster: np.ndarray  # int64: the document that is the origin
    origin: np.ndarray  # uint64: hash of the origin
    copy: np.ndarray  # uint64: hash of the document
    jaccard: np.ndarray  # float64: least similarity to the origin
    exact: np.ndarray  # bool: byte for byte the origin
    label: np.ndarray  # int64


@dataclass(frozen=True)
class GeneratedCorpus:
    """What is to be made; equal fields give equal bytes.

    Attributes:
        documents: in all.
        dumps, files: dumps, and files of each; the rows of a cluster lie anywhere among them.
        copies: share of documents that are copies of another one, decoys included. The reference removed 46.7 % of two
            dumps, 55.7 % of six.
        exact: share of the copies that are so byte for byte.
        least, most: Jaccard similarity of the edited copies to their origin, evenly spread.
        decoys: share of the copies that are but half alike: each is a cluster of its own.
        decoy_least, decoy_most: their similarity.
        skew: cluster sizes fall with the rank to this power.
        chinese: share of clusters in Chinese characters.
        median_words, spread: of the log-normal length of a document, in words; Chinese ones have twice as many.
        ngram: words in a shingle.
        seed: another seed, another corpus.
    """

    documents: int
    dumps: int = 4
    files: int = 4
    copies: float = 0.5
    exact: float = 0.4
    least: float = 0.85
    most: float = 0.99
    decoys: float = 0.04
    decoy_least: float = 0.15
    decoy_most: float = 0.5
    skew: float = 0.8
    chinese: float = 0.15
    median_words: float = 260
    spread: float = 1.0
    ngram: int = 5
    seed: int = 1

    @property
    def origins(self) -> int:
        """Documents that are no copies."""
        return max(1, self.documents - int(self.documents * self.copies))

    def dump_names(self) -> list[str]:
        """Names of the dumps, in order."""
        return [f"G{number:03d}" for number in range(self.dumps)]

    def input_files(self) -> list[File]:
        """The files of all dumps; the rows of the corpus in order."""
        bounds = np.linspace(0, self.documents, self.dumps * self.files + 1).astype(np.int64).tolist()
        return [
            File(i // self.files, i % self.files, start, stop)
            for i, (start, stop) in enumerate(itertools.pairwise(bounds))
        ]

    def keys(self) -> np.ndarray:
        """uint64 [documents]: the key that ingest gives each row."""
        return np.concatenate(
            [
                first_key(file.dump, file.number) + np.arange(file.stop - file.start, dtype=np.uint64)
                for file in self.input_files()
            ]
        )

    def origin_rows(self) -> np.ndarray:
        """int64 [documents]: the row of each row's origin; its own for one that is no copy."""
        row_of = np.empty(self.documents, np.int64)
        row_of[_order(self.documents, self.seed)] = np.arange(self.documents)
        return row_of[self._rows(0, self.documents).cluster]

    def stated_jaccard(self) -> np.ndarray:
        """float64 [documents]: the similarity to its origin that each row was made for; 1 where it is equal to it."""
        return self._rows(0, self.documents).jaccard

    def labels(self) -> np.ndarray:
        """int64 [documents]: the true cluster of each row."""
        return self._rows(0, self.documents).label

    @property
    def true_clusters(self) -> int:
        """Clusters, and so documents that stay when each keeps one."""
        return len(np.unique(self.labels()))

    def _rows(self, start: int, stop: int) -> _Rows:
        document = _order(self.documents, self.seed)[start:stop].astype(np.uint64)
        is_copy = document >= np.uint64(self.origins)
        uniform = [keyed_hash(document, self.seed + salt) for salt in range(1, 6)]
        # By inversion of the rank's distribution: the share of clusters up to rank r is (r / origins)^(1 - skew).
        rank = self.origins * (uniform[0] * _UNIT) ** (1 / (1 - self.skew))
        cluster = np.where(is_copy, np.minimum(rank, self.origins - 1).astype(np.uint64), document)
        decoy = is_copy & below(uniform[1], self.decoys)
        exact = ~is_copy | (below(uniform[2], self.exact) & ~decoy)
        low = np.where(decoy, self.decoy_least, self.least)
        high = np.where(decoy, self.decoy_most, self.most)
        jaccard = np.where(exact, 1.0, low + (high - low) * (uniform[3] * _UNIT))
        origin = keyed_hash(cluster, self.seed + 7)
        own = keyed_hash(document, self.seed + 8)
        label = np.where(decoy, document, cluster).astype(np.int64)
        return _Rows(cluster.astype(np.int64), origin, own, jaccard, exact, label)

    def _shape(self, rows: _Rows) -> tuple[np.ndarray, np.ndarray]:
        """Words of the origin (int64 [n]) and script (uint8 [n])."""
        script = below(keyed_hash(rows.origin, self.seed + 9), self.chinese).astype(np.uint8)
        # The least is what a decoy of `decoy_least` needs to have room for its edits.
        words = text_kernels.word_counts(rows.origin, float(self.median_words), float(self.spread), 30, 20_000)
        return words * (1 + script), script

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """The documents of some rows, in order."""
        stop = self.documents if stop is None else stop
        for first in range(start, stop, BATCH):
            yield self._batch(first, min(stop, first + BATCH))

    def _batch(self, start: int, stop: int) -> Batch:
        rows = self._rows(start, stop)
        words, script = self._shape(rows)
        edits = text_kernels.edits_for(words, rows.jaccard, rows.label != rows.cluster, self.ngram)
        # A short page has no room for an edit: its copy differs in punctuation and lines alone.
        styles = np.where(rows.exact | (edits > 0), rows.origin, rows.copy)
        out = np.empty(int((words + edits).sum()) * (SLOT + 4) + SLOT, np.uint8)  # pages not written to cost nothing
        offsets, gone, added = text_kernels.texts(
            rows.origin, rows.copy, words, edits, script, styles, self.ngram, *vocabulary(), out
        )
        shingles = np.maximum(1, words - self.ngram + 1)
        text = text_array(out[: offsets[-1]], offsets)
        return Batch(text, self.urls(start, stop), (shingles - gone) / (shingles + added))

    def urls(self, start: int, stop: int) -> pa.Array:
        """Addresses, all different: string [n]."""
        document = _order(self.documents, self.seed)[start:stop]
        host, page = (pa.array(numbers).cast(pa.string()) for numbers in (document % 997, document))
        return pc.binary_join_element_wise("https://site", host, ".example/", page, "")

    def signatures(self, start: int, stop: int, permutations: int) -> Signatures:
        """Signatures of some rows as if they had been signed: minima equal the origin's in a share ``jaccard``."""
        rows = self._rows(start, stop)
        words, _ = self._shape(rows)
        content = np.where(rows.exact, rows.origin, rows.copy)
        return Signatures(
            keyed_hash(content, self.seed + 11),
            keyed_hash(content, self.seed + 12),
            words.astype(np.uint32),
            (6 * words).astype(np.uint64),
            text_kernels.minima(rows.origin, rows.copy, rows.jaccard, permutations),
        )


@functools.lru_cache(4)
def _order(documents: int, seed: int) -> np.ndarray:
    """int64 [documents]: the document (origins first) that stands in each row."""
    return np.argsort(keyed_hash(np.arange(documents, dtype=np.uint64), seed), kind="stable")
