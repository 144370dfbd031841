"""The training loop: read a batch, add up its gradients, clip, update, write a row; validate and save when due.

``train`` is the whole of it. A run is a folder: ``config.yaml``, ``metrics.jsonl`` (a row a step, and a row a
validation), ``tokenizer/``, ``checkpoints/step-NNNNNNN/``. Starting a run whose folder has checkpoints resumes it at
the newest whole one, and from there every number is the same as if it had never stopped.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import checkpoint
from training.clock import StepClock
from training.config import TrainingConfig, changed_keys, to_mapping, to_yaml
from training.data import Loader, prefetch
from training.device import choose_device, choose_dtype, explained_memory_errors
from training.documents import Packing
from training.errors import ConfigError, TrainingError
from training.evaluate import Score, score, total
from training.flops import parameters, peak_flops, training_flops_per_token
from training.metrics import MetricsLog, speed, validation_row
from training.model import Decoder, empty_model
from training.optimizer import AdamW
from training.schedule import learning_rate_factor
from training.stream import Split, check_tokens, open_sets, validation_sets
from training.token_bytes import copy_tokenizer, find_tokenizer, token_bytes

Watcher = Callable[[str, Mapping[str, Any]], None]
"""Called with ("start" | "step" | "validation" | "checkpoint" | "warning" | "end", its facts) as the run goes."""

Batch = list[tuple[torch.Tensor, Packing | None]]
"""The parts a batch is computed in: tokens int64 [part, context + 1], and their documents where these are masked."""

# Keys that may differ from those under which a checkpoint was written: they do not change what is learned.
_FREE_KEYS = ("output", "checkpoint.", "validation.", "metrics.", "device", "threads", "kernels", "recompute",
              "data.accumulation", "data.verify", "data.shards", "model.preset")  # fmt: skip


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


@dataclass
class Run:
    """Everything a run holds in memory. Of it, ``step`` and the optimizer's tensors change."""

    config: TrainingConfig
    folder: Path
    device: torch.device
    loader: Loader
    validation: dict[str, Split]  # by name
    lengths: np.ndarray | None  # bytes by token
    model: Decoder
    forward: Callable[..., torch.Tensor]  # the model, compiled or not
    optimizer: AdamW
    facts: dict[str, Any]  # of the data and the configuration, saved in every checkpoint
    clock: StepClock
    flops_per_token: float
    peak: float | None  # FLOP/s of all devices together, where it is known
    step: int = 0

    @property
    def cursor(self) -> int:
        """Samples read so far: the loader's whole state."""
        return self.step * self.config.data.batch


def train(
    config: TrainingConfig, watch: Watcher = lambda event, facts: None, allow_changes: Sequence[str] = ()
) -> Summary:
    """Trains to the end of the run, from the newest whole checkpoint in its folder if there is one.

    Raises TrainingError (a ValueError) with the key or file, the value and the remedy. On SIGTERM or SIGINT it finishes
    the step, saves and returns. ``allow_changes`` names keys that may differ from those of the checkpoint.
    """
    began = time.monotonic()
    with explained_memory_errors(_memory_advice(config)), _stop_signals() as stop:
        run = start(config, watch, allow_changes)
        first = last = float("nan")
        final = run.config.total_steps
        validated: dict[str, Score] = {}
        with MetricsLog(run.folder, run.step, config.metrics.tensorboard) as metrics:

            def record(event: str, row: Mapping[str, Any]) -> None:
                metrics.write(row)
                watch(event, row)

            if run.step == 0 and run.validation:
                validated = validate(run)
                record("validation", validation_row(run.step, validated))
            saved = run.step if checkpoint.found(run.folder / "checkpoints") else -1
            run.clock.start()
            for batch in prefetch(lambda step: _batch(run, step), run.step, final):
                run.clock.mark("data")
                row = train_step(run, batch)
                record("step", row)
                if row["loss"] is not None:
                    last, first = row["loss"], (row["loss"] if first != first else first)  # nan is not itself
                ending = run.step == final or bool(stop)
                every = run.config.validation.every
                if run.validation and every and (run.step % every == 0 or run.step == final):
                    validated = validate(run)
                    record("validation", validation_row(run.step, validated))
                if ending or run.step % run.config.checkpoint.every == 0:
                    save(run, watch)
                    saved = run.step
                if row["gradient_norm"] is None:
                    _check_skips(run, watch)
                if ending:
                    break
                run.clock.start()
            if saved != run.step:
                save(run, watch)
    summary = Summary(
        run.step, run.step * config.tokens_per_step, first, last,
        total(list(validated.values())) if validated else None,
        run.folder / "checkpoints" / f"step-{run.step:07d}", run.step == final, time.monotonic() - began,
    )  # fmt: skip
    watch("end", {
        "step": run.step, "first_loss": first, "last_loss": last, "finished": summary.finished,
        "seconds": summary.seconds, "checkpoint": str(summary.checkpoint),
    })  # fmt: skip
    return summary


