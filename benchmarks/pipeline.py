"""The whole main job, from WET files to token shards, stage by stage: MB of text a second, and peak memory.

    python -m benchmarks.pipeline --json
    python -m benchmarks.pipeline --wet 'crawl/*.warc.wet.gz' --workers 2 --runs 3 --json

Every run is a process of its own into a new folder, so that its peak memory is the run's and start-up is counted; a run
before the first compiles the kernels. The medians are quoted. A stage's rate is the text of all input documents over
its seconds, also for stages that see only what dedup and the filters left. Training the tokenizer (counts and merges)
is told apart: it costs the same for any larger corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import SNAPSHOTS, Watch, finish, machine, row

TRAINING = ("count", "tokenizer")
TARGET_MB_PER_S = 8
TARGET_PEAK_MB = 2000


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", default=str(SNAPSHOTS / "*.warc.wet.gz"), help="glob of WET files")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # the folder of a single run, in a process of its own
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_run(arguments.wet, arguments.workers, arguments.vocabulary, Path(arguments.one))))
        return 0

    with tempfile.TemporaryDirectory() as folder:
        runs = [_measured(arguments, Path(folder) / str(i)) for i in range(arguments.runs + 1)][1:]
    first = runs[0]
    megabytes = first["counts"]["ingest"]["text_bytes"] / 1e6
    seconds = {job: statistics.median(run["seconds"][job] for run in runs) for job in first["seconds"]}
    whole = statistics.median(run["wall"] - sum(run["seconds"][job] for job in TRAINING) for run in runs)
    peak = statistics.median(run["peak_mb"] for run in runs)
    results = [row("gristmill", job, "mb_per_s", megabytes / taken, "MB/s") for job, taken in seconds.items()]
    results += [row("gristmill", job, "seconds", taken, "s") for job, taken in seconds.items()]
    results += [
        row("gristmill", "whole run", "mb_per_s", megabytes / whole, "MB/s"),
        row("gristmill", "whole run", "seconds", whole, "s"),
        row("gristmill", "whole run", "peak_rss_mb", peak, "MB"),
        row("gristmill", "tokenizer training", "seconds", sum(seconds[job] for job in TRAINING), "s"),
    ]
    counts = first["counts"]
    checks = {
        "all runs made the same counts": all(run["counts"] == counts for run in runs),
        "records = documents + rejects + skipped": counts["ingest"]["records"]
        == sum(counts["ingest"][name] for name in ("documents", "rejects", "skipped")),
        "dedup: kept + removed = documents": counts["cluster"]["kept"] + counts["cluster"]["removed"]
        == counts["cluster"]["documents"],
        "filter: kept + removed = what dedup kept": counts["decide"]["kept"] + counts["decide"]["removed"]
        == counts["cluster"]["kept"],
        "filter: written + left empty = what the rules keep": counts["select"]["kept"] + counts["select"]["removed"]
        == counts["decide"]["kept"],
        "documents in shards = documents drawn": counts["tokenize"]["documents"] == counts["mix"]["copies"],
    }
    report = {
        "name": "pipeline",
        "machine": machine() | {"workers": arguments.workers},
        "input": {"documents": counts["ingest"]["documents"], "bytes": counts["ingest"]["text_bytes"]},
        "results": results,
        "ratios": {},
        "checks": checks,
        "targets": {"mb_per_s": TARGET_MB_PER_S, "peak_rss_mb": TARGET_PEAK_MB},
    }
    return finish(report, arguments.json)


def _measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.pipeline", "--one", str(folder)]
    command += ["--wet", arguments.wet, "--workers", str(arguments.workers)]
    command += ["--vocabulary", str(arguments.vocabulary)]
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) | {"wall": time.monotonic() - started}


def one_run(wet: str, workers: int, vocabulary: int, output: Path) -> dict[str, Any]:
    """Runs all stages; seconds and counts by job, and the peak memory of this process in MB."""
    from pipeline import config_file, stages
    from pipeline.corpus import Corpus

    raw = {
        "name": "benchmark",
        "output": str(output),
        "sources": [{"name": "wet", "format": "wet", "paths": [wet.replace("*", "{dump}", 1)]}],
        "filter": {
            "presets": ["gopher-repetition", {"name": "gopher-quality", "languages": ["en"]}, "chinese"],
        },
        "tokenizer": {"vocabulary": vocabulary},
        "engine": {"workers": workers},
    }
    watch = Watch()
    stages.run(Corpus(config_file.parse(raw)), stages.until(None), watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"seconds": watch.seconds, "counts": watch.counts, "peak_mb": peak}


if __name__ == "__main__":
    sys.exit(main())
