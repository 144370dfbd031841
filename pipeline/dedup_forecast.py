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
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dedup.radix_kernels import sort_pairs
from dedup.rates import REFERENCE_TABLE
from pipeline import documents
from pipeline.corpus import Corpus, part_name
from pipeline.job import Task
from pipeline.jobs import sign
from pipeline.parts import text_bytes, write_part
from pipeline.workload import Workload
from text.hashing import keyed_hash


@dataclass(frozen=True)
class Costs:
    """The constants of the model, 14 × 8 bands, as measured where it says below.

    Two cores of an Intel Xeon, Python 3.11, Beam 2.77, 2026-11-22; ``python -m benchmarks.dedup --documents 100k 1M
    --signatures 10M --json``. Seconds are of one core.
    """

    # Time
    start_up: float = 3.0  # s of a run: imports, Beam pipelines, kernels out of their cache
    sort: float = 0.05  # s: what ``_sorting_time`` gives there
    match_document: float = 10e-6  # s: read the minima, hash the bands, sort the buckets
    match_pair: float = 10e-6  # s: fetch both digests, compare, write
    cluster_document: float = 1e-6  # s: read the key, write the row
    cluster_pair: float = 1e-6  # s: unite, judge
    overlap: float = 0.9  # of n threads of the local engine, what works at once: the rest waits for Python

    # Bytes through shuffles
    membership: float = 9.0  # B: a document in one bucket
    pair: float = 60.0  # B: a pair on its ways, without digests
    digest: float = 1.0  # digests of 2 B a value that travel for each pair

    # Pairs
    pairs_a_copy: float = 1.3  # candidate pairs for each document that is removed

    # Memory
    base: float = 350e6  # B: the process with everything imported
    reading: float = 250e6  # B a thread that signs: a row group of text, its signatures
    held_membership: float = 30.0  # B a document in a bucket, on the local engine, while it is sorted
    held_pair: float = 300.0  # B a pair, on the local engine
    sorted_membership: float = 64.0  # B a document in a bucket, while a worker sorts its partition
    united_pair: float = 130.0  # B a pair, in the worker that unites them


COSTS = Costs()
_SAMPLE_RUNS = 2
_SORTED = 1 << 20


@dataclass(frozen=True)
class Machine:
    """What a short trial on this machine gives.

    Attributes:
        sign_byte: seconds of one core for a byte of text, read, signed and written.
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
        documents, text_bytes, removed: counts; ``removed`` is assumed, see ``share_assumed``.
        signature_bytes: of ``signatures/``, in all.
        shuffle_bytes: through the shuffles of match and cluster.
        core_seconds: of work, with what is done once by one core; ``serial_seconds`` of it.
        local_memory: bytes, of the one process of the local engine on this machine.
        worker_memory: bytes, of the largest worker of an engine that keeps its shuffles elsewhere.
    """

    documents: int
    text_bytes: int
    removed: int
    signature_bytes: int
    shuffle_bytes: int
    core_seconds: float
    serial_seconds: float
    local_memory: int
    worker_memory: int
    costs: Costs = COSTS

    def seconds(self, workers: int) -> float:
        """Time from start to end with this many cores like this machine's."""
        return self.serial_seconds + (self.core_seconds - self.serial_seconds) / (
            1 + (workers - 1) * self.costs.overlap
        )


def share_assumed(dumps: int) -> float:
    """The share of documents that so many dumps lose: the reference's table, straight between its points in log dumps.

    Nobody knows it before: on one's own dumps the first few tell. More copies mean more pairs and little else.
    """
    known = sorted(REFERENCE_TABLE.items())
    points, shares = zip(*known)
    return float(np.interp(np.log(dumps), np.log(points), shares)) / 100


def forecast(corpus: Corpus, workload: Workload, machine: Machine, workers: int, costs: Costs = COSTS) -> Forecast:
    """The model. ``workers`` are the threads of the local engine here."""
    dedup = corpus.config.dedup
    n = workload.documents
    bands, values = sign.banding(dedup).bands, sign.minhash_settings(dedup).permutations
    removed = n * share_assumed(1 if dedup.scope == "per-dump" else workload.dumps)
    pairs = removed * costs.pairs_a_copy
    memberships = n * bands
    per_partition = memberships / dedup.partitions

    match = n * costs.match_document * bands / 14 + pairs * costs.match_pair * values / 112
    cluster = n * costs.cluster_document + pairs * costs.cluster_pair
    work = workload.unsigned_bytes * machine.sign_byte + machine.slower * (match + cluster)
    serial = costs.start_up * machine.slower
    united = min(pairs, dedup.max_pairs_in_memory) * costs.united_pair
    held = max(memberships * costs.held_membership + pairs * costs.held_pair, united)
    largest = max(costs.reading, per_partition * costs.sorted_membership, united)
    return Forecast(
        documents=n,
        text_bytes=workload.text_bytes,
        removed=round(removed),
        signature_bytes=round(n * machine.signature),
        shuffle_bytes=round(memberships * costs.membership + pairs * (costs.pair + 2 * values * costs.digest)),
        core_seconds=work + serial,
        serial_seconds=serial,
        local_memory=round(costs.base + max(costs.reading * workers, held)),
        worker_memory=round(costs.base + largest),
    )


def try_out(corpus: Corpus, workload: Workload) -> Machine:
    """Signs the samples in a temporary folder, by the job's own function, and sorts a column of numbers."""
    size = sum(text_bytes(sample["text"]) for sample in workload.samples)
    settings = sign.settings_of(corpus.config)
    seconds, signatures = [], 0
    with tempfile.TemporaryDirectory() as folder:
        trial = dataclasses.replace(corpus, config=corpus.config.model_copy(update={"output": folder}), read_only=False)
        tasks = [_sample_task(trial, number, sample) for number, sample in enumerate(workload.samples)]
        for _ in range(1 + _SAMPLE_RUNS):  # the first reads the kernels from their cache, or compiles them
            started = time.thread_time()
            outcomes = [sign.work(task, settings, trial) for task in tasks]
            seconds.append(time.thread_time() - started)
            signatures = sum(outcome.files[0].bytes for outcome in outcomes)
    rows = sum(len(sample) for sample in workload.samples)
    return Machine(min(seconds[1:]) / max(1, size), signatures / rows, _sorting_time() / COSTS.sort)


def _sample_task(trial: Corpus, number: int, sample: pa.Table) -> Task:
    """A task of the sign job, with the part it reads."""
    own = {"key": np.arange(len(sample), dtype=np.uint64), "url": sample["url"], "text": sample["text"]}
    columns = [own.get(field.name, pa.nulls(len(sample), field.type)) for field in documents.SCHEMA]
    name = part_name("sample", number)
    with write_part(trial.path(f"documents/{name}.parquet"), documents.SCHEMA) as (out, file):
        for batch in pa.table(columns, documents.SCHEMA).combine_chunks().to_batches():
            out.write(batch)
    return Task(name, {}, (trial.stored(file),), text_bytes(sample["text"]))


def _sorting_time() -> float:
    """Seconds of one core to sort a million random numbers, the work that match does most of."""
    numbers = keyed_hash(np.arange(_SORTED, dtype=np.uint64), 1)
    sort_pairs(numbers[:1000], numbers[:1000])
    seconds = []
    for _ in range(3):
        started = time.thread_time()
        sort_pairs(numbers, numbers)
        seconds.append(time.thread_time() - started)
    return min(seconds)
