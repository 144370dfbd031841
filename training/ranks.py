"""The processes of a run: one alone, or those that torchrun started, one a GPU.

Every process runs the same program on its own part of each batch; rank 0 also prints, writes the metrics and finishes
checkpoints. When one fails, one line says why: the first process that has something to say claims the word in the
store that all of them share, the others leave silently.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from training.errors import TrainingError

T = TypeVar("T")

_PATIENCE = timedelta(minutes=30)  # rank 0 may check a large checkpoint while the others wait
_LOST = ("Connection closed by peer", "Connection reset", "Broken pipe", "Timed out waiting", "remote process exited")


_ASKED, _STAY = "asked for the word", 20  # a key of the store; twentieths of a second


@dataclass(frozen=True)
class Ranks:
    """Which of the run's processes this one is; ``ALONE`` is the only one."""

    rank: int = 0
    world: int = 1
    local: int = 0  # among the processes of this machine, and the number of its GPU

    @property
    def first(self) -> bool:
        """Whether this is the one that prints and writes what there is one of."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """Adds up a tensor over all ranks, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def gather(self, value: T) -> list[T]:
        """Everybody's value, by rank; any picklable object, for small things between steps."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def once(self, make: Callable[[], T]) -> T:
        """What ``make`` gives on rank 0, or the TrainingError it raises there, on every rank."""
        outcome: list[Any] = [None]
        if self.first:
            try:
                outcome = [make()]
            except TrainingError as error:
                outcome = [error]
        if self.world > 1:
            dist.broadcast_object_list(outcome, src=0)
        if isinstance(outcome[0], TrainingError):
            raise outcome[0]
        return outcome[0]


ALONE = Ranks()
"""A run of one process."""


@contextmanager
def joined() -> Iterator[Ranks]:
    """Joins the processes that torchrun started; yields the only rank there is without it.

    A rank that ends takes the others with it: where one line was printed already they raise SystemExit, otherwise
    TrainingError says that a rank was lost.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ALONE
        return
    ranks = Ranks(int(os.environ["RANK"]), world, int(os.environ.get("LOCAL_RANK", "0")))
    store, _, _ = next(dist.rendezvous("env://", ranks.rank, world))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if torch.cuda.is_available() and ranks.local < torch.cuda.device_count():
        torch.cuda.set_device(ranks.local)
    dist.init_process_group(backend, store=store, rank=ranks.rank, world_size=world, timeout=_PATIENCE)
    try:
        yield ranks
    except BaseException as error:
        if not lost(error) and not isinstance(error, TrainingError):
            raise
        _finish_speaking()
        if not _has_the_word(store, ranks):
            raise SystemExit(1) from error
        said = error if isinstance(error, TrainingError) else TrainingError(
            f"rank {ranks.rank} lost its connection to another rank, which ended without a word: {_first_line(error)}. "
            "The system's log tells whether it was killed, for want of memory for example; the same command goes on "
            "from the newest checkpoint"
        )  # fmt: skip
        said.rank = ranks.rank
        raise said from error
    dist.destroy_process_group()


def lost(error: BaseException) -> bool:
    """Whether an error is only the echo of another rank's end."""
    return isinstance(error, dist.DistBackendError) or any(sign in str(error) for sign in _LOST)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _finish_speaking() -> None:
    """Does not let torchrun's SIGTERM, which follows the first rank that ends, cut this one's last line off."""
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _has_the_word(store: dist.Store, ranks: Ranks) -> bool:
    """Whether nobody asked before; rank 0, who may hold the store, stays a little for the others to ask."""
    try:
        had = store.add(_ASKED, 1) == 1
        for _ in range(_STAY if ranks.first else 0):
            if store.add(_ASKED, 0) >= ranks.world:
                break
            time.sleep(0.05)
        return had
    except RuntimeError:  # the store went with the rank that held it
        return True
