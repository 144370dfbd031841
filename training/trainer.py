"""The training loop: read a batch, make a step, write a row; validate and save when due.

``train`` is the whole of it. A run is a folder: ``config.yaml``, ``metrics.jsonl`` (a row a step, and a row a
validation), ``tokenizer/``, ``checkpoints/step-NNNNNNN/``. Starting a run whose folder has checkpoints resumes it at
the newest whole one, and from there every number is the same as if it had never stopped. Under torchrun all processes
run this loop in step, each on its part of every batch; rank 0 writes and prints.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import checkpoint
from training.background import Saved
from training.config import TrainingConfig
from training.data import prefetch
from training.device import explained_memory_errors
from training.evaluate import Score, score, total
from training.metrics import MetricsLog, validation_row
from training.pieces import State
from training.ranks import Ranks, joined
from training.run import Run, Watcher, start
from training.signals import stop_signals
from training.step import bad_gradient, memory_advice, read_batch, train_step


@dataclass(frozen=True)
class Summary:
    """How a run, or this part of it, ended."""

    steps: int
    tokens: int
    first_loss: float
    last_loss: float
    validation: Score | None
    checkpoint: Path
    finished: bool  # False when SIGTERM or Ctrl-C stopped it after saving
    seconds: float


def train(
    config: TrainingConfig, watch: Watcher = lambda event, facts: None, allow_changes: Sequence[str] = ()
) -> Summary:
    """Trains to the end of the run, from the newest whole checkpoint in its folder if there is one.

    Raises TrainingError (a ValueError) with the key or file, the value and the remedy. When any rank gets SIGTERM or
    SIGINT, all finish the step, save and return. ``allow_changes`` names keys that may differ from the checkpoint's.
    """
    with joined() as ranks, explained_memory_errors(memory_advice(config, ranks.world)):
        with stop_signals(alone=ranks.world == 1) as signals:
            run = start(config, watch if ranks.first else _silent, allow_changes, ranks)
            run.signals = signals
            with closing(run.writer):
                return _loop(run, watch if ranks.first else _silent)


def _loop(run: Run, watch: Watcher) -> Summary:
    began = time.monotonic()
    config, final = run.config, run.config.total_steps
    first = last = float("nan")
    validated: dict[str, Score] = {}
    with MetricsLog(run.folder, run.step, config.metrics.tensorboard, write=run.ranks.first) as metrics:

        def record(event: str, row: Mapping[str, Any]) -> None:
            metrics.write(row)
            watch(event, row)

        if run.step == 0 and run.validation:
            validated = validate(run)
            record("validation", validation_row(run.step, validated))
        saved = run.step if checkpoint.found(run.folder / "checkpoints") else -1
        run.clock.start()
        for batch in prefetch(lambda step: read_batch(run, step), run.step, final):
            run.clock.mark("data")
            row = train_step(run, batch)
            record("step", row)
            if row["loss"] is not None:
                last, first = row["loss"], (row["loss"] if first != first else first)  # nan is not itself
            ending = run.step == final or run.stopping
            every = config.validation.every
            if run.validation and every and (run.step % every == 0 or run.step == final):
                validated = validate(run)
                record("validation", validation_row(run.step, validated))
            if ending or run.step % config.checkpoint.every == 0:
                save(run, watch)
                saved = run.step
            _report(run.writer.finished(), watch)
            if row["gradient_norm"] is None:
                watch("warning", {"message": bad_gradient(run)})
            if ending:
                break
            run.clock.start()
        if saved != run.step:
            save(run, watch)
        _report(run.writer.wait(), watch)
    run.ranks.gather(None)  # rank 0 has finished the last checkpoint
    summary = Summary(
        run.step, run.cursor * config.context, first, last,
        total(list(validated.values())) if validated else None,
        run.folder / "checkpoints" / f"step-{run.step:07d}", run.step == final, time.monotonic() - began,
    )  # fmt: skip
    watch("end", {
        "step": run.step, "first_loss": first, "last_loss": last, "finished": summary.finished,
        "seconds": summary.seconds, "checkpoint": str(summary.checkpoint),
    })  # fmt: skip
    return summary


def validate(run: Run) -> dict[str, Score]:
    """Scores the model on every validation set, up to the configured number of tokens in each, all ranks together."""
    config = run.config
    batch = min(config.data.micro_batch or config.data.batch, config.data.batch // run.ranks.world)
    most, masked = config.validation.tokens, config.data.mask_documents
    return {
        name: score(run.model, split, config.context, batch, most, run.lengths, masked, run.ranks)
        for name, split in run.validation.items()
    }


def save(run: Run, watch: Watcher) -> None:
    """Starts writing a checkpoint; those that the policy does not keep go when it is whole."""
    facts = {
        **run.facts, "cursor": run.cursor, "updates": run.optimizer.steps, "skipped": run.optimizer.skipped,
        "ranks": run.ranks.world,
    }  # fmt: skip
    state: State = {**run.optimizer.layout.state(), **checkpoint.random_state(run.ranks.rank)}
    _report(run.writer.save(run.step, state, facts), watch)


def _report(finished: Iterable[Saved], watch: Watcher) -> None:
    for saved in finished:
        watch("checkpoint", {
            "step": saved.step, "path": str(saved.folder), "stall": saved.stall, "seconds": saved.seconds,
            "bytes": saved.bytes,
        })  # fmt: skip


def _silent(event: str, facts: Mapping[str, Any]) -> None:
    """What ranks other than the first say."""


__all__ = ["Ranks", "Run", "Summary", "Watcher", "save", "start", "train", "train_step", "validate"]
