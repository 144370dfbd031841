"""Deduplicating whole corpora, documents on disk to clusters on disk, beside datatrove and text-dedup.

    python -m benchmarks.dedup --documents 10k 100k 1M --json       # a case each
    python -m benchmarks.dedup --snapshots --json                   # the snapshot dumps beside the checkout
    python -m benchmarks.dedup --signatures 10M --json              # match and cluster alone
    python -m benchmarks.dedup --identical 1M --json                # the same of equal documents, and of different ones

Documents are generated with known clusters (``benchmarks.generated``: lengths of web pages, Zipf words, one in seven
Chinese, four dumps, half of them copies, 40 % of these byte for byte, the others with words edited at a Jaccard
similarity of 0.85 to 0.99), so that what was removed is held against the truth: the adjusted Rand index of ours, the
count of everyone. Each run is a process of its own with start-up counted; the kernels were compiled by a small run
before. Memory is that of the whole process tree. A peer gets the same files, bands × rows = 14 × 8 and as many workers,
up to ``--peer-documents``; one that is not installed (extra ``bench``; text-dedup by hand) or fails is noted.

The forecast of ``gristmill dedup --dry-run`` is made before each run and held against what then happened. It binds at
1M documents, on the snapshot dumps, and (``--few-and-many``, which 1M documents bring along) on signatures of which
20 % and 80 % are copies; there the share is told to it, as it knows the share of a corpus that was deduplicated before.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated.agreement import adjusted_rand_index
from benchmarks.generated.corpus import GeneratedCorpus
from benchmarks.harness import SNAPSHOTS, Watch, finish, machine, row
from benchmarks.measuring import process

PEERS = {"datatrove": "datatrove", "text-dedup": "text_dedup"}
INSTALL = {
    "datatrove": "pip install 'gristmill[bench]'",
    "text-dedup": "pip install text-dedup, in an environment of its own: it pins old packages",
}
PEER_TIMEOUT = 900
LEAST_RATIO, RATIO_CASE = 30, 100_000  # to datatrove
MOST_MEMORY_MB = 16_000
LEAST_AGREEMENT = 0.98
MOST_MISCOUNTED = 0.005  # of the documents
FORECAST_CASE, FORECAST_ERROR = 1_000_000, 0.25
FEW_AND_MANY, SIGNATURES_OF_THEM = (0.2, 0.8), 200_000
# The clock of so short a run is that of start-up, and of 10,000 documents the memory is that of Python and Beam.
OF_SHORT_RUNS = ("signatures, bytes", "shuffled, bytes", "core-seconds")
WARM_UP = 2_000
LEAST_SCALING = 100_000  # documents: below, what is left beside start-up is within its scatter
MOST_FOR_EQUAL = 2.0


def main() -> int:
    """Runs the cases; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", nargs="+", type=_count, default=[], help="sizes, such as 10k 100k 1M")
    parser.add_argument("--snapshots", action="store_true", help="the snapshot dumps too")
    parser.add_argument("--signatures", type=_count, help="match and cluster this many signatures, without texts")
    parser.add_argument(
        "--identical", type=_count, help="match and cluster as many equal signatures, and different ones"
    )
    parser.add_argument("--few-and-many", type=_count, help="signatures of few and of many copies, for the forecast")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of ours and of the peers")
    parser.add_argument("--peer-documents", type=_count, default=100_000, help="the largest size that peers get")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS), help="none: --peers")
    parser.add_argument("--folder", help="where to work; a temporary folder when not given")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)  # what, JSON, folder: in a process of its own
    arguments = parser.parse_args()
    if arguments.child:
        what, given, folder = arguments.child
        print(json.dumps(CHILDREN[what](json.loads(given), Path(folder))))
        return 0
    if FORECAST_CASE in arguments.documents:
        arguments.few_and_many = arguments.few_and_many or SIGNATURES_OF_THEM
    others = (arguments.snapshots, arguments.signatures, arguments.identical, arguments.few_and_many)
    if not (arguments.documents or any(others)):
        arguments.documents = [10_000]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        benchmark = _Benchmark(arguments, Path(folder))
        benchmark.run()
    return finish(benchmark.report(), arguments.json)


def _count(text: str) -> int:
    """A number such as 10k or 1M."""
    factor = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    return round(float(text.rstrip("kM")) * factor)


