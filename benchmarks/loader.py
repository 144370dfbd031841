"""Reading training samples from shards on one core: speed, start-up, resuming, and what a step waits for.

    python -m benchmarks.loader --json
    python -m benchmarks.loader --tokens 1G --json

The shards are generated (`benchmarks/generated/shards.py`), so that every sample read can be compared with what it must
be; they are read once before, so that they lie in memory. The peer is what one writes without a loader: a flat file of
uint32 under `np.memmap`, a torch `Dataset` and its shuffled `DataLoader`, which checks nothing and cannot go on in the
middle. Start-up is from the folder's name to the first batch, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.generated.shards import VOCABULARY, expected, write_shards
from benchmarks.harness import against, finish, machine, row
from training.config import training_config
from training.data import Loader
from training.stream import check_tokens, open_split
from training.trainer import train

CONTEXTS = (512, 2048, 4096)
BATCH_TOKENS = 1 << 17
LATE = 1_000_000  # the step of the resumed run
TARGETS = {"tokens per second": 50e6, "start-ups per second": 1, "time of a step 0 over that of step 10⁶": 0.8}
UNITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=_amount, default=100 * 10**6, help="tokens of the shards: 100M, 1G")
    parser.add_argument("--seconds", type=float, default=2.0, help="of reading for a figure")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    parser.add_argument("--start", choices=STARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.start:
        print(json.dumps(STARTS[arguments.start](arguments.folder)))
        return 0
    with tempfile.TemporaryDirectory(prefix="loader-") as folder:
        return finish(measure(Path(folder), arguments.tokens, arguments.seconds), arguments.json)


def measure(folder: Path, tokens: int, seconds: float) -> dict[str, Any]:
    """The report of shards of so many tokens, written below ``folder``."""
    shards, flat = folder / "shards", folder / "tokens.bin"
    write_shards(shards, tokens)
    split = open_split(shards)
    with open(flat, "wb") as file:
        for segment in split.segments:  # reads every shard once: from here on they are warm
            file.write(segment)
    results, checks, speeds = [], {}, {}
    for context in CONTEXTS:
        count = BATCH_TOKENS // context
        loader = _loader(shards, context)
        rates = {
            "gristmill": _rate(lambda step, r=loader, n=count: r.batch(step * n, n)[:, :-1].size, seconds),
            "gristmill, with documents": _rate(
                lambda step, r=loader, n=count: r.batch(step * n, n)[:, :-1].size + 0 * r.documents(step * n, n).size,
                seconds,
            ),
            "torch DataLoader": _rate_of_peer(flat, context, count, seconds),
        }
        results += [
            row(system, f"context {context}", "tokens_per_s", rate, "tokens/s") for system, rate in rates.items()
        ]
        speeds[context] = rates
        checks[f"samples of {context} tokens are those of the shards"] = _right(loader, count)
    mixed = Loader([split] * 3, [0.5, 0.3, 0.2], 4096, 0, VOCABULARY)
    rate = _rate(lambda step: mixed.batch(step * 32, 32)[:, :-1].size, seconds)
    results.append(row("gristmill", "context 4096, a mixture of three", "tokens_per_s", rate, "tokens/s"))

    starts = {name: [_in_process(name, folder) for _ in range(3)] for name in STARTS}
    medians = {name: statistics.median(found) for name, found in starts.items()}
    results += [row(SYSTEMS[name], name, "seconds", value, "s") for name, value in medians.items()]

    first, late = (_first_batches(shards, step) for step in (0, LATE))
    results += [
        row("gristmill", f"first batch of a run that goes on at step {step:,}", "seconds", value, "s")
        for step, value in ((0, first), (LATE, late))
    ]
    waited, whole = _waiting(shards, folder / "run")
    results.append(
        row("gristmill", "waiting for data", "share", waited / whole, "of a step of the 2m model on this CPU")
    )

    loader = _loader(shards, 4096)
    halves = [loader.batch(LATE * 8 + 4 * rank, 4) for rank in (0, 1)]
    checks["two ranks read the halves of what one reads"] = bool(
        np.array_equal(np.concatenate(halves), _loader(shards, 4096).batch(LATE * 8, 8))
    )
    samples = int(loader.samples[0])
    _, order, _ = loader.locate(np.arange(3 * samples, 4 * samples))
    checks["an epoch holds every sample once"] = bool(np.array_equal(np.sort(order), np.arange(samples)))
    measured = {
        "tokens per second": speeds[4096]["gristmill"],
        "start-ups per second": 1 / medians["start-up"],
        "time of a step 0 over that of step 10⁶": first / late,
    }
    return {
        "name": "loader",
        "machine": machine(),
        "input": {"documents": sum(len(bounds) - 1 for bounds in split.bounds), "bytes": 4 * split.tokens,
                  "tokens": split.tokens},
        "results": results,
        "ratios": {
            "torch DataLoader": round(
                speeds[4096]["gristmill"] / speeds[4096]["torch DataLoader"], 2
            )
        },
        "checks": checks,
        "targets": against(TARGETS, {name: round(value, 3) for name, value in measured.items()}),
    }  # fmt: skip


def _loader(shards: Path, context: int) -> Loader:
    return Loader([open_split(shards)], [1.0], context, 0, VOCABULARY)


def _rate(read: Callable[[int], int], seconds: float) -> float:
    """Tokens a second of processor time, over new steps all the time."""
    read(0)
    tokens, step, began = 0, 1, time.process_time()
    while time.process_time() - began < seconds:
        tokens, step = tokens + read(step), step + 1
    return tokens / (time.process_time() - began)


class _Flat(torch.utils.data.Dataset):
    """Samples of a flat file of tokens."""

    def __init__(self, path: Path, context: int):
        self.tokens, self.context = np.memmap(path, np.uint32, "r"), context

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.from_numpy(self.tokens[i * self.context : (i + 1) * self.context + 1].astype(np.int64))


def _peer(path: Path, context: int, count: int) -> Any:
    return iter(torch.utils.data.DataLoader(_Flat(path, context), batch_size=count, shuffle=True))


def _rate_of_peer(path: Path, context: int, count: int, seconds: float) -> float:
    batches = _peer(path, context, count)

    def read(step: int) -> int:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:  # an epoch is over
            batches = _peer(path, context, count)
            batch = next(batches)
        return batch[:, :-1].numel()

    return _rate(read, seconds)


def _right(loader: Loader, count: int) -> bool:
    for step in (0, 1, 77, LATE):
        batch = loader.batch(step * count, count)
        _, samples, _ = loader.locate(np.arange(step * count, (step + 1) * count))
        places = samples[:, None] * loader.context + np.arange(loader.context + 1)
        if not np.array_equal(batch, expected(places)):
            return False
    return True


def _first_batches(shards: Path, step: int) -> float:
    """Seconds to the first batch of a loader that goes on at a step; the median of many, each at a step of its own."""
    split, seconds = open_split(shards), []
    for i in range(200):
        began = time.perf_counter()
        Loader([split], [1.0], 4096, 0, VOCABULARY).batch((step + i) * 8, 8)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def _waiting(shards: Path, run: Path) -> tuple[float, float]:
    """Seconds that the steps of a small model waited for data, and their seconds altogether."""
    train(
        training_config({
            "model": {"preset": "2m"}, "data": {"shards": str(shards), "batch": 8, "context": 256}, "output": str(run),
            "steps": 8, "schedule": {"warmup_steps": 1}, "checkpoint": {"every": 100}, "threads": 1, "device": "cpu",
        })
    )  # fmt: skip
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][1:]
    return sum(r["parts"]["data"] for r in rows), sum(r["seconds"] for r in rows)


def _start(folder: Path) -> float:
    began = time.perf_counter()
    split = open_split(folder / "shards")
    check_tokens([split], VOCABULARY)
    Loader([split], [1.0], 4096, 0, VOCABULARY).batch(0, 8)
    return time.perf_counter() - began


def _start_verified(folder: Path) -> float:
    began = time.perf_counter()
    split = open_split(folder / "shards", verify=True)
    check_tokens([split], VOCABULARY, thorough=True)
    return time.perf_counter() - began


def _start_of_peer(folder: Path) -> float:
    began = time.perf_counter()
    next(_peer(folder / "tokens.bin", 4096, 8))
    return time.perf_counter() - began


STARTS: dict[str, Callable[[Path], float]] = {
    "start-up": _start, "start-up, every byte checked": _start_verified, "start-up of the peer": _start_of_peer,
}  # fmt: skip
SYSTEMS = dict(zip(STARTS, ("gristmill", "gristmill", "torch DataLoader"), strict=True))


def _in_process(start: str, folder: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.loader", "--start", start, "--folder", str(folder)]
    return float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _amount(text: str) -> int:
    return int(float(text[:-1]) * UNITS[text[-1].upper()]) if text[-1].upper() in UNITS else int(text)


if __name__ == "__main__":
    sys.exit(main())
