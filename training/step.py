"""One optimizer step: the parts of a batch forward and backward, then the update; and what is said of a bad one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from training.config import TrainingConfig
from training.documents import Packing
from training.errors import TrainingError
from training.metrics import speed
from training.run import Run
from training.schedule import learning_rate

Batch = list[tuple[torch.Tensor, Packing | None]]
"""The parts a batch is computed in: tokens int64 [part, context + 1], and their documents where these are masked."""


def read_batch(run: Run, step: int) -> Batch:
    """The rank's samples of a step, in the parts they are computed in; called in the loader's thread."""
    data, ranks = run.config.data, run.ranks
    rows = run.config.batches.batch(step) // ranks.world
    first = run.config.batches.samples_before(step) + run.ahead + ranks.rank * rows
    tokens = torch.from_numpy(run.loader.batch(first, rows))
    if run.device.type == "cuda":
        tokens = tokens.pin_memory()
    parts = tokens.split(data.micro_batch or rows)
    packings: Sequence[Packing | None] = [None] * len(parts)
    if data.mask_documents:
        documents = torch.from_numpy(run.loader.documents(first, rows))
        packed = [Packing.of(part) for part in documents.split(data.micro_batch or rows)]
        packings = [packing.pin_memory() for packing in packed] if run.device.type == "cuda" else packed
    return list(zip(parts, packings, strict=True))


def train_step(run: Run, batch: Batch) -> dict[str, Any]:
    """Makes one step; returns its row of metrics (loss from before the update).

    The gradient is that of the mean over the whole batch, however it is divided over parts and ranks: each part counts
    by its share of the samples.
    """
    config, ranks, layout = run.config, run.ranks, run.optimizer.layout
    rate = learning_rate(config, run.step)
    samples = config.batches.batch(run.step)
    told = torch.zeros(2, device=run.device)  # the loss, and whether a rank is asked to stop
    layout.zero()
    for i, (tokens, packing) in enumerate(batch):
        tokens = tokens.to(run.device, non_blocking=True)
        documents = packing.to(run.device) if packing else None
        loss = run.forward(tokens[:, :-1], tokens[:, 1:], documents) * (len(tokens) / samples)
        run.clock.mark("forward")
        layout.backward(loss, last=i == len(batch) - 1)
        told[0] += loss.detach()
        run.clock.mark("backward")
    report = run.optimizer.step(rate)
    run.clock.mark("optimizer")
    told[1] = float(bool(run.signals))
    mean, asked = ranks.sum(told).tolist()
    run.step, run.asked = run.step + 1, asked > 0
    return {
        "step": run.step, "tokens": run.cursor * config.context, "loss": mean if np.isfinite(mean) else None,
        "learning_rate": rate, "gradient_norm": report.gradient_norm if report.applied else None,
        **speed(samples * config.context, run.clock.stop(), run.flops_per_token, run.peak),
    }  # fmt: skip


def bad_gradient(run: Run) -> str:
    """What to say of the step just made, whose gradient was not finite; raises TrainingError after too many in a row.

    Called on all ranks: each looks at its own part of the gradient.
    """
    where = _where(run.optimizer.non_finite(), len(run.optimizer.layout.names))
    message = f"step {run.step}: non-finite gradient ({where}); the update was skipped"
    skipped = run.optimizer.skipped
    if skipped >= run.config.optimizer.skip_limit:
        first = run.step - skipped
        samples = [run.config.batches.samples_before(step) + run.ahead for step in (first, run.step)]
        rate = learning_rate(run.config, run.step - 1)
        raise TrainingError(
            f"{message}, the {skipped}th in a row: steps {first + 1} to {run.step}, samples {samples[0]:,} to "
            f"{samples[1] - 1:,} of the run's order, learning rate {rate:.3g}. Lower optimizer.learning_rate, "
            "lengthen schedule.warmup_steps, or look at these samples (Loader.batch); earlier checkpoints are intact"
        )
    return message


def memory_advice(config: TrainingConfig, world: int) -> str:
    """What to lower when the memory does not suffice."""
    part = min(config.data.micro_batch or config.data.batch, config.data.batch // world)
    lower = [f"lower data.micro_batch (each part has {part} × {config.context} tokens now)"] if part > 1 else []
    if config.recompute != 1:
        lower.append("set recompute: 1")
    if config.parallel.kind != "fully_shard":
        lower.append("share weights and gradients too with parallel.kind: fully_shard under torchrun")
    return ", ".join([*lower, "lower data.context, or take a smaller model"])


def _where(names: list[str], of: int) -> str:
    """The first parameters that hold an inf or a nan, how many do, and in which blocks."""
    if not names:
        return "only in the norm"
    blocks = sorted({int(name.split(".")[1]) for name in names if name.startswith("blocks.")})
    places = sorted({name.split(".")[0] for name in names if not name.startswith("blocks.")})
    if blocks:
        places.append(f"blocks {blocks[0]} to {blocks[-1]}" if len(blocks) > 1 else f"block {blocks[0]}")
    first = f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
    return f"{first}: {len(names)} of {of} parameters, {', '.join(places)}"