def start(config: TrainingConfig, watch: Watcher, allow_changes: Sequence[str] = ()) -> Run:
    """Opens the shards, builds the model and restores the newest checkpoint; nothing is trained yet."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("WORLD_SIZE is above 1: this version trains on one device; start it without torchrun")
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # nothing here draws from it today, but its state is part of a checkpoint
    device = choose_device(config.device)
    sets = config.data.shards
    train_splits = open_sets(sets, "train", config.data.verify)
    validation = {}
    if config.validation.every is not None:
        validation = validation_sets(config.validation.shards, sets, train_splits[0], config.data.verify)
    vocabulary = config.model.vocabulary or max(split.vocabulary for split in train_splits)
    config = replace(config, model=replace(config.model, vocabulary=vocabulary))
    check_tokens([*train_splits, *validation.values()], vocabulary, config.data.verify)
    loader = Loader(train_splits, [s.weight for s in sets], config.context, config.data.seed, vocabulary)
    if loader.samples.sum() < config.data.batch:
        raise TrainingError(
            f"data.batch: {config.data.batch} samples of {config.context} tokens are more than the "
            f"{loader.samples.sum()} in the shards; lower data.batch or data.context, or add documents"
        )

    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = find_tokenizer(Path(sets[0].path), train_splits[0].tokenizer)
    if tokenizer:
        copy_tokenizer(tokenizer, folder / "tokenizer")
    model = empty_model(config.model, config.recompute).initialize(config.seed)
    optimizer = AdamW(model, config.optimizer, choose_dtype(config.dtype, device), device)
    model.to(device)  # what is not a weight; those are the optimizer's already
    run = Run(
        config=config, folder=folder, device=device, loader=loader, validation=validation, model=model,
        lengths=token_bytes(tokenizer, vocabulary) if tokenizer else None,
        forward=torch.compile(model) if config.kernels == "compile" else model, optimizer=optimizer,
        clock=StepClock(device), flops_per_token=training_flops_per_token(config.model, config.context),
        peak=_peak(config, device),
        facts={
            "config": to_mapping(config), "tokenizer": train_splits[0].tokenizer, "vocabulary": vocabulary,
            "data": [split.fingerprint for split in train_splits], "torch": torch.__version__,
            "begin_token": train_splits[0].begin_token, "end_token": train_splits[0].end_token,
        },
    )  # fmt: skip
    resumed = checkpoint.newest(folder / "checkpoints", lambda message: watch("warning", {"message": message}))
    if resumed:
        _resume(run, *resumed, allow_changes)
    (folder / "config.yaml").write_text(to_yaml(config))
    counts = parameters(config.model)
    watch("start", {
        "step": run.step, "steps": config.total_steps, "resumed": str(resumed[0]) if resumed else None,
        "parameters": counts.total, "non_embedding": counts.non_embedding, "device": str(device),
        "dtype": str(optimizer.groups[0].working.dtype).removeprefix("torch."),
        "tokens_per_step": config.tokens_per_step, "state_bytes": optimizer.memory(),
        "epochs": config.total_steps * config.tokens_per_step / loader.tokens,
        "flops_per_token": run.flops_per_token, "peak_flops": run.peak,
    })  # fmt: skip
    return run


def train_step(run: Run, batch: Batch) -> dict[str, Any]:
    """One optimizer step; returns its row of metrics (loss from before the update)."""
    config = run.config
    progress = run.step / config.total_steps
    rate = config.optimizer.learning_rate * learning_rate_factor(config.schedule, run.step, progress)
    loss = torch.zeros((), device=run.device)
    run.optimizer.zero()
    for tokens, packing in batch:
        tokens = tokens.to(run.device, non_blocking=True)
        documents = packing.to(run.device) if packing else None
        part_loss = run.forward(tokens[:, :-1], tokens[:, 1:], documents) / config.data.accumulation
        run.clock.mark("forward")
        part_loss.backward()
        loss += part_loss.detach()
        run.clock.mark("backward")
    report = run.optimizer.step(rate)
    run.clock.mark("optimizer")
    run.step += 1
    mean = loss.item()
    return {
        "step": run.step, "tokens": run.step * config.tokens_per_step, "loss": mean if np.isfinite(mean) else None,
        "learning_rate": rate, "gradient_norm": report.gradient_norm if report.applied else None,
        **speed(config.tokens_per_step, run.clock.stop(), run.flops_per_token, run.peak),
    }  # fmt: skip


def validate(run: Run) -> dict[str, Score]:
    """Scores the model on every validation set, up to the configured number of tokens in each."""
    config = run.config
    batch = config.data.batch // config.data.accumulation
    most = config.validation.tokens
    return {
        name: score(run.model, split, config.context, batch, most, run.lengths, config.data.mask_documents)
        for name, split in run.validation.items()
    }


def save(run: Run, watch: Watcher) -> Path:
    """Writes a checkpoint and drops those that the policy does not keep."""
    facts = {**run.facts, "cursor": run.cursor, "updates": run.optimizer.steps, "skipped": run.optimizer.skipped}
    tensors = {**run.optimizer.state(), **checkpoint.random_state()}
    folder = checkpoint.save(run.folder / "checkpoints", run.step, tensors, facts)
    checkpoint.prune(run.folder / "checkpoints", run.config.checkpoint)
    watch("checkpoint", {"step": run.step, "path": str(folder)})
    return folder


def _resume(run: Run, folder: Path, facts: dict[str, Any], allow_changes: Sequence[str]) -> None:
    """Restores a checkpoint, or says which key or which shards differ from those it was written under."""
    free = (*_FREE_KEYS, *allow_changes)
    for key, old, new in changed_keys(facts["config"], run.facts["config"]):
        if not any(key == name or key.startswith(name if name.endswith(".") else f"{name}.") for name in free):
            raise ConfigError(
                f"{key}: {json.dumps(new)}, but the checkpoint {folder} was written under {json.dumps(old)}; set it "
                f"back, choose another output folder, or allow the change with --allow-change {key}"
            )
    if facts["tokenizer"] != run.facts["tokenizer"]:
        raise TrainingError(
            f"data.shards: tokenizer {run.facts['tokenizer'][:12]}, but the checkpoint {folder} learned "
            f"{facts['tokenizer'][:12]}; take shards of that tokenizer or another output folder"
        )
    weights = [[s["weight"] for s in c["config"]["data"]["shards"]] for c in (facts, run.facts)]
    if (facts["data"] != run.facts["data"] or weights[0] != weights[1]) and "data.shards" not in allow_changes:
        raise TrainingError(
            f"data.shards: the shards or their weights are not those that the checkpoint {folder} was trained on; put "
            "them back, choose another output folder, or allow the change with --allow-change data.shards"
        )
    tensors = {**run.optimizer.state(), **checkpoint.random_state()}
    checkpoint.load(folder, {k: v for k, v in tensors.items() if k != "random.cuda"})
    run.optimizer.loaded(facts["updates"], facts["skipped"])
    checkpoint.restore_random_state(tensors)
    run.step = facts["step"]


def _batch(run: Run, step: int) -> Batch:
    """The samples of one step in the parts it is computed in; called ahead of time in the loader's thread."""
    data = run.config.data
    tokens = torch.from_numpy(run.loader.batch(step * data.batch, data.batch))
    if run.device.type == "cuda":
        tokens = tokens.pin_memory()
    packings: Sequence[Packing | None] = [None] * data.accumulation
    if data.mask_documents:
        documents = torch.from_numpy(run.loader.documents(step * data.batch, data.batch))
        packings = [Packing.of(part) for part in documents.chunk(data.accumulation)]
    return list(zip(tokens.chunk(data.accumulation), packings, strict=True))


