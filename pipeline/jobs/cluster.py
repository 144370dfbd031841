"""Pairs of copies → clusters: which document belongs to which, and which copy stays; and the dedup rates.

    pair files ─▶ pairs by component ┬─▶ their documents, by part ─▶ length, score, copies outside ─┐
                                     └───────────────────────────────────────────────────────────────┴▶ judge
    judge ┬─▶ decisions by part ─▶ + documents without a pair ─▶ cluster files
          └─▶ tallies ─▶ the rates

One worker is one partition: pairs are few beside documents (17 bytes each). Where they are too many for it, rounds of
shuffles find their components first (``join_rounds``), and every partition of whole components is judged the same way.
Documents without a pair never travel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from dedup import tallies
from dedup.pair_graph import rows_among
from dedup.policies import SCORED, Policy
from dedup.tallies import Documents
from pipeline import dedup_figures, manifests, progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus, part_number
from pipeline.job import Job, Task, telling_errors
from pipeline.jobs import join_rounds, score
from pipeline.manifests import Outcome
from pipeline.matching.groups import Groups
from pipeline.matching.messages import unpack
from pipeline.pairs import Message, PairedDocuments, ReadPairs, join, messages, pair_files, part_groups, rows_by_part
from pipeline.parts import read_whole, write_part

SCHEMA = pa.schema(
    [("key", pa.uint64()), ("cluster", pa.uint64()), ("cluster_size", pa.uint32()), ("kept", pa.bool_())]
)
RATES = "rates"  # a task of its own beside those of the parts
_COLUMNS = (np.uint64, np.uint64, np.uint32, bool)


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What clusters depend on. How components are found is not of it: every way gives the same."""
    return config.dedup.model_dump(include={"keep", "max_chain", "min_cluster_size", "both_orders"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a part and one for the rates; each depends on all pairs."""
    stages = ["signatures", "candidates", *(["scores"] if score.asked_for(corpus.config) else [])]
    files = [file for stage in stages for receipt in corpus.receipts(stage) for file in receipt.outcome.files]
    read = [file.sha256 for file in files if not file.path.startswith("refusals/")]
    everything = {"inputs": manifests.fingerprint(read)}
    parts = [receipt.task for receipt in corpus.receipts("signatures")]
    return [*(Task(part, everything) for part in parts), Task(RATES, everything)]


def expand(pipeline: beam.Pipeline, tasks: list[Task], settings: dict[str, Any], corpus: Corpus) -> beam.PCollection:
    """The picture above."""
    parts = [receipt.task for receipt in corpus.receipts("signatures")]
    groups = part_groups(corpus)
    method, rounds = join_rounds.method(corpus), join_rounds.last_round(corpus)
    policy = Policy(settings["keep"], settings["max_chain"], settings["min_cluster_size"])
    dumps = np.unique([corpus.dumps().index(dedup_figures.dump_name(part)) for part in parts])

    pairs = (
        pipeline
        | "Pair files" >> beam.Create(pair_files(corpus))
        | "Spread" >> beam.Reshuffle()
        | "Pairs" >> beam.ParDo(ReadPairs(corpus))
    )
    if method.rounds:
        pairs |= "Component" >> join_rounds.PairsByComponent(rounds, corpus)
    attributes = pipeline | "No attributes" >> beam.Create([])
    if policy.keep in SCORED or corpus.config.dedup.against:
        attributes = (
            pairs
            | "Documents in pairs" >> beam.ParDo(PairedDocuments(groups))
            | "Of a part" >> beam.GroupByKey()
            | "Attributes" >> beam.ParDo(_Attributes(policy, corpus))
        )
    judged = (
        {"pairs": pairs, "documents": attributes}
        | "Whole components" >> beam.CoGroupByKey()
        | "Judge"
        >> beam.ParDo(_Judge(groups, policy, dumps, settings["both_orders"])).with_outputs("tally", main="rows")
    )

    of_group = [groups.of_part(part_number(task.name, corpus.dumps())) for task in tasks if task.name != RATES]
    part_tasks = list(zip(of_group, [task.name for task in tasks if task.name != RATES], strict=True))
    files = (
        {"decisions": judged.rows, "parts": pipeline | "Parts" >> beam.Create(part_tasks)}
        | "By part" >> beam.CoGroupByKey()
        | "Write" >> beam.ParDo(_Write(corpus))
    )
    components = method._asdict() | {"method": "rounds" if method.rounds else "one worker"}
    components["rounds"] = rounds if method.rounds else 0
    rates_tasks = [(RATES, task.name) for task in tasks if task.name == RATES]
    figures = (
        {"tallies": judged.tally, "task": pipeline | "Rates" >> beam.Create(rates_tasks)}
        | "All tallies" >> beam.CoGroupByKey()
        | "Add up" >> beam.ParDo(_AddUp(len(dumps), components))
    )
    return (files, figures) | "Outcomes" >> beam.Flatten()


class _Attributes(beam.DoFn):
    """The documents of a part group, from several partitions → (partition, (keys, scores, outside))."""

    def __init__(self, policy: Policy, corpus: Corpus):
        self._policy, self._corpus = policy, corpus

    def process(self, element: tuple[int, Iterable[tuple[int, bytes]]]) -> Iterator[Message]:
        found = [(partition, unpack(packed)[0]) for partition, packed in element[1]]
        partitions = np.repeat([partition for partition, _ in found], [len(some) for _, some in found])
        keys = np.concatenate([some for _, some in found])
        for part, rows in rows_by_part(keys, self._corpus).items():
            distinct, again = np.unique(keys[rows], return_inverse=True)
            with telling_errors():
                scores = _scores(part, distinct, self._policy.keep, self._corpus)
                outside = np.isin(distinct, _outside(part, self._corpus))
            wanted = np.unique(np.stack((partitions[rows], again)), axis=1)  # once a partition
            yield from messages(wanted[0], distinct[wanted[1]], scores[wanted[1]], outside[wanted[1]])


def _scores(part: str, keys: np.ndarray, keep: str, corpus: Corpus) -> np.ndarray:
    """What a policy goes by, of some documents of a part: float64 [m]; zeros for a policy that goes by keys."""
    if keep not in SCORED:
        return np.zeros(len(keys))
    path, column = ("signatures", "text_bytes") if keep == "longest" else (score.JOB.folder, "score")
    table = read_whole(corpus.path(f"{path}/{part}.parquet"), ["key", column])
    return vector(table[column])[rows_among(vector(table["key"]), keys)].astype(np.float64)


def _outside(part: str, corpus: Corpus) -> np.ndarray:
    """Documents of a part that have a copy in another corpus: uint64 [m]."""
    if not corpus.config.dedup.against:
        return np.empty(0, np.uint64)
    return np.unique(vector(read_whole(corpus.path(f"outside/{part}.parquet"), ["key"])["key"]))


class _Judge(beam.DoFn):
    """Whole components → (part group, decisions), and the tally of the partition."""

    def __init__(self, groups: Groups, policy: Policy, dumps: np.ndarray, both_orders: bool):
        self._groups, self._policy, self._dumps, self._both_orders = groups, policy, dumps, both_orders

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Any]:
        _, columns = element
        documents = None
        if attributes := list(columns["documents"]):
            keys, scores, outside = join(attributes, np.uint64, np.float64, bool)
            order = np.argsort(keys, kind="stable")
            scored = scores[order] if self._policy.keep in SCORED else None
            documents = Documents(keys[order], scored, outside[order])
        left, right, orders = join(columns["pairs"], np.uint64, np.uint64, np.uint8)
        keys, found, tally = tallies.judge(left, right, orders, self._policy, self._dumps, documents, self._both_orders)
        yield from messages(self._groups.of(keys), keys, *found)
        yield beam.pvalue.TaggedOutput("tally", (RATES, tally))


class _Write(beam.DoFn):
    """All decisions of a part group → the files of its parts, with the documents that stand in no pair."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus

    def process(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        _, columns = element
        decisions = join(columns["decisions"], *_COLUMNS)
        of_part = rows_by_part(decisions[0], self._corpus)
        for part in columns["parts"]:
            rows = of_part.get(part, np.empty(0, np.int64))
            with telling_errors():
                yield part, self._write(part, *(column[rows] for column in decisions))
            progress.advance(tasks=1)

    def _write(self, part: str, decided: np.ndarray, *found: np.ndarray) -> Outcome:
        table = read_whole(self._corpus.path(f"signatures/{part}.parquet"), ["key", "words", "text_bytes"])
        keys = vector(table["key"])
        in_pairs = rows_among(keys, decided)
        outside = np.isin(keys, _outside(part, self._corpus))
        outside_alone = outside.copy()
        outside_alone[in_pairs] = False
        columns = [keys.copy(), np.ones(len(keys), np.uint32), ~outside]
        for column, values in zip(columns, found, strict=True):
            column[in_pairs] = values
        removed = ~columns[2]
        with write_part(self._corpus.path(f"clusters/{part}.parquet"), SCHEMA) as (out, file):
            out.write(pa.record_batch([keys, *columns], schema=SCHEMA))
        progress.advance(len(keys))
        counts = {
            "documents": len(keys),
            "removed": int(removed.sum()),
            "removed_bytes": int(vector(table["text_bytes"])[removed].sum(dtype=np.int64)),
            "removed_words": int(vector(table["words"])[removed].sum(dtype=np.int64)),
            "outside_alone": int(outside_alone.sum()),
        }
        kept = hashlib.sha256(keys[~removed].tobytes()).hexdigest()  # a text depends on this, not on its cluster's size
        return Outcome(counts, {"kept": kept}, (self._corpus.stored(file),))


class _AddUp(beam.DoFn):
    """The tallies of all partitions → the outcome of the rates."""

    def __init__(self, dumps: int, components: dict[str, Any]):
        self._dumps, self._components = dumps, components

    def process(self, element: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Outcome]]:
        _, groups = element
        for name in groups["task"]:  # none where it was done in an earlier run
            total = tallies.add(groups["tallies"], self._dumps)
            yield name, Outcome({}, {"components": self._components, "tally": tallies.to_json(total)})


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The rates of the whole: what the components add up to, and the documents that stand in no pair."""
    *parts, figures = outcomes
    tally = tallies.from_json(figures.details["tally"])
    total = manifests.add_counts([part.counts for part in parts])
    names = [receipt.task for receipt in corpus.receipts("signatures")]
    by_part = [(name, part.counts) for name, part in zip(names, parts, strict=True)]
    found = dedup_figures.details(corpus, tally, total, by_part) if parts else {}
    counts = {
        "documents": total.get("documents", 0),
        "clusters": total.get("documents", 0) - tally.documents + tally.clusters,
        "kept": total.get("documents", 0) - total.get("removed", 0),
        "removed": total.get("removed", 0),
    }
    return Outcome(counts, {"components": figures.details["components"]} | found)


JOB = Job("cluster", "clusters", 3, settings_of, plan, expand=expand, before=join_rounds.rounds, summarise=summarise)
