"""What a run writes down: ``metrics.jsonl``, a row a step and a row a validation, and the same for TensorBoard."""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from training.errors import TrainingError
from training.evaluate import Score, total

FILE_NAME = "metrics.jsonl"
_BOARD = "tensorboard"
_GROUPS = {
    "loss": "train", "learning_rate": "train", "gradient_norm": "train", "tokens_per_s": "speed", "seconds": "speed",
    "mfu": "speed", "memory_bytes": "speed", "validation_loss": "validation", "bits_per_byte": "validation",
}  # fmt: skip


class MetricsLog:
    """Appends rows to a run's files; first it drops those after ``step``, which a resumed run will write again.

    Of several ranks only one is to ``write``.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool, write: bool = True):
        if write:
            _rewind(folder / FILE_NAME, step)
        self._rows = open(folder / FILE_NAME if write else os.devnull, "a", buffering=1)  # noqa: SIM115
        self._board = _board(folder / _BOARD, step) if tensorboard and write else None

    def write(self, row: Mapping[str, Any]) -> None:
        """Adds one row, whole."""
        self._rows.write(json.dumps(row) + "\n")
        if self._board:
            for tag, value in _scalars(row):
                self._board.add_scalar(tag, value, row["step"])

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._rows.close()
        if self._board:
            self._board.close()


def _board(folder: Path, step: int) -> Any:
    """Torch's writer of TensorBoard files; what older files of the folder hold after ``step`` is void."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "metrics.tensorboard true needs the package tensorboard, which the extra `train` brings: "
            "pip install tensorboard, or set it to false"
        ) from error
    return SummaryWriter(folder, purge_step=step + 1 if step else None)


def speed(tokens: int, parts: Mapping[str, float], flops_per_token: float, peak: float | None) -> dict[str, Any]:
    """The columns of a step's row that say how fast it was.

    ``parts`` are its seconds by part, ``peak`` the FLOP/s that all devices of the run could reach together; MFU is the
    share of it that the model's own operations took (arXiv 2204.02311, appendix B), None where no peak is known.
    """
    seconds = sum(parts.values())
    mfu = tokens * flops_per_token / seconds / peak if peak else None
    return {
        "tokens_per_s": tokens / seconds, "mfu": mfu, "memory_bytes": peak_memory(), "seconds": seconds,
        "parts": dict(parts),
    }  # fmt: skip


def peak_memory() -> int:
    """The most memory used so far, in bytes: the GPU's where there is one, else this process's."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def validation_row(step: int, scores: Mapping[str, Score]) -> dict[str, Any]:
    """The row of a validation: over all, and by set and by source where there are several."""
    whole = total(list(scores.values()))
    row: dict[str, Any] = {"step": step, **_figures(whole)}
    if len(whole.sources) > 1:
        row["sources"] = {name: _figures(part) for name, part in sorted(whole.sources.items())}
    if len(scores) > 1:
        row["sets"] = {name: _figures(part) for name, part in scores.items()}
    return row


def _figures(score: Score) -> dict[str, Any]:
    return {"validation_loss": score.loss, "bits_per_byte": score.bits_per_byte}


def _scalars(row: Mapping[str, Any], below: str = "") -> Iterator[tuple[str, float]]:
    """A row as TensorBoard tags: ``train/loss``, ``parts/forward``, ``sources/web/bits_per_byte``, …"""
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{below}{key}/")
        elif value is not None and math.isfinite(value) and key not in ("step", "tokens"):
            yield f"{below or _GROUPS.get(key, 'train') + '/'}{key}", float(value)


def _rewind(path: Path, step: int) -> None:
    """Drops the rows of steps that will be run again, and a half-written last row."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    if step == 0:  # the run starts over, its first validation too
        kept = []
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept))
    partial.replace(path)
