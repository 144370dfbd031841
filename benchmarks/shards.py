"""From filtered documents to shards: tokenize, shuffle and write, through the pipeline's own jobs.

    python -m benchmarks.shards --json
    python -m benchmarks.shards --bytes 20M 300M --json

The text is that of the snapshot dumps; with ``--bytes``, that of ``novel_text`` in other sizes, from which follows what
starting costs and what each further MB does. A corpus is made once, with nothing deduplicated or filtered away. Then
stage tokenize runs again and again in processes of their own, with one worker and with two. The encoder alone runs over
the same documents in one thread; the share of the time spent outside of it is what one worker's run takes beyond that:
starting, reading Parquet, copies, runs, merging shards, checksums, and Beam.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import SNAPSHOTS, Watch, finish, machine, parse_size, row
from benchmarks.novel_text import write_parts


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", default=str(SNAPSHOTS / "*.warc.wet.gz"), help="glob of WET files")
    parser.add_argument("--bytes", nargs="+", default=[], metavar="SIZE", help="of made-up text instead, such as 300M")
    parser.add_argument("--vocabulary", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    parser.add_argument("--part", choices=["prepare", "tokenize", "encoder"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(_PARTS[arguments.part](arguments)))
        return 0

    sizes = [parse_size(size) for size in arguments.bytes] or [None]
    found = [_measured(arguments, size) for size in sizes]
    results = [row for each in found for row in each["results"]]
    report = {
        "name": "shards",
        "machine": machine(),
        "input": {name: found[-1][name] for name in ("documents", "bytes", "tokens")},
        "results": results + (_per_megabyte(found) if len(found) > 1 else []),
        "ratios": {},
        "checks": {check: good for each in found for check, good in each["checks"].items()},
    }
    return finish(report, arguments.json)


def _measured(arguments: argparse.Namespace, size: int | None) -> dict[str, Any]:
    """Rows and checks for one text."""
    with tempfile.TemporaryDirectory() as folder:
        counts = _in_process(arguments, "prepare", folder, size=size)
        runs = {
            n: [_in_process(arguments, "tokenize", folder, n, size) for _ in range(arguments.runs + 1)][1:]
            for n in (1, 2)
        }
        alone = [_in_process(arguments, "encoder", folder, size=size) for _ in range(arguments.runs)]
    megabytes, tokens = counts["bytes"] / 1e6, runs[1][0]["tokens"]
    text = f"{megabytes:.0f} MB"
    results = []
    whole = {}
    for workers, some in runs.items():
        case = f"{text}, {workers} worker{'s' * (workers > 1)}"
        seconds = {job: statistics.median(run["seconds"][job] for run in some) for job in ("encode", "tokenize")}
        whole[workers] = sum(seconds.values())
        results += [
            row("gristmill", case, "mb_per_s", megabytes / whole[workers], "MB/s"),
            row("gristmill", case, "tokens_per_s", tokens / whole[workers], "tokens/s"),
            row("gristmill", f"{case}: encode into runs", "seconds", seconds["encode"], "s"),
            row("gristmill", f"{case}: merge into shards", "seconds", seconds["tokenize"], "s"),
        ]
    encoder = statistics.median(run["seconds"] for run in alone)
    results += [
        row("gristmill", f"{text}, the encoder alone", "mb_per_s", megabytes / encoder, "MB/s"),
        row("gristmill", f"{text}, outside the encoder", "share", 1 - encoder / whole[1], "of one worker's time"),
    ]
    hashes = {json.dumps(run["files"]) for some in runs.values() for run in some}
    checks = {
        f"every run wrote the same bytes, {text}": len(hashes) == 1,
        f"the encoder alone gave as many tokens, {text}": {run["tokens"] + counts["documents"] for run in alone}
        == {tokens},
    }
    seconds = {"1 worker": whole[1], "2 workers": whole[2], "the encoder alone": encoder}
    return {"results": results, "checks": checks, "seconds": seconds, "tokens": tokens} | counts


def _per_megabyte(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What starting costs, and the speed without it: a straight line through the smallest and the largest text."""
    first, last = found[0], found[-1]
    rows = []
    for case in first["seconds"]:
        per_byte = (last["seconds"][case] - first["seconds"][case]) / (last["bytes"] - first["bytes"])
        start = first["seconds"][case] - per_byte * first["bytes"]
        rows += [
            row("gristmill", f"{case}, without its start", "mb_per_s", 1e-6 / per_byte, "MB/s"),
            row("gristmill", f"{case}, its start", "seconds", start, "s"),
        ]
    return rows


