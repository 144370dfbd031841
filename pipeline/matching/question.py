"""What a run of the match job asks, worked out once and handed to every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.banding import Banding
from dedup.candidates import FORWARD, REVERSED, WITHIN
from dedup.minhash import MinHashSettings
from pipeline.config import Dedup
from pipeline.corpus import Corpus, part_number, part_of
from pipeline.job import Task
from pipeline.jobs import sign
from pipeline.matching.groups import Groups, grouped
from pipeline.matching.indexes import indexes_of
from pipeline.matching.signature_rows import SignatureFiles
from pipeline.runners import workers_of

_MEMBERSHIPS_IN_A_PARTITION = 2_000_000  # a quarter of a GB while a worker sorts them
_DOCUMENTS_IN_A_LEFT_GROUP = 200_000  # whose pairs, met in all partitions, a worker merges at once
# Whose digests, 0.45 GB at 112 values, or whose shingles, some 4 KB each, a worker holds at once.
_DOCUMENTS_IN_A_GROUP = {"estimate": 2_000_000, "exact": 100_000, "off": 2_000_000}


def memberships_of(dedup: Dedup, documents: int) -> int:
    """Documents in buckets: one for each band, for the words, and for the address where that is asked for."""
    return documents * (sign.banding(dedup).bands + 1 + dedup.urls)


def enough_partitions(dedup: Dedup, memberships: int) -> int:
    """Partitions of the bucket shuffle: as many as the config asks for, and enough for the memory of a worker."""
    return max(dedup.partitions, -(-memberships // _MEMBERSHIPS_IN_A_PARTITION))


def enough_groups(verify: str, documents: int, workers: int) -> int:
    """Groups of documents that are compared at once: one a worker, and more where memory asks for it."""
    return max(workers, -(-documents // _DOCUMENTS_IN_A_GROUP[verify]))


@dataclass(frozen=True)
class Question:
    """What is asked of which signatures.

    Attributes:
        corpora: this corpus's signatures, then those of the corpora that it is held against.
        left_groups: the parts of each, in many groups, by which pairs are merged.
        groups: the parts of this corpus, in as few groups as memory allows, by which pairs are compared: the digest of
            a left document travels once to each.
        pending: int64, ascending numbers of the parts whose pairs are wanted: those whose later document lies there.
        partitions: of the buckets, see ``enough_partitions``.
        banding, verify, min_jaccard, passes, urls, both_orders: see ``config.Dedup``.
        levels: see ``dedup.candidates``.
    """

    corpora: tuple[SignatureFiles, ...]
    left_groups: tuple[Groups, ...]
    groups: Groups
    pending: np.ndarray
    banding: Banding
    verify: str
    min_jaccard: float
    passes: int
    urls: bool
    partitions: int
    levels: int
    both_orders: bool

    @property
    def own(self) -> SignatureFiles:
        """The signatures of the corpus itself."""
        return self.corpora[0]

    def wanted(self, right: np.ndarray) -> np.ndarray:
        """Which pairs are wanted, by their later documents: uint64 [p] to bool [p]."""
        parts = part_of(right)
        if not len(self.pending):
            return np.zeros(len(parts), bool)
        return self.pending[np.minimum(np.searchsorted(self.pending, parts), len(self.pending) - 1)] == parts


def question(corpus: Corpus, pending: list[Task], settings: dict[str, Any]) -> Question:
    """Works out what the pending tasks ask."""
    banding = Banding(settings["bands"], settings["rows"])
    made = MinHashSettings(**settings["signatures"])
    needed = MinHashSettings(made.ngram, banding.values, made.seed)
    corpora = [SignatureFiles(corpus, tuple(corpus.dumps()), made)]
    corpora += [SignatureFiles(index, tuple(index.dumps()), needed) for index in indexes_of(corpus)]
    forward = WITHIN if settings["scope"] == "per-dump" else FORWARD | WITHIN
    documents = [_documents(each) for each in corpora]
    sizes = [sum(each.values()) for each in documents]
    partitions = enough_partitions(corpus.config.dedup, memberships_of(corpus.config.dedup, sum(sizes)))
    workers = workers_of(corpus.config.engine) if corpus.config.engine.name == "direct" else partitions
    return Question(
        tuple(corpora),
        tuple(
            grouped(each, max(workers, -(-size // _DOCUMENTS_IN_A_LEFT_GROUP)))
            for each, size in zip(documents, sizes, strict=True)
        ),
        grouped(documents[0], enough_groups(settings["verify"], sizes[0], workers)),
        np.array(sorted(part_number(task.name, corpora[0].dumps) for task in pending), np.int64),
        banding,
        settings["verify"],
        settings["min_jaccard"],
        1 if settings["verify"] == "off" else settings["passes"],
        settings["urls"],
        partitions,
        forward | (REVERSED if settings["both_orders"] and forward & FORWARD else 0),
        settings["both_orders"],
    )


def _documents(files: SignatureFiles) -> dict[int, int]:
    """How many documents each part has."""
    receipts = files.corpus.receipts("signatures")
    return {part_number(receipt.task, files.dumps): receipt.outcome.counts["documents"] for receipt in receipts}
