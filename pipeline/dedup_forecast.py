"""What deduplication will take, told before it is done: bytes, memory, core-hours and time.

A plain model: each quantity is a sum of counts times constants (``Costs``). The counts come from the corpus
(``workload``); signing, the larger part of the work, is measured on a few MB of its own text on this machine; the other
constants were measured once, and are scaled by how fast this machine sorts. ``python -m benchmarks.dedup`` holds the
forecast against what then happens, and prints the constants anew.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dedup.radix_kernels import sort_pairs
from dedup.rates import REFERENCE_TABLE
from pipeline import documents
from pipeline.corpus import Corpus, part_name
from pipeline.job import Task
from pipeline.jobs import join_rounds, sign
from pipeline.matching.question import enough_groups, enough_partitions, memberships_of
from pipeline.parts import text_bytes, write_part
from pipeline.workload import Workload
from text.hashing import keyed_hash


@dataclass(frozen=True)
class Costs:
    """The constants of the model.

    Measured on two cores of an Intel Xeon with Python 3.11 and Beam 2.77, 2026-11-22, on generated signatures
    (``benchmarks.generated``): 50,000, 200,000 and 1M of them, half of them copies, and 200,000 of which a tenth are.
    Times are processor time, at the speed at which ``sort`` is what it says.
    """

    # Time
    start_up: float = 4.1  # s of a run: imports, Beam pipelines, kernels out of their cache
    sort: float = 0.055  # s: to sort ``_SORTED`` random numbers, on two threads at once
    match_document: float = 4.5e-6  # core-s: read the values, hash 14 bands, sort the buckets
    match_pair: float = 4.8e-6  # core-s: fetch both digests of 112 values, compare, write
    cluster_document: float = 0.25e-6  # core-s: read the key, write the row
    cluster_pair: float = 0.15e-6  # core-s: unite, judge
    busy: float = 0.8  # of the time of the local engine's threads: the rest they wait for Python's lock and the disk

    # Candidate pairs for each document that is removed: with the centre of all, with that of its own dump, …
    pairs_a_copy: float = 1.1  # for each of these

    # Bytes through shuffles
    membership: float = 9.0  # B: a document in one bucket; ascending keys pack to next to nothing
    match_pair_bytes: float = 32.0  # B: a pair on its ways, without digests
    digests: float = 0.3  # digests of 2 B a value that travel for a pair: a centre travels once a message
    cluster_pair_bytes: float = 8.2  # B: a pair, and the decisions on its documents
    rounds: float = 6.0  # until no edge moves, where components are found in rounds: 4 to 6 on real and generated pairs
    edge: float = 16.0  # B: an edge on each of the ways of a round, before packing
    routed_pair: float = 17.0  # B: a pair on its way to its component, after rounds

    # Memory
    base: float = 350e6  # B: a process with everything imported
    reading: float = 130e6  # B a thread: row groups of text or of signatures, unpacked
    held: float = 1.5  # times what is shuffled, on the local engine, which keeps it
    sorted_membership: float = 64.0  # B: a document in a bucket, while its partition is sorted
    compared_digest: float = 3.9  # times the digests of a group of documents, while their pairs are compared
    united_pair: float = 160.0  # B: a pair, in the worker that unites them


COSTS = Costs()
_SAMPLE_RUNS = 3
_SORTED = 1 << 20


@dataclass(frozen=True)
class Machine:
    """What a short trial on this machine gives.

    Attributes:
        sign_byte: core-seconds for a byte of text, read, signed and written.
        signature: bytes that the signature of a document takes on disk.
        slower: how much longer it works than the machine of ``Costs``.
    """

    sign_byte: float
    signature: float
    slower: float


@dataclass(frozen=True)
class Forecast:
    """What deduplication will take.

    Attributes:
        documents, text_bytes, removed: counts; ``removed`` as before here, else as ``share_assumed`` says.
        signature_bytes: of ``signatures/``, in all.
        shuffle_bytes: through the shuffles of match and cluster.
        core_seconds: of work; ``start_up_seconds`` of it are of one core, whatever is to do.
        local_memory: bytes, of the one process of the local engine on this machine.
        worker_memory: bytes, of the largest worker of an engine that keeps its shuffles elsewhere.
        busy: share of their time that workers work.
    """

    documents: int
    text_bytes: int
    removed: int
    signature_bytes: int
    shuffle_bytes: int
    core_seconds: float
    start_up_seconds: float
    local_memory: int
    worker_memory: int
    busy: float = COSTS.busy

    def seconds(self, workers: int) -> float:
        """Time from start to end with this many cores like this machine's: work is even, start-up is not shared."""
        return self.start_up_seconds + (self.core_seconds - self.start_up_seconds) / workers / self.busy


def share_assumed(dumps: int) -> float:
    """The share of documents that so many dumps lose: the reference's table, straight between its points in log dumps.

    Nobody knows it before: on one's own dumps the first few tell. More copies mean more pairs and little else.
    """
    known = sorted(REFERENCE_TABLE.items())
    points, shares = zip(*known)
    return float(np.interp(np.log(dumps), np.log(points), shares)) / 100