def case_name(count: int) -> str:
    """10k, 100k, 1M."""
    return f"{count // 1_000_000}M" if count % 1_000_000 == 0 else f"{count / 1000:g}k"


class _Benchmark:
    """Collects rows, ratios and checks case by case."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self._arguments, self._folder = arguments, folder
        self.results: list[dict[str, Any]] = []
        self.ratios: dict[str, float] = {}
        self.checks: dict[str, bool] = {}
        self.notes: list[str] = []
        self.forecasts: dict[str, Any] = {}
        self.took: dict[str, float] = {}
        self.runs: dict[int, tuple[process.Ran, dict[str, float], float]] = {}
        self.start_up: dict[str, float] = {}
        self.costs: dict[str, dict[str, float]] = {}
        self.size = {"documents": 0, "bytes": 0}
        self.peers = []
        for name in arguments.peers:
            if importlib.util.find_spec(PEERS[name]):
                self.peers.append(name)
            else:
                self.notes.append(f"{name} is not installed ({INSTALL[name]}): not compared")

    def run(self) -> None:
        """The small run that compiles, then every case."""
        self._timed("warm-up", lambda: self._warm_up())
        for count in sorted(self._arguments.documents):
            self._timed(case_name(count), lambda count=count: self._generated(count))
        if self._arguments.snapshots:
            self._timed("snapshots", self._snapshots)
        if count := self._arguments.signatures:
            self._timed(
                "signatures", lambda: self._signatures(f"{case_name(count)} signatures", GeneratedCorpus(count))
            )
        if count := self._arguments.identical:
            self._timed("identical", lambda: self._identical(count))
        if count := self._arguments.few_and_many:
            self._timed("few and many copies", lambda: self._few_and_many(count))
        self._scaling()

    def report(self) -> dict[str, Any]:
        """The JSON object of the benchmark."""
        return {
            "name": "dedup",
            "machine": machine() | {"workers": self._arguments.workers},
            "input": self.size,
            "results": self.results,
            "ratios": self.ratios,
            "checks": self.checks,
            "forecasts": self.forecasts,
            "costs": self.costs,
            "seconds of each case, all systems": self.took,
            "notes": self.notes,
        }

    def _timed(self, case: str, work: Callable[[], None]) -> None:
        started = time.monotonic()
        work()
        self.took[case] = round(time.monotonic() - started, 1)

    def _child(self, what: str, given: dict[str, Any], folder: Path) -> tuple[Any, process.Ran]:
        given = {"workers": self._arguments.workers} | given
        try:
            ran = process.run(["-m", "benchmarks.dedup", "--child", what, json.dumps(given), str(folder)])
        except process.Failed as error:
            sys.exit(f"{what}: {error}")
        return json.loads(ran.last_line), ran

    def _warm_up(self) -> None:
        """Compiles; then the same again for what each job costs before it comes to the documents."""
        for name in ("compiling", "warm"):
            folder = self._folder / name
            self._child("documents", asdict(GeneratedCorpus(WARM_UP)), folder)
            found, _ = self._child("dedup", {}, folder)
            shutil.rmtree(folder)
        self.start_up = found["core_seconds"]

    def _generated(self, count: int) -> None:
        case, folder = case_name(count), self._folder / case_name(count)
        generated = GeneratedCorpus(count)
        self._child("documents", asdict(generated), folder)
        forecast, _ = self._child("forecast", {}, folder)
        found, ran = self._child("dedup", {}, folder)
        self._ours(case, found, ran)
        self._against_truth(case, generated, folder)
        self._forecast(case, forecast, found, ran, forecast if count == FORECAST_CASE else ())
        self.runs[count] = (ran, found["core_seconds"], forecast["slower"])
        self.size = {"documents": found["documents"], "bytes": found["text_bytes"]}
        if count <= self._arguments.peer_documents:
            self._compare(case, found, ran, folder, generated.true_clusters)
        shutil.rmtree(folder)

    def _snapshots(self) -> None:
        if not SNAPSHOTS.is_dir():
            self.notes.append("the snapshot dumps are not beside this checkout: not measured")
            return
        folder = self._folder / "snapshots"
        self._child("snapshots", {}, folder)
        forecast, _ = self._child("forecast", {}, folder)
        found, ran = self._child("dedup", {}, folder)
        self._ours("snapshots", found, ran)
        self._forecast("snapshots", forecast, found, ran, OF_SHORT_RUNS)
        self._compare("snapshots", found, ran, folder, None)
        shutil.rmtree(folder)

    def _signatures(self, case: str, generated: GeneratedCorpus, share: float | None = None) -> float:
        """Match and cluster signatures that have no documents; the seconds it took.

        Where the share of documents that go is told, the forecast binds.
        """
        folder = self._folder / "signatures"
        self._child("signatures", asdict(generated), folder)
        forecast, _ = self._child("forecast", {"signed": True, "share": share}, folder)
        found, ran = self._child("match and cluster", {}, folder)
        self._ours(case, found, ran)
        self._against_truth(case, generated, folder)
        self._forecast(case, forecast, found, ran, () if share is None else (*OF_SHORT_RUNS, "peak memory, bytes"))
        self.checks[f"{case}: match and cluster within 16 GB"] = ran.peak_mb <= MOST_MEMORY_MB
        shutil.rmtree(folder)
        return ran.seconds

    def _identical(self, count: int) -> None:
        """A bucket that holds all documents, beside buckets that hold one each."""
        name = case_name(count)
        equal = self._signatures(f"{name} equal", GeneratedCorpus(count, copies=1, exact=1, decoys=0))
        different = self._signatures(f"{name} different", GeneratedCorpus(count, copies=0))
        self.results.append(
            row("gristmill", f"{name} equal", "time over that of different ones", equal / different, "times")
        )
        self.checks[f"{name} equal documents take at most {MOST_FOR_EQUAL} times as long as different ones"] = (
            equal <= MOST_FOR_EQUAL * different
        )

    def _few_and_many(self, count: int) -> None:
        """Corpora that the constants of the forecast were not fitted to."""
        for copies in FEW_AND_MANY:
            generated = GeneratedCorpus(count, copies=copies)
            case = f"{case_name(count)} signatures, {copies:.0%} copies"
            self._signatures(case, generated, 1 - generated.true_clusters / count)

    def _ours(self, case: str, found: dict[str, Any], ran: process.Ran) -> None:
        seconds, documents = ran.seconds, found["documents"]
        self.results += [
            row("gristmill", case, "seconds", seconds, "s"),
            row("gristmill", case, "documents_per_s", documents / seconds, "documents/s"),
            row("gristmill", case, "core_seconds", ran.core_seconds, "core-s"),
            row("gristmill", case, "peak_rss_mb", ran.peak_mb, "MB"),
            row("gristmill", case, "documents_removed", found["removed"], "documents"),
            *(row("gristmill", f"{case}, {job}", "seconds", taken, "s") for job, taken in found["seconds"].items()),
        ]
        if "sign" in found["seconds"]:
            self.results.append(row("gristmill", case, "mb_per_s", found["text_bytes"] / 1e6 / seconds, "MB/s"))

    def _against_truth(self, case: str, generated: GeneratedCorpus, folder: Path) -> None:
        """Rows of clusters in the order of their keys are the rows of the corpus."""
        import pyarrow.parquet as pq

        columns = [
            pq.read_table(path, columns=["key", "cluster", "kept"], partitioning=None)
            for path in sorted((folder / "out" / "clusters").glob("*/*.parquet"))
        ]
        keys, cluster, kept = (
            np.concatenate([table[name].to_numpy() for table in columns]) for name in ("key", "cluster", "kept")
        )
        agreement = adjusted_rand_index(generated.labels(), cluster)
        truth = generated.true_clusters
        self.results += [
            row("gristmill", case, "adjusted_rand_index", agreement, "ARI"),
            row("truth", case, "documents_removed", len(keys) - truth, "documents"),
        ]
        self.checks |= {
            f"{case}: every document has its cluster": bool(np.array_equal(keys, generated.keys())),
            f"{case}: adjusted Rand index of at least {LEAST_AGREEMENT}": agreement >= LEAST_AGREEMENT,
            f"{case}: removed as many as are copies, within {MOST_MISCOUNTED:.1%} of the documents": abs(
                int(kept.sum()) - truth
            )
            <= MOST_MISCOUNTED * len(keys),
        }

    def _forecast(
        self, case: str, forecast: dict[str, float], found: dict[str, Any], ran: process.Ran, binding: Iterable[str]
    ) -> None:
        """Puts the forecast beside what happened; what is named in ``binding`` has to be near it."""
        happened = found["happened"] | {
            "peak memory, bytes": round(ran.peak_mb * 1e6),
            "seconds": round(ran.seconds, 1),
            "core-seconds": round(ran.core_seconds, 1),
        }
        errors = {what: forecast[what] / value - 1 for what, value in happened.items() if what in forecast}
        self.forecasts[case] = {
            what: {"forecast": forecast[what], "happened": happened[what], "error": round(error, 3)}
            for what, error in errors.items()
        }
        for what, error in errors.items():
            if what in binding:
                self.checks[f"{case}: {what} as forecast, within {FORECAST_ERROR:.0%}"] = abs(error) <= FORECAST_ERROR

    def _compare(self, case: str, found: dict[str, Any], ran: process.Ran, folder: Path, truth: int | None) -> None:
        documents = folder / "out" / "documents"
        for name in self.peers:
            scratch = folder / name
            scratch.mkdir()
            command = ["-m", f"benchmarks.peers.{PEERS[name]}", str(documents), str(scratch)]
            try:
                theirs = process.run([*command, "--workers", str(self._arguments.workers)], PEER_TIMEOUT)
            except process.Failed as error:
                self.notes.append(f"{name} on {case}: {error}")
                continue
            said = json.loads(theirs.last_line)
            version = f"{name} {importlib.metadata.version(name)}"
            self.results += [
                row(version, case, "seconds", theirs.seconds, "s"),
                row(version, case, "documents_per_s", found["documents"] / theirs.seconds, "documents/s"),
                row(version, case, "mb_per_s", found["text_bytes"] / 1e6 / theirs.seconds, "MB/s"),
                row(version, case, "peak_rss_mb", theirs.peak_mb, "MB"),
                row(version, case, "documents_removed", said["removed"], "documents"),
                *(row(version, f"{case}, {stage}", "seconds", s, "s") for stage, s in said["seconds"].items()),
            ]
            ratio = round(theirs.seconds / ran.seconds, 1)
            self.ratios[f"{name}, {case}"] = ratio
            if case == case_name(RATIO_CASE):
                self.ratios[name] = ratio
                if name == "datatrove":
                    self.checks[f"{case}: at least {LEAST_RATIO} times as fast as datatrove"] = ratio >= LEAST_RATIO
            if truth is not None:  # it did the work that it is timed for; Chinese it does not cut into words
                copies = found["documents"] - truth
                self.checks[f"{case}: {name} removed 70 to 105 % of the copies"] = (
                    0.7 * copies <= said["removed"] <= 1.05 * copies
                )

    def _scaling(self) -> None:
        """Between two sizes: what match and cluster cost a document, less start-up, against log n; and what more cost.

        The second is what ``pipeline.dedup_forecast.Costs`` holds: core-seconds on the machine that its ``sort`` is of.
        """
        for small, large in itertools.pairwise(sorted(self.runs)):
            (before, jobs_before, _), (after, jobs_after, slower) = self.runs[small], self.runs[large]
            grown = self._each(large) / self._each(small) / (math.log(large) / math.log(small))
            case = f"{case_name(small)} to {case_name(large)}"
            self.results.append(row("gristmill", case, "growth of match and cluster", grown, "of n log n"))
            if small >= LEAST_SCALING:
                self.checks[f"{case}: match and cluster grow no faster than n log n"] = grown <= 1
            each = {job: (jobs_after[job] - jobs_before[job]) / (large - small) for job in jobs_after}
            core_seconds = (after.core_seconds - before.core_seconds) / (large - small)
            seconds = (after.seconds - before.seconds) / (large - small)
            self.costs[case] = {
                "sign, core-s a document": each["sign"],
                "match, core-s a document with its pairs": each["match"] / slower,
                "cluster, core-s a document with its pairs": each["cluster"] / slower,
                "start-up, s": (after.seconds - seconds * large) / slower,
                "busy": core_seconds / seconds / self._arguments.workers,
                "slower": slower,
            }

    def _each(self, count: int) -> float:
        """Core-seconds of match and cluster for a document of a run, beyond those of the warm-up."""
        jobs = self.runs[count][1]
        return sum(jobs[job] - self.start_up[job] for job in ("match", "cluster")) / (count - WARM_UP)


def _make_documents(given: dict[str, Any], folder: Path) -> None:
    from benchmarks.generated.files import new_corpus, write_documents

    config = {"engine": {"workers": given.pop("workers")}}
    write_documents(GeneratedCorpus(**given), new_corpus(folder / "out", config))


def _make_signatures(given: dict[str, Any], folder: Path) -> None:
    from benchmarks.generated.files import new_corpus, write_signatures

    config = {"engine": {"workers": given.pop("workers")}}
    write_signatures(GeneratedCorpus(**given), new_corpus(folder / "out", config))


def _snapshot_corpus(given: dict[str, Any], folder: Path) -> Any:
    from pipeline import config_file
    from pipeline.corpus import Corpus

    source = {"name": "snapshots", "format": "wet", "paths": [f"{SNAPSHOTS}/{{dump}}.warc.wet.gz"]}
    engine = {"workers": given["workers"]}
    raw = {"name": "snapshots", "output": str(folder / "out"), "sources": [source], "engine": engine}
    return Corpus(config_file.parse(raw))


def _ingest_snapshots(given: dict[str, Any], folder: Path) -> None:
    from pipeline import stages

    stages.run(_snapshot_corpus(given, folder), ["ingest"], Watch())


def _opened(given: dict[str, Any], folder: Path) -> Any:
    """The corpus that lies below a folder, as its config there says."""
    from pipeline import config_file
    from pipeline.corpus import Corpus

    config = folder / "out" / "corpus.yaml"
    if config.exists():
        return Corpus(config_file.load(config))
    from benchmarks.generated.files import new_corpus

    return new_corpus(folder / "out", {"engine": {"workers": given["workers"]}})


def _forecast(given: dict[str, Any], folder: Path) -> dict[str, float]:
    """What ``gristmill dedup --dry-run`` says; of signatures that lie there nothing is signed."""
    from pipeline.dedup_forecast import forecast, try_out
    from pipeline.workload import workload_of

    corpus = replace(_opened(given, folder), read_only=True)
    workload = workload_of(corpus)
    machine = try_out(corpus, workload, given["workers"])
    if given.get("signed"):
        workload = replace(workload, unsigned_bytes=0)
    if given.get("share") is not None:
        workload = replace(workload, removed_share=given["share"])
    found = forecast(corpus, workload, machine, given["workers"])
    signatures = {} if given.get("signed") else {"signatures, bytes": found.signature_bytes}
    return signatures | {
        "shuffled, bytes": found.shuffle_bytes,
        "peak memory, bytes": found.local_memory,
        "seconds": round(found.seconds(given["workers"]), 1),
        "core-seconds": round(found.core_seconds, 1),
        "slower": machine.slower,
    }


def _dedup(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The stage as ``gristmill dedup`` runs it."""
    from benchmarks.measuring.shuffled import counting
    from pipeline import stages

    corpus, watch = _opened(given, folder), Watch()
    with counting() as shuffled:
        stages.run(corpus, ["dedup"], watch)
    return _told(corpus, watch, shuffled.bytes)


