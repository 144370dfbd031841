"""AdamW with float32 master weights over two flat groups: matrices, which decay, and norms, which do not.

Master weights, gradients and both moments are one float32 buffer a group. The model's parameters are views of the
master buffer when it computes in float32; in bfloat16 they are views of a bfloat16 copy that every step refreshes, and
their gradients are added to the float32 buffer as soon as they are made, so that accumulation never rounds to
bfloat16. Flat buffers make the norm, the clip and the update three passes over memory, and are what a fused kernel or
a reduce-scatter wants to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from training.config import OptimizerConfig

_ALIGNMENT = 64  # elements: a parameter starts at a cache line in either type


@dataclass
class Group:
    """Parameters with the same decay, flattened: float32 [size] each, ``working`` in the model's type."""

    names: list[str]
    shapes: list[torch.Size]
    offsets: list[int]
    decay: float
    master: Tensor
    working: Tensor
    gradient: Tensor
    first: Tensor
    second: Tensor

    def views(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each parameter's part of one of the group's buffers, by name."""
        for name, shape, offset in zip(self.names, self.shapes, self.offsets, strict=True):
            yield name, flat[offset : offset + shape.numel()].view(shape)


@dataclass(frozen=True)
class StepReport:
    """What one step did: the gradient's norm before clipping, and whether the update was made."""

    gradient_norm: float
    applied: bool


class AdamW:
    """Owns the model's weights; ``step`` updates them, ``zero`` clears the gradients.

    After construction the model's parameters are views of this object's buffers, in ``dtype`` on ``device``; a model on
    the CPU moves there one parameter at a time, so that the GPU never holds it twice.
    """

    def __init__(
        self,
        model: nn.Module,
        config: OptimizerConfig,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ):
        self.config, self.steps, self.skipped = config, 0, 0
        parameters = dict(model.named_parameters())
        matrices = {name: p for name, p in parameters.items() if p.ndim >= 2}
        vectors = {name: p for name, p in parameters.items() if p.ndim < 2}
        self.groups = [
            _flatten(part, decay, dtype, device)
            for part, decay in ((matrices, config.weight_decay), (vectors, 0.0))
            if part
        ]
        for group in self.groups:
            gradients = dict(group.views(group.gradient))
            for name, working in group.views(group.working):
                parameters[name].data = working
                if dtype == torch.float32:
                    parameters[name].grad = gradients[name]  # autograd adds to it in place
                else:
                    parameters[name].register_post_accumulate_grad_hook(_adder(gradients[name]))

    def zero(self) -> None:
        """Clears the gradients, in place: the parameters' gradients are views of the group's buffer."""
        for group in self.groups:
            group.gradient.zero_()

    @torch.no_grad()
    def step(self, learning_rate: float) -> StepReport:
        """Clips and applies the gradients; a non-finite gradient changes nothing and is reported."""
        norms = torch.stack([torch.linalg.vector_norm(group.gradient) for group in self.groups])
        norm = float(torch.linalg.vector_norm(norms))
        if not norm < float("inf"):  # inf or nan
            self.skipped += 1
            return StepReport(norm, False)
        if self.config.clip is not None and norm > self.config.clip:
            for group in self.groups:
                group.gradient.mul_(self.config.clip / norm)
        self.steps, self.skipped = self.steps + 1, 0
        for group in self.groups:
            update(group, self.config, learning_rate, self.steps)
            if group.working is not group.master:
                group.working.copy_(group.master)
        return StepReport(norm, True)

    def non_finite(self) -> list[str]:
        """Names of the parameters whose gradient holds an inf or a nan: the diagnosis of a skipped step."""
        return [n for g in self.groups for n, part in g.views(g.gradient) if not torch.isfinite(part).all()]

    def state(self) -> dict[str, Tensor]:
        """Master weights and moments by parameter name, as views: saving reads them, loading writes into them."""
        state: dict[str, Tensor] = {}
        for group in self.groups:
            for kind in ("master", "first", "second"):
                state |= {f"{kind}.{name}": view for name, view in group.views(getattr(group, kind))}
        return state

    def loaded(self, steps: int, skipped: int = 0) -> None:
        """To call when the tensors of ``state`` were overwritten: sets the counts, refreshes the working copy."""
        self.steps, self.skipped = steps, skipped
        for group in self.groups:
            if group.working is not group.master:
                group.working.copy_(group.master)

    def memory(self) -> int:
        """Bytes of everything this object holds."""
        buffers = {
            b.data_ptr(): b.nbytes for g in self.groups for b in (g.master, g.working, g.gradient, g.first, g.second)
        }
        return sum(buffers.values())


def update(group: Group, config: OptimizerConfig, learning_rate: float, step: int) -> None:
    """One AdamW update of a flat group (arXiv 1711.05101, algorithm 2), ``step`` counting from 1, in one fused pass.

    θ ← θ − η·λ·θ;  m ← β₁m + (1 − β₁)g;  v ← β₂v + (1 − β₂)g²;  θ ← θ − η·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
    """
    adamw(
        [group.master], [group.gradient], [group.first], [group.second], [],
        [torch.tensor(float(step - 1), device=group.master.device)],  # adamw adds one
        fused=True, lr=learning_rate, beta1=config.beta1, beta2=config.beta2, weight_decay=group.decay,
        eps=config.eps, amsgrad=False, maximize=False,
    )  # fmt: skip


def _flatten(
    parameters: dict[str, nn.Parameter], decay: float, dtype: torch.dtype, device: torch.device | str
) -> Group:
    offsets, size = [], 0
    for p in parameters.values():
        offsets.append(size)
        size += -(-p.numel() // _ALIGNMENT) * _ALIGNMENT
    master, gradient, first, second = (torch.zeros(size, device=device) for _ in range(4))
    working = master if dtype == torch.float32 else torch.zeros(size, dtype=dtype, device=device)
    shapes = [p.shape for p in parameters.values()]
    group = Group(list(parameters), shapes, offsets, decay, master, working, gradient, first, second)
    for name, view in group.views(master):
        view.copy_(parameters[name].detach())
    if working is not master:
        working.copy_(master)
    return group


def _adder(total: Tensor):  # type: ignore[no-untyped-def]
    def add(parameter: Tensor) -> None:
        total.add_(parameter.grad.float())  # type: ignore[union-attr]
        parameter.grad = None

    return add