def forecast(corpus: Corpus, workload: Workload, machine: Machine, workers: int, costs: Costs = COSTS) -> Forecast:
    """The model, for what is left of the workload. ``workers`` are the threads of the local engine here."""
    dedup = corpus.config.dedup
    n = workload.documents
    bands, values = sign.banding(dedup).bands, sign.minhash_settings(dedup).permutations
    share = workload.removed_share
    if share is None:
        share = share_assumed(1 if dedup.scope == "per-dump" else workload.dumps)
    removed = n * share
    centres = 1 if dedup.scope == "per-dump" else 3 if dedup.both_orders else 2
    pairs, memberships = removed * centres * costs.pairs_a_copy, memberships_of(dedup, n)
    # Every signature goes through the buckets again where one document is unmatched, but only its own pairs are made.
    matched, new_pairs = n if workload.unmatched_share else 0, pairs * workload.unmatched_share
    # What a document is judged by when pairs are verified: a digest, its shingles, of 6 bytes of text each, or nothing.
    judged_by = {"estimate": 2 * values, "exact": 8 * workload.text_bytes / 6 / max(1, n), "off": 0}[dedup.verify]
    read_again = 0.0
    if dedup.verify == "exact":  # as left and as right ones
        read_again = 2 * share * workload.text_bytes * workload.unmatched_share

    match = matched * costs.match_document * bands / 14 + new_pairs * costs.match_pair * values / 112
    cluster = 0.0 if workload.clustered else n * costs.cluster_document + pairs * costs.cluster_pair
    start_up = 0.0 if workload.done else costs.start_up * machine.slower
    work = (workload.unsigned_bytes + read_again) * machine.sign_byte + machine.slower * (match + cluster)

    match_shuffle = memberships * costs.membership if matched else 0.0
    match_shuffle += new_pairs * (costs.match_pair_bytes + judged_by * costs.digests)
    groups = enough_groups(dedup, n, workers)
    partitions = enough_partitions(dedup, memberships, workers)

    def compared(groups: float) -> float:
        return matched / groups * 2 * values * costs.compared_digest

    sorting = memberships * costs.sorted_membership if matched else 0.0
    partition, partition_elsewhere = sorting / partitions, sorting / enough_partitions(dedup, memberships, None)
    compared_elsewhere = compared(enough_groups(dedup, n, None))
    in_rounds = join_rounds.method_for(dedup, round(pairs)).rounds
    cluster_shuffle = 0.0 if workload.clustered else pairs * costs.cluster_pair_bytes
    if (
        in_rounds and cluster_shuffle
    ):  # once every pair from both ends, later an edge a removed document; then the pairs by component
        edges = 2 * pairs + (costs.rounds - 1) * 2 * removed
        cluster_shuffle += edges * costs.edge + pairs * costs.routed_pair
    # Of whole components a partition each; the largest, which nobody knows before, is on top of that.
    united = 0.0 if workload.clustered else (pairs / dedup.partitions if in_rounds else pairs) * costs.united_pair
    here = max(costs.held * match_shuffle + workers * max(partition, compared(groups)), united)
    return Forecast(
        documents=n,
        text_bytes=workload.text_bytes,
        removed=round(removed),
        signature_bytes=round(n * machine.signature),
        shuffle_bytes=round(match_shuffle + cluster_shuffle),
        core_seconds=start_up + work,
        start_up_seconds=start_up,
        local_memory=round(costs.base + workers * costs.reading + here),
        worker_memory=round(costs.base + costs.reading + max(partition_elsewhere, compared_elsewhere, united)),
    )


def try_out(corpus: Corpus, workload: Workload, workers: int) -> Machine:
    """Signs the samples in a temporary folder, by the job's own function, and sorts numbers; all threads at once."""
    size = sum(text_bytes(sample["text"]) for sample in workload.samples)
    settings = sign.settings_of(corpus.config)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        trial = dataclasses.replace(corpus, config=corpus.config.model_copy(update={"output": folder}), read_only=False)
        tasks = [_sample_task(trial, number, sample) for number, sample in enumerate(workload.samples)]
        outcomes = [sign.work(task, settings, trial) for task in tasks]  # kernels out of their cache, or compiled
        signing = _fastest(pool, workers, lambda: [sign.work(task, settings, trial) for task in tasks])
        numbers = keyed_hash(np.arange(_SORTED, dtype=np.uint64), 1)
        sort_pairs(numbers[:1000], numbers[:1000])
        sorting = _fastest(pool, workers, lambda: sort_pairs(numbers, numbers))
    rows = sum(len(sample) for sample in workload.samples)
    signature = sum(outcome.files[0].bytes for outcome in outcomes) / rows
    return Machine(signing / max(1, size), signature, sorting / COSTS.sort)


def _sample_task(trial: Corpus, number: int, sample: pa.Table) -> Task:
    """A task of the sign job, with the part it reads."""
    own = {"key": np.arange(len(sample), dtype=np.uint64), "url": sample["url"], "text": sample["text"]}
    columns = [own.get(field.name, pa.nulls(len(sample), field.type)) for field in documents.SCHEMA]
    name = part_name("sample", number)
    with write_part(trial.path(f"documents/{name}.parquet"), documents.SCHEMA) as (out, file):
        for batch in pa.table(columns, documents.SCHEMA).combine_chunks().to_batches():
            out.write(batch)
    return Task(name, {}, (trial.stored(file),), text_bytes(sample["text"]))


def _fastest(pool: ThreadPoolExecutor, workers: int, work: Callable[[], object]) -> float:
    """Core-seconds of some work while every thread does the same: waiting, for a disk or for others, is left out."""

    def timed(_: int) -> float:
        started = time.thread_time()
        work()
        return time.thread_time() - started

    return min(sum(pool.map(timed, range(workers))) / workers for _ in range(_SAMPLE_RUNS))