def _match_and_cluster(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The jobs after signing, on signatures that lie there."""
    from benchmarks.measuring.shuffled import counting
    from pipeline import job, manifests, stages

    corpus, watch = _opened(given, folder), Watch()
    with counting() as shuffled:
        for each in stages.jobs("dedup", corpus.config)[1:]:
            begun = time.monotonic()
            watch.started("dedup", each.name)
            job.run(each, corpus)
            manifest = manifests.read_manifest(corpus.folder(each.folder)) or {}
            watch.finished("dedup", each.name, manifest, time.monotonic() - begun, True)
    return _told(corpus, watch, shuffled.bytes)


def _told(corpus: Any, watch: Watch, shuffled: int) -> dict[str, Any]:
    counts = watch.counts["cluster"]
    signatures = sum(file.bytes for receipt in corpus.receipts("signatures") for file in receipt.outcome.files)
    return {
        "documents": counts["documents"],
        "removed": counts["removed"],
        "text_bytes": corpus.manifest("documents")["counts"]["text_bytes"],
        "seconds": watch.seconds,
        "core_seconds": watch.core_seconds,
        "happened": {
            "signatures, bytes": signatures,
            "shuffled, bytes": shuffled,
        },
    }


CHILDREN: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "documents": _make_documents,
    "signatures": _make_signatures,
    "snapshots": _ingest_snapshots,
    "forecast": _forecast,
    "dedup": _dedup,
    "match and cluster": _match_and_cluster,
}


if __name__ == "__main__":
    sys.exit(main())