def _check_skips(run: Run, watch: Watcher) -> None:
    """Reports a step whose gradient was not finite, and ends the run after too many in a row."""
    names = run.optimizer.non_finite()
    where = f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}" if names else "only in the norm"
    message = f"step {run.step}: non-finite gradient ({where}); the update was skipped"
    watch("warning", {"message": message})
    if run.optimizer.skipped >= run.config.optimizer.skip_limit:
        raise TrainingError(
            f"{message}, the {run.optimizer.skipped}th in a row. Lower optimizer.learning_rate, lengthen "
            "schedule.warmup_steps, or look at the samples of these steps; earlier checkpoints are intact"
        )


def _peak(config: TrainingConfig, device: torch.device) -> float | None:
    if config.metrics.peak_tflops is not None:
        return config.metrics.peak_tflops * 1e12
    return peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None


def _memory_advice(config: TrainingConfig) -> str:
    part = config.data.batch // config.data.accumulation
    return (
        f"raise data.accumulation (each part has {part} × {config.context} tokens now), set recompute: true, lower "
        "data.context, or take a smaller model"
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that becomes non-empty when SIGTERM or SIGINT arrives; a second SIGINT interrupts at once."""
    received: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, note)
    except ValueError:  # not the main thread: whoever owns the process handles its signals
        pass
    try:
        yield received
    finally:
        for restored, handler in previous.items():
            signal.signal(restored, handler)
