"""Signatures → verified pairs of copies: documents that share a bucket and resemble each other.

    signature files ─▶ buckets by hash partition ─▶ pairs with a centre ─▶ by the left document's group: + its digest
        ▲                                                                 ─▶ by the right document's group: + its digest
        └── refused documents, back into their buckets, a bounded number of passes ◀──┴──▶ accepted pairs ─▶ files

Only packed columns travel: buckets, pairs, and digests of left documents. Pairs end beside the part of the later
document. They depend on no later dump, so that a dump that is added leaves the others' tasks done, and the dedup rate
of every prefix of dumps is one pass over them. Why that is so: ``dedup.candidates``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import apache_beam as beam

from pipeline import manifests
from pipeline.addresses import urls_of
from pipeline.config import CorpusConfig, Dedup
from pipeline.corpus import FILE_BITS, Corpus, part_number
from pipeline.job import Job, Task
from pipeline.jobs import sign
from pipeline.manifests import Outcome, Receipt
from pipeline.matching.buckets import WAITING, FirstPairs, NextPairs, ToPartitions, sources
from pipeline.matching.comparing import AGAIN, BACK, Unverified, Verify, WithLeft
from pipeline.matching.indexes import indexes_of
from pipeline.matching.question import Question, division, question
from pipeline.matching.writing import Refusals, Write

_SAMPLES = 20
_Sample = tuple[float, int, int]  # by what they are sorted, left, right


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the pairs depend on; the partitions change no byte, nor do keys that others leave nothing to say."""
    dedup, banding = config.dedup, sign.banding(config.dedup)
    asked = dedup.model_dump(include={"verify", "min_jaccard", "passes", "urls", "scope", "both_orders"})
    if dedup.verify == "off":  # nobody is refused, so that one pass is all
        asked |= {"min_jaccard": 0.0, "passes": 1}
    if dedup.scope == "per-dump":  # pairs within a dump stand in both orders
        asked |= {"both_orders": True}
    return {"signatures": sign.settings_of(config), "bands": banding.bands, "rows": banding.rows, **asked}


def plan(corpus: Corpus) -> list[Task]:
    """One task a part, which holds the pairs whose later document lies in it.

    It depends on the signatures of its own dump and those before it; of all, where the reversed order is asked for; of
    its own alone, where copies are looked for inside each dump.
    """
    receipts, dumps = corpus.receipts("signatures"), corpus.dumps()
    texts = {receipt.task: receipt for receipt in corpus.receipts("documents")}
    exact = corpus.config.dedup.verify == "exact"
    of_dump: dict[int, list[str]] = {}
    for receipt in sorted(receipts, key=lambda receipt: part_number(receipt.task, dumps)):
        dump = part_number(receipt.task, dumps) >> FILE_BITS
        of_dump.setdefault(dump, []).extend(_checksums(receipt) + (_checksums(texts[receipt.task]) if exact else []))
    read = _read(of_dump, corpus.config.dedup)
    others = [
        manifests.fingerprint(
            [checksum for receipt in index.receipts("signatures") for checksum in _checksums(receipt)]
        )
        for index in indexes_of(corpus)
    ]
    against = {"against": others} if others else {}
    return [
        Task(receipt.task, {"signatures": read[part_number(receipt.task, dumps) >> FILE_BITS]} | against)
        for receipt in receipts
    ]


def _read(of_dump: dict[int, list[str]], dedup: Dedup) -> dict[int, str]:
    """For each dump the fingerprint of all that its pairs depend on, given the checksums of each."""
    if dedup.scope == "per-dump":
        return {dump: manifests.fingerprint("", checksums) for dump, checksums in of_dump.items()}
    so_far, up_to = "", {}
    for dump, checksums in sorted(of_dump.items()):
        so_far = up_to[dump] = manifests.fingerprint(so_far, checksums)
    return dict.fromkeys(up_to, so_far) if dedup.both_orders else up_to


def expand(pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus) -> beam.PCollection:
    """The picture above."""
    asked = question(corpus, tasks, settings)
    pairs = (
        pipeline
        | "Signature files" >> beam.Create(sources(asked))
        | "Spread" >> beam.Reshuffle()
        | "Buckets" >> beam.ParDo(ToPartitions(asked))
        | "By hash partition" >> beam.GroupByKey()
        | "Pairs with centres" >> beam.ParDo(FirstPairs(asked))
    )
    results = [_unverified(pairs, asked)] if asked.verify == "off" else _passes(pipeline, pairs, tasks, asked)
    # Every task leaves its files, also the one that no pair reached.
    names: dict[int, list[str]] = {}
    for task in tasks:
        names.setdefault(asked.groups.of_part(part_number(task.name, asked.own.dumps)), []).append(task.name)
    waiting = pipeline | "Tasks" >> beam.Create(list(names.items()))
    return (
        {"results": results | "Results" >> beam.Flatten(), "tasks": waiting}
        | "Of each group of parts" >> beam.CoGroupByKey()
        | "Write" >> beam.ParDo(Write(asked))
    )


