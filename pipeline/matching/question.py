"""What a run of the match job asks, worked out once and handed to every step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dedup.banding import Banding
from dedup.candidates import FORWARD, REVERSED, WITHIN
from pipeline.config import CorpusConfig, Dedup
from pipeline.corpus import Corpus, part_number, part_of
from pipeline.job import Task
from pipeline.jobs import sign
from pipeline.matching.groups import Groups, grouped
from pipeline.matching.indexes import indexes_of
from pipeline.matching.signature_rows import SignatureFiles
from pipeline.runners import workers_of

_MEMBERSHIPS_IN_A_PARTITION = 2_000_000  # a quarter of a GB while a worker sorts them
_MOST_LOCAL_PARTITIONS = 4096  # beyond, a message is too small to be worth its envelope
_LEFT_GROUPS_A_PARTITION = 4  # a pair may come from every partition where its documents meet, and all are merged
_DOCUMENTS_IN_A_LEFT_GROUP = 200_000  # whose pairs, met in all partitions, a worker merges at once
# Whose digests, 0.45 GB at 112 values, or whose shingles, some 4 KB each, a worker holds at once.
_DOCUMENTS_IN_A_GROUP = {"estimate": 2_000_000, "exact": 100_000, "off": 2_000_000}


def memberships_of(dedup: Dedup, documents: int) -> int:
    """Documents in buckets: one for each band, for the words, and for the address where that is asked for."""
    return documents * (sign.banding(dedup).bands + 1 + dedup.urls)


def enough_partitions(dedup: Dedup, memberships: int, workers: int | None) -> int:
    """Partitions of the bucket shuffle.

    On the local engine as many as the config asks for, and more, up to some thousands, where a worker's memory asks for
    them. On another engine (``workers`` None) what the config says, no more: how many messages a run of this size
    sends is the choice of whoever knows its workers.
    """
    if workers is None:
        return dedup.partitions
    return max(dedup.partitions, min(_MOST_LOCAL_PARTITIONS, -(-memberships // _MEMBERSHIPS_IN_A_PARTITION)))


def enough_groups(dedup: Dedup, documents: int, workers: int | None) -> int:
    """Groups of documents that are compared at once, as memory asks: at least one a worker of the local engine.

    On another engine (``workers`` None) at most one a partition, for each group may send a message to each other.
    """
    enough = max(1, -(-documents // _DOCUMENTS_IN_A_GROUP[dedup.verify]))
    return min(enough, dedup.partitions) if workers is None else max(workers, enough)


def enough_left_groups(dedup: Dedup, documents: int, workers: int | None) -> int:
    """Groups of documents whose pairs are merged at once, as memory asks; each partition may send each a message."""
    enough = max(1, -(-documents // _DOCUMENTS_IN_A_LEFT_GROUP))
    return min(enough, _LEFT_GROUPS_A_PARTITION * dedup.partitions) if workers is None else max(workers, enough)


def division(corpus: Corpus) -> dict[str, int]:
    """Into how many pieces the work is cut, for the manifest: a run may need more than the config asks for."""
    dedup = corpus.config.dedup
    documents = [sum(_documents(each).values()) for each in _signature_files(corpus)]
    workers = threads_of(corpus.config)
    return {
        "partitions": enough_partitions(dedup, memberships_of(dedup, sum(documents)), workers),
        "partitions_asked_for": dedup.partitions,
        "groups": enough_groups(dedup, documents[0], workers),
    }


def threads_of(config: CorpusConfig) -> int | None:
    """Workers of the local engine; None for another engine, which keeps its shuffles elsewhere."""
    return workers_of(config.engine) if config.engine.name == "direct" else None


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
        banding, verify, min_jaccard, passes, urls, both_orders: see ``config.Dedup``, and ``match.settings_of``.
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
    corpora = _signature_files(corpus)
    forward = WITHIN if settings["scope"] == "per-dump" else FORWARD | WITHIN
    documents = [_documents(each) for each in corpora]
    sizes = [sum(each.values()) for each in documents]
    dedup, workers = corpus.config.dedup, threads_of(corpus.config)
    return Question(
        tuple(corpora),
        tuple(
            grouped(each, enough_left_groups(dedup, size, workers)) for each, size in zip(documents, sizes, strict=True)
        ),
        grouped(documents[0], enough_groups(dedup, sizes[0], workers)),
        np.array(sorted(part_number(task.name, corpora[0].dumps) for task in pending), np.int64),
        banding,
        settings["verify"],
        settings["min_jaccard"],
        settings["passes"],
        settings["urls"],
        enough_partitions(dedup, memberships_of(dedup, sum(sizes)), workers),
        forward | (REVERSED if settings["both_orders"] and forward & FORWARD else 0),
        settings["both_orders"],
    )


def _signature_files(corpus: Corpus) -> list[SignatureFiles]:
    """Those of the corpus, then those of the corpora that it is held against."""
    made = sign.minhash_settings(corpus.config.dedup)
    needed = replace(made, permutations=sign.banding(corpus.config.dedup).values)
    own = SignatureFiles(corpus, tuple(corpus.dumps()), made)
    return [own, *(SignatureFiles(index, tuple(index.dumps()), needed, foreign=True) for index in indexes_of(corpus))]


def _documents(files: SignatureFiles) -> dict[int, int]:
    """How many documents each part has."""
    receipts = files.corpus.receipts("signatures")
    return {part_number(receipt.task, files.dumps): receipt.outcome.counts["documents"] for receipt in receipts}
