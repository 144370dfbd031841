"""Data parallelism with sharded optimizer state (ZeRO stage 1, arXiv 1910.02054), on flat buckets.

Every rank computes the gradients of its part of the batch with all the weights, and updates 1/N of them:

- In backward, gradients are added to float32 buckets as they are made, so that accumulation never rounds to bfloat16.
  In the last part of a batch a bucket leaves as soon as it is full: a reduce-scatter sums it over the ranks and leaves
  each its 1/N, while backward goes on with the layers below.
- Each rank keeps float32 master weights and both moments of its 1/N only, and updates those.
- An all-gather in the model's type brings the new weights to everyone, while other buckets are updated and while the
  next forward pass works on the blocks before: a block waits for its own buckets only.

A bucket is a stretch of consecutive parameters with the same decay, in the order in which backward reaches them, and
padded so that N divides it; where 1/N ends inside a parameter or a row does not matter. With one rank nothing is sent:
the buckets are then the flat groups that a fused update wants to see. In float32 the model's weights are the masters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from training.optimizer import Shard, decays, set_weights
from training.pieces import Piece, stretch
from training.ranks import ALONE, Ranks

_ALIGNMENT = 64  # elements: a parameter and a rank's part start at a cache line in either type
_BUCKET = 1 << 25  # elements: 128 MB of float32 gradients, large enough for a network's full speed


@dataclass
class Bucket:
    """Parameters that travel together: ``working`` [size] in the model's type, ``gradient`` float32 [size]."""

    names: list[str]
    shapes: list[torch.Size]
    offsets: list[int]
    decay: float
    mine: slice  # the part that this rank reduces and updates
    working: Tensor
    gradient: Tensor
    master: Tensor  # float32 [size / N], as are the moments
    first: Tensor
    second: Tensor
    missing: int = 0  # parameters whose gradient has not come yet in this backward pass
    sending: dist.Work | None = None

    def views(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Each parameter's part of one of the buffers of all ranks, by name."""
        for name, shape, offset in zip(self.names, self.shapes, self.offsets, strict=True):
            yield name, flat[offset : offset + shape.numel()].view(shape)

    def pieces(self, part: Tensor) -> Iterator[tuple[str, list[Piece]]]:
        """What a buffer of this rank's part holds of each parameter, where it holds anything."""
        for name, shape, offset in zip(self.names, self.shapes, self.offsets, strict=True):
            start, stop = max(offset, self.mine.start), min(offset + shape.numel(), self.mine.stop)
            if start < stop:
                yield name, stretch(part[start - self.mine.start : stop - self.mine.start], shape, start - offset)

    def wait(self) -> None:
        """Until what this bucket sends has arrived; on a GPU the stream waits, not the program."""
        if self.sending is not None:
            self.sending.wait()
            self.sending = None


class DataParallel:
    """The layout; after construction the model's parameters are views of its buckets, in ``dtype`` on ``device``.

    Weights of a model on the meta device are zero until somebody sets them. ``bucket`` is in elements. ``overlap`` lets
    the forward pass begin before all weights have arrived; it needs the modules' own hooks, which a compiled model does
    not call.
    """

    def __init__(
        self, model: nn.Module, decay: float, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu",
        ranks: Ranks = ALONE, bucket: int = _BUCKET, overlap: bool = True,
    ):  # fmt: skip
        self.ranks, self.overlap, self._last, self._next = ranks, overlap, True, 0
        self.names = [name for name, _ in model.named_parameters()]
        parameters = dict(reversed(list(model.named_parameters())))
        matrices = {name: p for name, p in parameters.items() if decays(p)}
        vectors = {name: p for name, p in parameters.items() if not decays(p)}
        self.buckets = [
            _bucket(part, amount, dtype, device, ranks)
            for group, amount in ((matrices, decay), (vectors, 0.0))
            for part in _packed(group, bucket)
        ]
        if not any(p.is_meta for p in parameters.values()):
            set_weights(self, parameters.items())
        for bucket_ in self.buckets:
            gradients = dict(bucket_.views(bucket_.gradient))
            for name, working in bucket_.views(bucket_.working):
                parameter = nn.Parameter(working)
                place, _, last = name.rpartition(".")
                setattr(model.get_submodule(place), last, parameter)
                if dtype == torch.float32:
                    parameter.grad = gradients[name]  # autograd adds to it in place
                if dtype != torch.float32 or ranks.world > 1:
                    parameter.register_post_accumulate_grad_hook(self._arrival(bucket_, gradients[name]))
        if ranks.world > 1 and overlap:
            self._wait_in_forward(model)

    def zero(self) -> None:
        """Clears the gradients, in place: the parameters' gradients are views of the buckets'."""
        for bucket in self.buckets:
            bucket.gradient.zero_()

    def backward(self, loss: Tensor, last: bool) -> None:
        """Adds the gradients of a part of the batch; with the ``last`` part full buckets begin to travel."""
        self._last, self._next = last, 0
        for bucket in self.buckets:
            bucket.missing = len(bucket.names)
        loss.backward()

    def reduced(self) -> list[Shard]:
        """Waits until each rank holds the sum over all ranks of its part; in the order in which forward needs them."""
        if self.ranks.world > 1:
            for bucket in self.buckets[self._next :]:  # of parameters that the loss does not depend on
                self._reduce(bucket)
            self._next = len(self.buckets)
        shards = []
        for bucket in reversed(self.buckets):
            bucket.wait()
            shards.append(Shard(
                bucket.decay, [bucket.master], [bucket.gradient[bucket.mine]], [bucket.first], [bucket.second],
                publish=lambda bucket=bucket: self._publish(bucket),  # type: ignore[misc]
            ))  # fmt: skip
        return shards

    def gradients(self) -> Iterator[tuple[str, Tensor]]:
        """The rank's part of the summed gradients, by parameter name."""
        for bucket in self.buckets:
            for name, pieces in bucket.pieces(bucket.gradient[bucket.mine]):
                yield from ((name, piece.data) for piece in pieces)

    def state(self) -> dict[str, list[Piece]]:
        """The rank's pieces of master weights and moments, by name: saving reads them, loading writes into them."""
        return {
            f"{kind}.{name}": pieces
            for bucket in self.buckets
            for kind in ("master", "first", "second")
            for name, pieces in bucket.pieces(getattr(bucket, kind))
        }

    def refresh(self) -> None:
        """Brings overwritten master weights into the model, on all ranks."""
        for bucket in self.buckets:
            self._publish(bucket)
        self.settle()

    def settle(self) -> None:
        """Waits for all that is on its way."""
        for bucket in self.buckets:
            bucket.wait()

    def memory(self) -> dict[str, int]:
        """Bytes on this rank; float32 weights are counted where they are computed with."""
        apart = [b.master for b in self.buckets if b.master.dtype != b.working.dtype]
        return {
            "weights": sum(b.working.nbytes for b in self.buckets),
            "gradients": sum(b.gradient.nbytes for b in self.buckets),
            "optimizer": sum(t.nbytes for b in self.buckets for t in (b.first, b.second))
            + sum(m.nbytes for m in apart),
        }

    def _arrival(self, bucket: Bucket, total: Tensor):  # type: ignore[no-untyped-def]
        def arrived(parameter: Tensor) -> None:
            if parameter.grad is not total:
                total.add_(parameter.grad)  # type: ignore[arg-type]
                parameter.grad = None
            bucket.missing -= 1
            while self._last and self.ranks.world > 1 and self._next < len(self.buckets):  # all ranks in one order
                if self.buckets[self._next].missing:
                    break
                self._reduce(self.buckets[self._next])
                self._next += 1

        return arrived

    def _reduce(self, bucket: Bucket) -> None:
        bucket.sending = dist.reduce_scatter_tensor(bucket.gradient[bucket.mine], bucket.gradient, async_op=True)

    def _publish(self, bucket: Bucket) -> None:
        if bucket.master.dtype != bucket.working.dtype:
            bucket.working[bucket.mine].copy_(bucket.master)
        if self.ranks.world > 1:
            bucket.sending = dist.all_gather_into_tensor(bucket.working, bucket.working[bucket.mine], async_op=True)
            if not self.overlap:
                bucket.wait()

    def _wait_in_forward(self, model: nn.Module) -> None:
        """Each block, and each module outside of blocks, waits for its own buckets before it computes.

        Not the whole model for what is outside: the head's weights are the last to come, behind all others.
        """
        blocks = {f"{name}.": module for name, module in model.named_modules() if "." in name and _in_list(model, name)}
        needs: dict[nn.Module, list[Bucket]] = {}
        for bucket in self.buckets:
            for name in bucket.names:
                own = model.get_submodule(name.rpartition(".")[0])
                owner = next((module for prefix, module in blocks.items() if name.startswith(prefix)), own)
                needs.setdefault(owner, []).append(bucket)
        for module, buckets in needs.items():
            distinct = list({id(bucket): bucket for bucket in buckets}.values())
            module.register_forward_pre_hook(_waiting(distinct))


def _waiting(buckets: list[Bucket]) -> Callable[..., None]:
    def wait(*module_and_inputs: object) -> None:
        for bucket in buckets:
            bucket.wait()

    return wait


def _in_list(model: nn.Module, name: str) -> bool:
    return isinstance(model.get_submodule(name.rpartition(".")[0]), nn.ModuleList)


def _packed(parameters: dict[str, nn.Parameter], most: int) -> Iterator[dict[str, nn.Parameter]]:
    """Consecutive parameters with up to ``most`` elements together; a larger one stands alone."""
    part: dict[str, nn.Parameter] = {}
    for name, parameter in parameters.items():
        if part and sum(p.numel() for p in part.values()) + parameter.numel() > most:
            yield part
            part = {}
        part[name] = parameter
    if part:
        yield part


def _bucket(
    parameters: dict[str, nn.Parameter], decay: float, dtype: torch.dtype, device: torch.device | str, ranks: Ranks
) -> Bucket:
    offsets, size = [], 0
    for p in parameters.values():
        offsets.append(size)
        size += -(-p.numel() // _ALIGNMENT) * _ALIGNMENT
    share = -(-size // (ranks.world * _ALIGNMENT)) * _ALIGNMENT
    mine = slice(ranks.rank * share, (ranks.rank + 1) * share)
    working = torch.zeros(share * ranks.world, dtype=dtype, device=device)
    gradient = torch.zeros(share * ranks.world, device=device)
    first, second = torch.zeros(share, device=device), torch.zeros(share, device=device)
    master = working[mine] if dtype == torch.float32 else torch.zeros(share, device=device)
    shapes = [p.shape for p in parameters.values()]
    return Bucket(list(parameters), shapes, offsets, decay, mine, working, gradient, master, first, second)
