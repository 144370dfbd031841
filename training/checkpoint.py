"""Checkpoints that are whole or absent, checked before they are trusted, and exact.

``checkpoints/step-NNNNNNN/`` holds the tensors as torch.distributed.checkpoint writes them, a file a rank (float32
master weights and both moments by parameter name, random number generators), and ``checkpoint.json``: step, loader
cursor, configuration, tokenizer and data fingerprint, and the size and SHA-256 of every file. A checkpoint is written
beside its place and renamed when it is on the disk; it does not depend on how many ranks wrote it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor

from training.checkpoint_storage import names, read, write
from training.config import CheckpointConfig
from training.errors import TrainingError
from training.pieces import State
from training.ranks import ALONE, Ranks, lost

_INDEX = "checkpoint.json"
_PREFIX = "step-"


class DamagedCheckpoint(TrainingError):
    """A checkpoint folder that is incomplete or whose files do not match their checksums."""


def save(
    checkpoints: Path, step: int, state: State, facts: Mapping[str, Any],
    ranks: Ranks = ALONE, group: dist.ProcessGroup | None = None,
) -> Path:  # fmt: skip
    """Writes one checkpoint, all ranks their pieces, and returns its folder; ``facts`` must be JSON.

    ``group`` carries the ranks' messages about it and must do so on the CPU. Rank 0 finishes: only when its call
    returns the checkpoint is there. Raises TrainingError when the disk is full; what was there before is untouched.
    """
    final = checkpoints / f"{_PREFIX}{step:07d}"
    partial = checkpoints / f".{final.name}.partial"
    try:
        if ranks.first:  # the others write only after rank 0 has agreed to the plan
            if partial.exists():
                shutil.rmtree(partial)
            checkpoints.mkdir(parents=True, exist_ok=True)
        write(partial, state, group)
        if ranks.first:
            _finish(partial, final, {"format": 1, "step": step, **facts})
    except (OSError, dcp.api.CheckpointException) as error:
        if ranks.first:
            shutil.rmtree(partial, ignore_errors=True)
        if lost(error):
            raise
        kept = [folder.name for folder in found(checkpoints)[:1]] or ["none"]
        raise TrainingError(
            f"checkpoint of step {step} could not be written to {checkpoints}: {_reason(error)}. Free some space or "
            f"lower checkpoint.keep, then start again; the newest whole checkpoint is {kept[0]}"
        ) from error
    return final


def found(checkpoints: Path) -> list[Path]:
    """Folders of finished checkpoints, newest first."""
    if not checkpoints.is_dir():
        return []
    folders = [p for p in checkpoints.iterdir() if p.name.startswith(_PREFIX) and p.name[len(_PREFIX) :].isdigit()]
    return sorted(folders, key=lambda p: int(p.name[len(_PREFIX) :]), reverse=True)


def inspect(folder: Path) -> dict[str, Any]:
    """Reads and checks ``checkpoint.json`` and every file it names; raises DamagedCheckpoint saying what is wrong."""
    try:
        index = json.loads((folder / _INDEX).read_text())
        files = index["files"]
        _ = index["step"], index["config"], index["cursor"]
    except FileNotFoundError:
        raise DamagedCheckpoint(f"{folder} is not a checkpoint: it has no {_INDEX}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedCheckpoint(f"{folder / _INDEX} is damaged ({error!r})") from None
    if index.get("format") != 1:
        raise DamagedCheckpoint(f"{folder} has format {index.get('format')}, this version reads format 1")
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            raise DamagedCheckpoint(f"{path} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise DamagedCheckpoint(f"{path} has {path.stat().st_size} bytes instead of {entry['bytes']}")
        if _measure(path)["sha256"] != entry["sha256"]:
            raise DamagedCheckpoint(f"{path} does not match its checksum")
    return index


def load(folder: Path, state: State) -> None:
    """Fills pieces in place from a checkpoint that was inspected; a part of its tensors may be asked for."""
    try:
        read(folder, state)
    except (dcp.api.CheckpointException, pickle.UnpicklingError, RuntimeError, ValueError, AssertionError) as error:
        raise DamagedCheckpoint(f"{folder} does not fit the model or is damaged: {error}") from error


def newest(checkpoints: Path, warn: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest undamaged checkpoint and its facts, or None where there is none at all.

    Every damaged one is reported to ``warn``. Raises TrainingError when all are damaged: starting over silently would
    throw the run away.
    """
    folders = found(checkpoints)
    for folder in folders:
        try:
            return folder, inspect(folder)
        except DamagedCheckpoint as error:
            warn(f"{error}; falling back to the checkpoint before it")
    if folders:
        raise TrainingError(
            f"none of the {len(folders)} checkpoints in {checkpoints} is whole; restore one, or remove the folder to "
            "start the run anew"
        )
    return None


def prune(checkpoints: Path, policy: CheckpointConfig, step: int) -> None:
    """Removes all but the newest ``keep`` checkpoints up to ``step`` and those whose step ``keep_every`` divides.

    Later ones do not count: they are damaged, and the run fell back behind them.
    """
    steps = {int(folder.name[len(_PREFIX) :]): folder for folder in found(checkpoints)}
    for old in [number for number in steps if number <= step][policy.keep :]:
        if not (policy.keep_every and old % policy.keep_every == 0):
            shutil.rmtree(steps[old])


def random_state(rank: int = 0) -> dict[str, Tensor]:
    """States of torch's random number generators on this rank, as tensors."""
    state = {f"random.{rank}.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state[f"random.{rank}.cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(folder: Path, rank: int = 0) -> None:
    """Puts a rank's generators where the checkpoint has them; a rank that had none then keeps its own."""
    saved = names(folder)
    state = {name: tensor for name, tensor in random_state(rank).items() if name in saved}
    load(folder, state)
    for name, tensor in state.items():
        (torch.cuda.set_rng_state if name.endswith("cuda") else torch.set_rng_state)(tensor)


def _reason(error: BaseException) -> str:
    """Why writing failed, on the first rank where it did."""
    if isinstance(error, dcp.api.CheckpointException):
        rank = min(error.failures)
        return _reason(error.failures[rank][0]) + (f" (rank {rank})" if rank else "")
    return "no space left on the device" if getattr(error, "errno", None) == errno.ENOSPC else str(error)


def _finish(partial: Path, final: Path, facts: Mapping[str, Any]) -> None:
    """Writes the index over the files and renames the folder into place, each safe on the disk before the next."""
    files = {path.name: _measure(path) for path in sorted(partial.iterdir())}
    with open(partial / _INDEX, "w") as file:
        json.dump({**facts, "files": files}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(partial)
    if final.exists():  # a damaged one of the same step, which the run fell back behind
        shutil.rmtree(final)
    partial.rename(final)
    _sync_folder(final.parent)


def _measure(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
