"""What a run holds in memory, and how it is put together: shards, model, optimizer, the newest checkpoint."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training import checkpoint
from training.background import Writer
from training.clock import StepClock
from training.config import TrainingConfig, to_mapping, to_yaml
from training.data import Loader
from training.data_parallel import DataParallel
from training.device import choose_device, choose_dtype
from training.errors import ConfigError, TrainingError
from training.flops import parameters, peak_flops, training_flops_per_token
from training.fully_sharded import FullySharded
from training.model import Decoder, model_without_weights
from training.optimizer import AdamW, Layout, set_weights
from training.ranks import ALONE, Ranks
from training.resume import check_same_data, check_unchanged
from training.stream import Split, check_tokens, open_sets, validation_sets
from training.token_bytes import copy_tokenizer, find_tokenizer, token_bytes

Watcher = Callable[[str, Mapping[str, Any]], None]
"""Called with ("start" | "step" | "validation" | "checkpoint" | "warning" | "end", its facts) as the run goes."""


@dataclass
class Run:
    """Everything a run holds in memory on one rank. ``step`` and the optimizer's tensors change, the rest stays."""

    config: TrainingConfig
    ranks: Ranks
    folder: Path
    device: torch.device
    loader: Loader
    validation: dict[str, Split]  # by name
    lengths: np.ndarray | None  # bytes by token
    model: Decoder
    forward: Callable[..., torch.Tensor]  # the model, compiled or not
    optimizer: AdamW
    writer: Writer
    facts: dict[str, Any]  # of the data and the configuration, saved in every checkpoint
    clock: StepClock
    flops_per_token: float
    peak: float | None  # FLOP/s of all devices together, where it is known
    signals: list[int] = field(default_factory=list)  # that asked this rank to stop
    step: int = 0
    ahead: int = 0  # samples read beyond those of the steps so far, since the batch was changed under a checkpoint
    asked: bool = False  # whether a rank had been asked to stop when the last step ended, as all ranks know

    @property
    def stopping(self) -> bool:
        """Whether the run ends after this step; the same on all ranks."""
        return bool(self.signals) if self.ranks.world == 1 else self.asked

    @property
    def cursor(self) -> int:
        """Samples read so far: the loader's whole state."""
        return self.config.batches.samples_before(self.step) + self.ahead


def start(config: TrainingConfig, watch: Watcher, allow_changes: Sequence[str] = (), ranks: Ranks = ALONE) -> Run:
    """Opens the shards, builds the model and restores the newest checkpoint; nothing is trained yet."""
    _check_division(config, ranks)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed + ranks.rank)  # nothing draws from it today, but its state is part of a checkpoint
    device = choose_device(config.device, ranks.local)
    _check_devices(device, ranks)
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
    _shared_folder(folder, ranks)
    tokenizer = find_tokenizer(Path(sets[0].path), train_splits[0].tokenizer)
    if tokenizer and ranks.first:
        copy_tokenizer(tokenizer, folder / "tokenizer")
    model = model_without_weights(config.model, config.recompute)
    layout = _layout(config, model, device, ranks)
    model.to(device)  # what is not a weight; those are where the layout has them already
    run = Run(
        config=config, ranks=ranks, folder=folder, device=device, loader=loader, validation=validation, model=model,
        lengths=token_bytes(tokenizer, vocabulary) if tokenizer else None,
        forward=torch.compile(model) if config.kernels == "compile" else model,
        optimizer=AdamW(layout, config.optimizer), writer=Writer(folder / "checkpoints", config.checkpoint, ranks),
        clock=StepClock(device), flops_per_token=training_flops_per_token(config.model, config.context),
        peak=_peak(config, device, ranks),
        facts={
            "config": to_mapping(config), "tokenizer": train_splits[0].tokenizer, "vocabulary": vocabulary,
            "data": [split.fingerprint for split in train_splits], "torch": torch.__version__,
            "begin_token": train_splits[0].begin_token, "end_token": train_splits[0].end_token,
        },
    )  # fmt: skip
    warn = lambda message: watch("warning", {"message": message})  # noqa: E731
    resumed = ranks.once(lambda: checkpoint.newest(folder / "checkpoints", warn))
    if resumed:
        _restore(run, *resumed, allow_changes)
    else:
        set_weights(layout, model.initial_weights(config.seed))
    if ranks.first:
        (folder / "config.yaml").write_text(to_yaml(config))
    counts = parameters(config.model)
    watch("start", {
        "step": run.step, "steps": config.total_steps, "resumed": str(resumed[0]) if resumed else None,
        "parameters": counts.total, "non_embedding": counts.non_embedding, "device": str(device),
        "dtype": str(choose_dtype(config.dtype, device)).removeprefix("torch."), "ranks": ranks.world,
        "tokens_per_step": config.data.batch * config.context, "state_bytes": sum(layout.memory().values()),
        "epochs": config.tokens_before(config.total_steps) / loader.tokens,
        "flops_per_token": run.flops_per_token, "peak_flops": run.peak,
    })  # fmt: skip
    return run


