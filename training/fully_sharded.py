"""Weights, gradients and moments all sharded by rows over the ranks: torch's ``fully_shard`` (ZeRO stage 3, FSDP2).

For models whose weights and gradients do not fit one GPU. A block's weights are gathered in the model's type before it
computes and dropped after, its gradients are summed in float32 and scattered as soon as they are made. The sharded
parameters themselves are the float32 masters.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from training.optimizer import Shard, decays
from training.pieces import Piece, rows
from training.ranks import Ranks


class FullySharded:
    """The layout; after construction the model's parameters are this rank's rows of them, on ``device``.

    Weights of a model on the meta device have no values until somebody sets them.
    """

    def __init__(self, model: nn.Module, decay: float, dtype: torch.dtype, device: torch.device | str, ranks: Ranks):
        self.ranks, self._working = ranks, dtype
        mesh = init_device_mesh(torch.device(device).type, (ranks.world,))
        # Inputs are not cast: the rotary table stays float32, and the residual stream has the type of the weights.
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
        for block in model.get_submodule("blocks").children():
            fully_shard(block, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)
        if any(p.is_meta for p in model.parameters()):
            tables = {name: buffer.clone() for name, buffer in model.named_buffers()}
            model.to_empty(device=device)
            for name, buffer in model.named_buffers():
                buffer.copy_(tables[name])
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.set_gradient_divide_factor(1.0)  # the loss is divided by the whole batch already
                module.set_force_sum_reduction_for_comms(True)
        self.parameters: dict[str, DTensor] = dict(model.named_parameters())  # type: ignore[arg-type]
        self.names = list(self.parameters)
        self._decay = {name: decay if decays(p) else 0.0 for name, p in self.parameters.items()}
        self.first, self.second = (
            {name: torch.zeros_like(p.to_local()) for name, p in self.parameters.items()} for _ in "12"
        )

    def zero(self) -> None:
        """Drops the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def backward(self, loss: Tensor, last: bool) -> None:
        """Adds the gradients of a part of the batch; each part's are summed over the ranks at once."""
        loss.backward()

    def reduced(self) -> list[Shard]:
        """The rank's rows, whose gradients backward has summed already: a shard a decay."""
        shards = []
        for decay in sorted(set(self._decay.values())):
            names = [n for n, d in self._decay.items() if d == decay and self.parameters[n].to_local().numel()]
            shards.append(Shard(
                decay, [self.parameters[n].to_local() for n in names], [self._gradient(n) for n in names],
                [self.first[n] for n in names], [self.second[n] for n in names], publish=lambda: None,
            ))  # fmt: skip
        return shards

    def gradients(self) -> Iterator[tuple[str, Tensor]]:
        """The rank's rows of the summed gradients, by parameter name."""
        return ((name, self._gradient(name)) for name in self.parameters)

    def state(self) -> dict[str, list[Piece]]:
        """The rank's rows of master weights and moments, by name."""
        state = {}
        for name, parameter in self.parameters.items():
            first = min(self.ranks.rank * -(-parameter.shape[0] // self.ranks.world), parameter.shape[0])
            for kind, local in (
                ("master", parameter.to_local()), ("first", self.first[name]), ("second", self.second[name]),
            ):  # fmt: skip
                state[f"{kind}.{name}"] = rows(local.detach(), parameter.shape, first)
        return state

    def refresh(self) -> None:
        """Nothing to do: the model gathers its weights from the masters in every forward pass."""

    def memory(self) -> dict[str, int]:
        """Bytes on this rank, without the blocks that are gathered at a time."""
        masters = sum(p.to_local().nbytes for p in self.parameters.values())
        moments = sum(t.nbytes for kind in (self.first, self.second) for t in kind.values())
        return {"weights": masters, "gradients": masters, "optimizer": moments}

    def _gradient(self, name: str) -> Tensor:
        gradient = self.parameters[name].grad
        return gradient.to_local() if isinstance(gradient, DTensor) else torch.zeros_like(self.first[name])
