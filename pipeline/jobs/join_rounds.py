"""Pairs too many for one worker → the component of each document, by rounds of large-star and small-star.

    edges ─▶ both ways by node ─▶ large star ─▶ by larger node ─▶ small star ─▶ edges of the next round

A round is a job of its own, made while the job of the clusters waits: finished rounds stay finished when a run is
killed, and a round whose files lie there is not done again. Edges lie by the hash of their larger node; when a round
moves none, they tie every document to the smallest key of its component, and the rounds are over.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa

from dedup import star_rounds
from pipeline import job, manifests, progress, storage
from pipeline.arrays import vector
from pipeline.config import Dedup
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job, Task, telling_errors
from pipeline.manifests import Outcome
from pipeline.matching.messages import unpack
from pipeline.pairs import Message, join, messages, pair_files
from pipeline.parts import read_part, read_whole, write_part

FOLDER = "components"
SCHEMA = pa.schema([("left", pa.uint64()), ("right", pa.uint64())])  # left < right


class Method(NamedTuple):
    """How the pairs of a corpus become components, and why."""

    rounds: bool
    pairs: int
    limit: int
    reason: str


def method(corpus: Corpus) -> Method:
    """What the config asks for, or the number of pairs."""
    pairs = sum(receipt.outcome.counts["pairs_accepted"] for receipt in corpus.receipts("candidates"))
    return method_for(corpus.config.dedup, pairs)


def method_for(dedup: Dedup, pairs: int) -> Method:
    """The same of so many pairs."""
    limit = dedup.max_pairs_in_memory
    if dedup.components != "auto":
        return Method(dedup.components == "rounds", pairs, limit, f"dedup.components is {dedup.components}")
    many = pairs > limit
    are = "are more than" if many else "fit within"
    return Method(many, pairs, limit, f"{pairs:,} pairs {are} dedup.max_pairs_in_memory = {limit:,}")


def rounds(corpus: Corpus) -> Iterator[Job]:
    """The rounds still to be run, one after another, until one moves no edge; none for one worker.

    Raises:
        GristmillError: edges still move after the last round there may be.
    """
    if not method(corpus).rounds:
        _clear(corpus, ())
        return
    done = last_round(corpus)
    _clear(corpus, (done, done + 1))  # rounds on other pairs; the next one may be half done
    while not done or corpus.manifest(folder_of(done))["counts"]["moved"]:
        if done == star_rounds.MOST_ROUNDS:
            moved = corpus.manifest(folder_of(done))["counts"]["moved"]
            raise GristmillError(
                f"cluster: components have not converged: {moved:,} edges still move after {done} rounds; this is a "
                "defect, please report it with the number of pairs, or unite them by dedup.components: one-worker"
            )
        yield job_of(done + 1)
        if done:
            job.clear(job_of(done), corpus)
        done += 1


def last_round(corpus: Corpus) -> int:
    """The last finished round on the pairs as they are; 0 for none."""
    begun = {path.split("/")[0] for path in storage.list_files(corpus.folder(FOLDER))}
    numbers = sorted((int(name.removeprefix("round-")) for name in begun if name.startswith("round-")), reverse=True)
    return next((number for number in numbers if job.state_of(job_of(number), corpus).current), 0)


def _clear(corpus: Corpus, kept: Iterable[int]) -> None:
    """Deletes all rounds but these."""
    stay = {folder_of(number).removeprefix(f"{FOLDER}/") for number in kept}
    found = [path for path in storage.list_files(corpus.folder(FOLDER)) if path.split("/")[0] not in stay]
    storage.delete([corpus.path(f"{FOLDER}/{path}") for path in found])


def folder_of(number: int) -> str:
    """The folder of a round."""
    return f"{FOLDER}/round-{number:02d}"


def file_of(number: int, partition: int) -> str:
    """The file of a partition's edges after a round."""
    return f"{folder_of(number)}/partition-{partition:05d}.parquet"


def job_of(number: int) -> Job:
    """The job of one round."""
    return Job(
        f"round {number}",
        folder_of(number),
        1,
        lambda config: {},
        functools.partial(plan, number),
        expand=functools.partial(expand, number),
    )


def plan(number: int, corpus: Corpus) -> list[Task]:
    """One task a partition. It depends on the pairs and not on the round before, which goes when this one is done."""
    files = [file for receipt in corpus.receipts("candidates") for file in receipt.outcome.files]
    pairs = manifests.fingerprint([file.sha256 for file in files if file.path.startswith("candidates/")])
    partitions = corpus.config.dedup.partitions
    arguments = {"pairs": pairs, "round": number, "partitions": partitions}
    return [Task(f"partition-{partition:05d}", arguments | {"partition": partition}) for partition in range(partitions)]