def _unverified(pairs: beam.PCollection, asked: Question) -> beam.PCollection:
    return pairs | "By left group" >> beam.GroupByKey() | "Unverified" >> beam.ParDo(Unverified(asked))


def _passes(
    pipeline: beam.Pipeline, pairs: beam.PCollection, tasks: list[Task], asked: Question
) -> list[beam.PCollection]:
    """Verification, and again for who was refused; the results of each pass."""
    done = _refusals_of_done_parts(pipeline, tasks, asked)
    waiting: list[beam.PCollection] = []
    results = []
    for number in range(1, asked.passes + 1):
        verified = (
            pairs
            | f"By left group {number}" >> beam.GroupByKey()
            | f"With left digests {number}" >> beam.ParDo(WithLeft(asked))
            | f"By right group {number}" >> beam.GroupByKey()
            | f"Verify {number}" >> beam.ParDo(Verify(asked, number)).with_outputs(AGAIN, BACK, main="results")
        )
        results.append(verified.results)
        if number < asked.passes:
            back = [verified[BACK], *waiting, *([done[f"after-{number}"]] if done is not None else [])]
            tried = (
                back
                | f"Put back {number}" >> beam.Flatten()
                | f"Into buckets {number}" >> beam.GroupByKey()
                | f"Next centres {number}" >> beam.ParDo(NextPairs(asked)).with_outputs(WAITING, main="pairs")
            )
            pairs = [tried.pairs, verified[AGAIN]] | f"Pairs {number + 1}" >> beam.Flatten()
            waiting = [tried[WAITING]]
    return results


def _refusals_of_done_parts(pipeline: beam.Pipeline, tasks: list[Task], asked: Question) -> Any:
    """Who was put back in parts that are done already; None where there is none."""
    pending = {task.name for task in tasks}
    done = [receipt.task for receipt in asked.own.corpus.receipts("signatures") if receipt.task not in pending]
    if not done or asked.passes == 1:
        return None
    pieces = [done[i : i + 100] for i in range(0, len(done), 100)]
    tags = [f"after-{number}" for number in range(1, asked.passes)]
    return (
        pipeline
        | "Parts that are done" >> beam.Create(pieces)
        | "Spread them" >> beam.Reshuffle()
        | "Refusals" >> beam.ParDo(Refusals(asked)).with_outputs(*tags)
    )


def _checksums(receipt: Receipt) -> list[str]:
    return [file.sha256 for file in receipt.outcome.files]


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts, what each pass did, and pairs near the threshold on both sides for a person to judge."""
    counts = manifests.add_counts([outcome.counts for outcome in outcomes])
    counts["documents"] = corpus.manifest("signatures")["counts"]["documents"]
    dedup, details = corpus.config.dedup, [outcome.details for outcome in outcomes]
    passes = [
        {"candidates": sum(compared), "accepted": sum(accepted), "rejected": sum(compared) - sum(accepted)}
        for compared, accepted in (zip(*pass_, strict=True) for pass_ in zip(*(each["passes"] for each in details)))
    ]
    against = [
        {"folder": folder, "documents_removed": sum(each["outside"][i] for each in details)}
        for i, folder in enumerate(dedup.against)
    ]
    nearest = {
        "accepted_samples": sorted(
            (jaccard, left, right) for each in details for left, right, jaccard in each["accepted"]
        ),
        "rejected_samples": sorted(
            (-jaccard, left, right) for each in details for left, right, jaccard in each["rejected"]
        ),
    }
    shown = {side: _first_of_each(rows, lambda row: row[1])[: 3 * _SAMPLES] for side, rows in nearest.items()}
    urls = urls_of(corpus, [key for rows in shown.values() for _, *pair in rows for key in pair])

    def addresses(row: _Sample) -> tuple[int | str, int | str]:  # the same two may meet again in every dump
        _, left, right = row
        return urls[left] or left, urls[right] or right

    samples = {
        side: [
            {
                "left": str(left),
                "right": str(right),
                "left_url": urls[left],
                "right_url": urls[right],
                "jaccard": abs(jaccard),
            }
            for jaccard, left, right in _first_of_each(rows, addresses)[:_SAMPLES]
        ]
        for side, rows in shown.items()
    }
    threshold = None if dedup.verify == "off" else dedup.min_jaccard
    how = {"method": dedup.verify, "scope": dedup.scope, "threshold": threshold, "passes": passes}
    return Outcome(counts, {**how, **samples, "against": against})


def _first_of_each(rows: list[_Sample], kind: Callable[[_Sample], Hashable]) -> list[_Sample]:
    """The first row of each kind, for a page that many others nearly copy would fill the list by itself."""
    found: dict[Hashable, _Sample] = {}
    for row in rows:
        found.setdefault(kind(row), row)
    return list(found.values())


JOB = Job(
    "match",
    "candidates",
    4,
    settings_of,
    plan,
    beside=("refusals", "outside"),
    expand=expand,
    summarise=summarise,
    division=division,
)
