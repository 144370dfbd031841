"""Saving a run: how long training stands still, how long the disk takes, and going on.

    python -m benchmarks.checkpoint --json

A model of random weights trains on generated shards and is saved every few steps: in the background, which is the
default, and on the spot. The stall is what a save takes of the run's time. The other figures are how long a checkpoint
takes until it is whole on the disk with its checksums, what a step takes while one is being written, and how long a run
takes to check and to read it. A resumed run must make the same losses bit for bit, and both ways must write the same
bytes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.generated.shards import write_shards
from benchmarks.harness import against, finish, machine, row
from training.config import training_config
from training.run import start
from training.trainer import train

VOCABULARY, CONTEXT, BATCH = 8192, 256, 1
TARGETS = {"time on the spot over stall": 3}


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="30m", help="the model, of configs/training")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--every", type=int, default=4, help="steps between checkpoints")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        return finish(measure(Path(folder), arguments.preset, arguments.steps, arguments.every), arguments.json)


def measure(folder: Path, preset: str, steps: int, every: int) -> dict[str, Any]:
    """The report of runs written below ``folder``."""
    write_shards(folder / "shards", 2 * steps * BATCH * CONTEXT, vocabulary=VOCABULARY)
    behind, spot = (_run(folder, name, preset, steps, every, name == "behind") for name in ("behind", "spot"))
    last = f"step-{steps:07d}"
    same = {p.name: p.read_bytes() for p in (folder / "behind" / "checkpoints" / last).glob("*.distcp")} == {
        p.name: p.read_bytes() for p in (folder / "spot" / "checkpoints" / last).glob("*.distcp")
    }
    newest = folder / "behind" / "checkpoints" / last
    (newest / "checkpoint.json").unlink()  # as if the last one had been lost
    resumed_in = _resume(folder, preset, steps, every)
    again = _run(folder, "behind", preset, steps, every, True)
    expected = behind["losses"][-every:]

    size = behind["saved"][0]["bytes"]
    stall = statistics.median(s["stall"] for s in behind["saved"])
    on_the_spot = statistics.median(s["stall"] for s in spot["saved"])
    results = [
        row("gristmill", "stall, in the background", "seconds", stall, "s"),
        row("gristmill", "stall, on the spot", "seconds", on_the_spot, "s"),
        row("gristmill", "whole on the disk", "seconds", statistics.median(s["seconds"] for s in behind["saved"]), "s"),
        row("gristmill", "whole on the disk, nothing else running", "mb_per_s", size / 1e6 / on_the_spot, "MB/s"),
        row("gristmill", "a step", "seconds", statistics.median(spot["seconds"]), "s"),
        row("gristmill", "a step, others being written", "seconds", statistics.median(behind["seconds"]), "s"),
        row("gristmill", "checked and read when a run goes on", "seconds", resumed_in, "s"),
    ]
    return {
        "name": "checkpoint",
        "machine": machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()},
        "input": {"documents": 0, "bytes": size},
        "results": results,
        "ratios": {"on the spot": round(on_the_spot / stall, 2)},
        "checks": {
            "a run that goes on makes the same losses": again["losses"] == expected,
            "both ways write the same bytes": same,
        },
        "targets": against(TARGETS, {"time on the spot over stall": on_the_spot / stall}),
    }


def _config(folder: Path, name: str, preset: str, steps: int, every: int, background: bool) -> Any:
    return training_config({
        "model": {"preset": preset, "vocabulary": VOCABULARY}, "output": str(folder / name), "steps": steps,
        "data": {"shards": str(folder / "shards"), "batch": BATCH, "context": CONTEXT},
        "schedule": {"warmup_steps": 2}, "validation": {"every": None},
        "checkpoint": {"every": every, "keep": steps, "background": background},
    })  # fmt: skip


def _run(folder: Path, name: str, preset: str, steps: int, every: int, background: bool) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"losses": [], "seconds": [], "saved": []}

    def watch(event: str, facts: Mapping[str, Any]) -> None:
        if event == "step":
            found["losses"].append(facts["loss"])
            found["seconds"].append(facts["seconds"])
        elif event == "checkpoint":
            found["saved"].append(facts)

    train(_config(folder, name, preset, steps, every, background), watch)
    return found


def _resume(folder: Path, preset: str, steps: int, every: int) -> float:
    """Seconds from a configuration to a run that is ready for its next step."""
    began = time.perf_counter()
    run = start(_config(folder, "behind", preset, steps, every, True), lambda event, facts: None)
    assert run.step == steps - every
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