def _layout(config: TrainingConfig, model: nn.Module, device: torch.device, ranks: Ranks) -> Layout:
    decay, dtype = config.optimizer.weight_decay, choose_dtype(config.dtype, device)
    if config.parallel.kind == "fully_shard" and ranks.world > 1:
        return FullySharded(model, decay, dtype, device, ranks)
    bucket = config.parallel.bucket_mb * (1 << 20) // 4
    return DataParallel(model, decay, dtype, device, ranks, bucket, overlap=config.kernels != "compile")


def _restore(run: Run, folder: Path, facts: dict[str, Any], allow_changes: Sequence[str]) -> None:
    check_unchanged(run.config, facts, folder, allow_changes)
    check_same_data(facts, run.facts, folder, allow_changes)
    checkpoint.load(folder, run.optimizer.layout.state())
    checkpoint.restore_random_state(folder, run.ranks.rank)
    run.optimizer.loaded(facts["updates"], facts["skipped"])
    run.step = facts["step"]
    run.ahead = facts["cursor"] - run.cursor


def _check_division(config: TrainingConfig, ranks: Ranks) -> None:
    for size in config.batches.sizes():
        if size % ranks.world:
            key = "data.batch" if size == config.data.batch else "ramp.start and ramp.increment"
            fits = max(n for n in range(1, ranks.world + 1) if all(s % n == 0 for s in config.batches.sizes()))
            raise ConfigError(
                f"{key}: a batch of {size} samples cannot be divided over {ranks.world} processes (WORLD_SIZE); take a "
                f"multiple of {ranks.world}, or {fits} processes"
            )


def _check_devices(device: torch.device, ranks: Ranks) -> None:
    """All ranks must compute on the same kind of device: a GPU here and a CPU there cannot exchange anything."""
    kinds = ranks.gather(device.type)
    if len(set(kinds)) > 1:
        without = ", ".join(str(rank) for rank, kind in enumerate(kinds) if kind == "cpu")
        raise TrainingError(f"device: ranks {without} see no GPU, the others do; give them one, or set device: cpu")


def _shared_folder(folder: Path, ranks: Ranks) -> None:
    """Makes the run's folder; raises TrainingError when some rank does not see what rank 0 has there."""
    if ranks.first:
        folder.mkdir(parents=True, exist_ok=True)
    if ranks.world == 1:
        return
    mark = folder / f".ranks-{ranks.gather(os.getpid())[0]}"
    if ranks.first:
        mark.touch()
    ranks.gather(None)
    seen = _appears(mark)
    blind = [str(rank) for rank, sees in enumerate(ranks.gather(seen)) if not sees]
    if ranks.first:
        mark.unlink()
    if blind:
        raise TrainingError(
            f"output: ranks {', '.join(blind)} do not see the folder {folder} of rank 0; all machines must share it"
        )


def _appears(path: Path, seconds: float = 5) -> bool:
    for _ in range(int(seconds / 0.1)):
        if path.exists():
            return True
        time.sleep(0.1)  # a network file system may be late
    return False


def _peak(config: TrainingConfig, device: torch.device, ranks: Ranks) -> float | None:
    if config.metrics.peak_tflops is not None:
        return config.metrics.peak_tflops * 1e12 * ranks.world
    one = peak_flops(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return one * ranks.world if one else None
