"""AdamW over float32 master weights: the gradient's norm, the clip, the update, and what a bad gradient does not do.

How weights, gradients and moments are spread over processes is not known here: a layout (``data_parallel.py``,
``fully_sharded.py``) hands out this rank's part of them as lists of tensors once all ranks' gradients are in it. With
one process that is a few flat buffers with everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from training.config import OptimizerConfig
from training.pieces import Piece
from training.ranks import Ranks


@dataclass(frozen=True)
class Shard:
    """What this rank updates of some parameters with the same decay: float32, shapes equal in all lists."""

    decay: float
    master: list[Tensor]
    gradient: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    publish: Callable[[], None]  # to call after the update: the model computes with these weights from then on


class Layout(Protocol):
    """Weights, gradients and moments as they lie on the ranks; the model's parameters are among its tensors."""

    ranks: Ranks
    names: list[str]  # of all parameters

    def backward(self, loss: Tensor, last: bool) -> None:
        """Adds the gradients of a part of the batch; with the ``last`` part they begin to travel."""

    def zero(self) -> None:
        """Clears the gradients."""

    def reduced(self) -> list[Shard]:
        """Waits until the gradients are summed over all parts and ranks; the shards to update."""

    def gradients(self) -> Iterator[tuple[str, Tensor]]:
        """The rank's part of the summed gradients, by parameter name."""

    def state(self) -> dict[str, list[Piece]]:
        """The rank's pieces of master weights and moments: ``master.NAME``, ``first.NAME``, ``second.NAME``."""

    def refresh(self) -> None:
        """To call when the master weights were overwritten."""

    def memory(self) -> dict[str, int]:
        """Bytes on this rank: ``weights`` the model computes with, ``gradients``, ``optimizer`` state."""


@torch.no_grad()
def set_weights(layout: Layout, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Gives parameters their values, one at a time: no rank needs the memory for all of them."""
    state = layout.state()
    for name, value in weights:
        for piece in state.get(f"master.{name}", ()):
            piece.data.copy_(value[piece.box])
    layout.refresh()


@dataclass(frozen=True)
class StepReport:
    """What one step did: the gradient's norm before clipping, and whether the update was made."""

    gradient_norm: float
    applied: bool


class AdamW:
    """Updates the weights of a layout: ``steps`` updates so far, the last ``skipped`` gradients were not finite."""

    def __init__(self, layout: Layout, config: OptimizerConfig):
        self.layout, self.config, self.steps, self.skipped = layout, config, 0, 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> StepReport:
        """Clips and applies the gradients; a non-finite gradient changes nothing on any rank and is reported."""
        shards = self.layout.reduced()
        norms = [torch.linalg.vector_norm(g) for shard in shards for g in shard.gradient]
        square = self.layout.ranks.sum(torch.stack(norms).double().square().sum())
        norm = float(square.sqrt())
        if not norm < float("inf"):  # inf or nan
            self.skipped += 1
            return StepReport(norm, False)
        if self.config.clip is not None and norm > self.config.clip:
            for shard in shards:
                torch._foreach_mul_(shard.gradient, self.config.clip / norm)
        self.steps, self.skipped = self.steps + 1, 0
        for shard in shards:
            update(shard, self.config, learning_rate, self.steps)
            shard.publish()
        return StepReport(norm, True)

    def non_finite(self) -> list[str]:
        """Names of the parameters whose gradient holds an inf or a nan on any rank: why a step was skipped."""
        here = [name for name, gradient in self.layout.gradients() if not torch.isfinite(gradient).all()]
        bad = {name for names in self.layout.ranks.gather(here) for name in names}
        return [name for name in self.layout.names if name in bad]

    def loaded(self, steps: int, skipped: int = 0) -> None:
        """To call when the tensors of the layout's state were overwritten: sets the counts, renews the weights."""
        self.steps, self.skipped = steps, skipped
        self.layout.refresh()


def decays(parameter: Tensor) -> bool:
    """Whether weight decay falls on a parameter: on matrices, not on the norms' vectors."""
    return parameter.ndim >= 2


def update(shard: Shard, config: OptimizerConfig, learning_rate: float, step: int) -> None:
    """One AdamW update (arXiv 1711.05101, algorithm 2), ``step`` counting from 1, in one fused pass.

    θ ← θ − η·λ·θ;  m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  θ ← θ − η·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
    """
    if not shard.master:
        return
    before = [torch.full((), step - 1.0, device=shard.master[0].device) for _ in shard.master]  # adamw adds one
    adamw(
        shard.master, shard.gradient, shard.first, shard.second, [], before,
        fused=True, lr=learning_rate, beta1=config.beta1, beta2=config.beta2, weight_decay=shard.decay,
        eps=config.eps, amsgrad=False, maximize=False,
    )  # fmt: skip
