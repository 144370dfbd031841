"""Saving while training goes on: the state is copied to the CPU's memory, and a thread writes the copy.

The run stands still only for the copy. One checkpoint is written at a time; a second one that is due waits for the
first, so that a disk that is too slow slows the run down instead of filling its memory.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from training.checkpoint import prune, save
from training.config import CheckpointConfig
from training.pieces import Piece, State, pieces_of
from training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is whole: the seconds that the run stood still for it, and those until it was on the disk."""

    step: int
    folder: Path
    stall: float
    seconds: float
    bytes: int


class Writer:
    """Writes a run's checkpoints into a folder and keeps those that the policy asks for.

    All ranks call ``save``, ``finished`` and ``wait`` at the same steps. An error of the writing thread is raised by
    the next of these calls.
    """

    def __init__(self, folder: Path, policy: CheckpointConfig, ranks: Ranks = ALONE):
        self.folder, self.policy, self.ranks = folder, policy, ranks
        self._group: Any = None
        if ranks.world > 1:  # not the steps' own group: it is used beside them
            self._group = dist.new_group(backend="gloo")
        gpu = torch.cuda.current_device() if torch.cuda.is_initialized() else None
        self._thread = ThreadPoolExecutor(1, "checkpoint", _stay_on, (gpu,))
        self._writing: Future[Saved] | None = None
        self._copies: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def save(self, step: int, state: State, facts: Mapping[str, Any]) -> list[Saved]:
        """Starts a checkpoint, or writes it where ``background`` is false; returns those that were finished by then."""
        began = time.perf_counter()
        before = self.wait()
        if not self.policy.background:
            return [*before, self._write(step, state, facts, began, None)]
        copy = {name: [self._copied(name, piece) for piece in pieces_of(value)] for name, value in state.items()}
        stall = time.perf_counter() - began
        self._writing = self._thread.submit(self._write, step, copy, facts, began, stall)
        return before

    def finished(self) -> list[Saved]:
        """The checkpoint that has become whole since the last call, if one has."""
        return self.wait() if self._writing is not None and self._writing.done() else []

    def wait(self) -> list[Saved]:
        """Waits for the one that is being written."""
        if self._writing is None:
            return []
        writing, self._writing = self._writing, None
        return [writing.result()]

    def close(self) -> None:
        """Ends the thread, after what it is writing."""
        self._thread.shutdown()

    def _write(self, step: int, state: State, facts: Mapping[str, Any], began: float, stall: float | None) -> Saved:
        folder = save(self.folder, step, state, facts, self.ranks, self._group)
        if self.ranks.first:
            prune(self.folder, self.policy, step)
        seconds = time.perf_counter() - began
        size = sum(piece.data.nbytes for value in state.values() for piece in pieces_of(value))
        return Saved(step, folder, seconds if stall is None else stall, seconds, size)

    def _copied(self, name: str, piece: Piece) -> Piece:
        """A copy of a piece in memory that is used again for each checkpoint; page-locked where a GPU fills it."""
        key = name, piece.offset
        if key not in self._copies:
            self._copies[key] = torch.empty(piece.data.shape, dtype=piece.data.dtype, pin_memory=piece.data.is_cuda)
        return Piece(piece.shape, piece.offset, self._copies[key].copy_(piece.data))


def _stay_on(gpu: int | None) -> None:
    """Puts a new thread on this rank's GPU: it begins on the first, and writing waits there, which takes memory."""
    if gpu is not None:
        torch.cuda.set_device(gpu)