def expand(
    number: int, pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus
) -> beam.PCollection:
    """The picture above."""
    partitions = corpus.config.dedup.partitions
    before = [file_of(number - 1, partition) for partition in range(partitions)]
    sources = before if number > 1 else pair_files(corpus)
    edges = (
        pipeline
        | "Edge files" >> beam.Create(sources)
        | "Spread" >> beam.Reshuffle()
        | "Both ways" >> beam.ParDo(_BothWays(partitions, corpus))
        | "By node" >> beam.GroupByKey()
        | "Large star" >> beam.ParDo(_LargeStar(partitions))
    )
    # Every partition leaves its file, also the one that no edge reached.
    left_to_do = pipeline | "Tasks" >> beam.Create([(task.arguments["partition"], task.name) for task in tasks])
    return (
        {"edges": edges, "task": left_to_do}
        | "By larger node" >> beam.CoGroupByKey()
        | "Small star" >> beam.ParDo(_SmallStar(number, corpus))
    )


class _BothWays(beam.DoFn):
    """File of edges → (partition of the node, (nodes, neighbours)), each edge from both ends."""

    def __init__(self, partitions: int, corpus: Corpus):
        self._partitions, self._corpus = partitions, corpus

    def process(self, path: str) -> Iterator[Message]:
        with telling_errors():
            for batch in read_part(self._corpus.path(path), ["left", "right"]):
                nodes, neighbours = star_rounds.both_ways(vector(batch["left"]), vector(batch["right"]))
                yield from messages(star_rounds.partition_of_nodes(nodes, self._partitions), nodes, neighbours)


class _LargeStar(beam.DoFn):
    """All edges of a partition's nodes → (partition of the larger end, (ends, centres, whether they moved))."""

    def __init__(self, partitions: int):
        self._partitions = partitions

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Message]:
        ends, centres, moved = star_rounds.large_star(*join(element[1], np.uint64, np.uint64))
        yield from messages(star_rounds.partition_of_nodes(ends, self._partitions), ends, centres, moved)


class _SmallStar(beam.DoFn):
    """Edges of a partition's nodes to smaller ones → its file."""

    def __init__(self, number: int, corpus: Corpus):
        self._number, self._corpus = number, corpus

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        partition, groups = element
        ends, centres, moved_before = join(groups["edges"], np.uint64, np.uint64, bool)
        for name in groups["task"]:  # none for a partition done in an earlier run
            ends, centres, moved = star_rounds.small_star(ends, centres)
            path = self._corpus.path(file_of(self._number, partition))
            with telling_errors(), write_part(path, SCHEMA) as (out, file):
                out.write(pa.record_batch([centres, ends], schema=SCHEMA))
            progress.advance(tasks=1)
            counts = {"edges": len(ends), "moved": moved + int(moved_before.sum())}
            yield name, Outcome(counts, {}, (self._corpus.stored(file),))


class PairsByComponent(beam.PTransform):
    """(0, pairs) → (partition, pairs): all pairs of a component in one partition, given the rounds are over."""

    def __init__(self, number: int, corpus: Corpus):
        super().__init__()
        self._number, self._corpus = number, corpus

    def expand(self, pairs: beam.PCollection) -> beam.PCollection:
        """By the left document's hash, where its component is known; then by component."""
        return (
            pairs
            | "By left document" >> beam.ParDo(_ByLeft(self._corpus.config.dedup.partitions))
            | "Of one partition" >> beam.GroupByKey()
            | "By component" >> beam.ParDo(_ByComponent(self._number, self._corpus))
        )


class _ByLeft(beam.DoFn):
    def __init__(self, partitions: int):
        self._partitions = partitions

    def process(self, element: Message) -> Iterator[Message]:
        columns = unpack(element[1])
        yield from messages(star_rounds.partition_of_nodes(columns[0], self._partitions), *columns)


class _ByComponent(beam.DoFn):
    def __init__(self, number: int, corpus: Corpus):
        self._number, self._corpus = number, corpus

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[Message]:
        partition, packed = element
        with telling_errors():
            edges = read_whole(self._corpus.path(file_of(self._number, partition)))
        centres, ends = vector(edges["left"]), vector(edges["right"])
        for columns in map(unpack, packed):
            roots = star_rounds.roots_of(columns[0], ends, centres)
            yield from messages(star_rounds.partition_of_nodes(roots, self._corpus.config.dedup.partitions), *columns)