def _in_process(
    arguments: argparse.Namespace, part: str, folder: str, workers: int = 2, size: int | None = None
) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.shards", "--part", part, "--folder", folder, "--wet", arguments.wet]
    command += ["--vocabulary", str(arguments.vocabulary), "--workers", str(workers)]
    command += ["--bytes", str(size)] if size else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _corpus(arguments: argparse.Namespace) -> Any:
    from pipeline import config_file
    from pipeline.corpus import Corpus

    raw = {
        "name": "benchmark",
        "output": str(arguments.folder / "out"),
        "sources": [_source(arguments)],
        "dedup": {"min_cluster_size": 10**9},  # nothing goes: all text is tokenized
        "filter": {"presets": []},
        "tokenizer": {"vocabulary": arguments.vocabulary},
        "shards": {"tokens_per_shard": 1 << 22},
        "engine": {"workers": arguments.workers},
    }
    return Corpus(config_file.parse(raw))


def _source(arguments: argparse.Namespace) -> dict[str, Any]:
    if not arguments.bytes:
        return {"name": "wet", "format": "wet", "paths": [arguments.wet.replace("*", "{dump}", 1)]}
    return {"name": "made-up", "format": "parquet", "dump": "one", "paths": [str(arguments.folder / "text/*.parquet")]}


def prepare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything up to the tokenizer; documents and bytes of the mixture."""
    from pipeline import stages

    if arguments.bytes:
        (arguments.folder / "text").mkdir()
        write_parts(arguments.folder / "text", parse_size(arguments.bytes[0]))
    watch = Watch()
    stages.run(_corpus(arguments), stages.until("tokenizer"), watch)
    return {"documents": watch.counts["select"]["kept"], "bytes": watch.counts["select"]["kept_bytes"]}


def tokenize(arguments: argparse.Namespace) -> dict[str, Any]:
    """The stage from nothing; seconds of its two jobs, tokens, and the checksums of its shards."""
    from pipeline import stages

    for name in ("runs", "shards"):
        shutil.rmtree(arguments.folder / "out" / name, ignore_errors=True)
    watch = Watch()
    stages.run(_corpus(arguments), ["tokenize"], watch)
    index = json.loads((arguments.folder / "out" / "shards" / "shards.json").read_text())
    files = [file["sha256"] for split in index["splits"].values() for file in split["files"]]
    return {"seconds": watch.seconds, "tokens": watch.counts["tokenize"]["tokens"], "files": files}


def encoder_alone(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of encoding all documents, batch by batch as the job does, by one thread with an empty word cache."""
    import pyarrow as pa

    from pipeline.parts import read_part
    from tokenizer import formats
    from tokenizer.encoder import Encoder

    out = arguments.folder / "out"
    tokenizer = formats.load(out / "tokenizer")
    Encoder(tokenizer).encode(pa.array(["compile the kernels"]))
    encoder = Encoder(tokenizer)
    paths = sorted(str(path) for path in (out / "filtered").glob("*/*.parquet"))
    batches = [batch["text"] for path in paths for batch in read_part(path, ["text"])]
    started = time.perf_counter()
    tokens = sum(len(encoder.encode(texts).tokens) for texts in batches)
    return {"seconds": time.perf_counter() - started, "tokens": tokens}


_PARTS = {"prepare": prepare, "tokenize": tokenize, "encoder": encoder_alone}

if __name__ == "__main__":
    sys.exit(main())
