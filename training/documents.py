"""Where the documents of a batch lie, so that attention stays inside each and positions restart: exact, and no T² mask.

Documents packed into a sequence are independent problems of their own lengths. A GPU's variable-length kernel takes
them as they are. Everywhere else documents of similar length are gathered into one causal attention each: padding
lies behind a document's last token, where causality hides it, so nothing is masked and the result is that of each
document alone. A document is padded to at most twice its length, and there are at most log₂ T groups.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    import torch.nn.attention.varlen as _varlen  # torch ≥ 2.10; its arguments have changed since

    _known = {"window_size", "enable_gqa"} <= inspect.signature(_varlen.varlen_attn).parameters.keys()
    varlen_attn: Any = _varlen.varlen_attn if _known else None
except ImportError:
    varlen_attn = None

_CAUSAL = (-1, 0)  # varlen_attn's window: everything before, nothing after
_HALF = (torch.bfloat16, torch.float16)  # what its kernels compute in


@dataclass(frozen=True)
class Packing:
    """The documents of B sequences of T tokens, as the two ways to attend need them. N = B·T tokens, D documents."""

    positions: Tensor  # int64 [B, T]: each token's place in its document
    bounds: Tensor  # int32 [D + 1]: where each document begins among the N tokens
    longest: int  # tokens of the longest document
    gather: Tensor  # int64 [padded tokens]: the token at each place of all groups, one after the other
    scatter: Tensor  # int64 [N]: the place of each token among those
    shapes: tuple[tuple[int, int], ...]  # of each group: documents, padded length

    @staticmethod
    def of(documents: Tensor) -> Packing:
        """The packing of document ids int [B, T] on the CPU: equal neighbours in a row are one document."""
        batch, length = documents.shape
        first = torch.ones_like(documents, dtype=torch.bool)
        first[:, 1:] = documents[:, 1:] != documents[:, :-1]
        starts = first.flatten().nonzero().flatten()
        bounds = torch.cat([starts, torch.tensor([batch * length])])
        lengths = bounds.diff()
        positions = torch.arange(batch * length) - starts.repeat_interleave(lengths)
        gather, shapes = [], []
        scatter, placed = torch.empty(batch * length, dtype=torch.long), 0
        powers = lengths.double().log2().ceil().long()
        for power in powers.unique().tolist():
            group = (powers == power).nonzero().flatten()
            longest = int(lengths[group].max())
            places = torch.arange(longest)
            inside = places < lengths[group, None]  # [documents, longest]
            tokens = starts[group, None] + torch.minimum(places, lengths[group, None] - 1)  # padding: the last token
            scatter[tokens[inside]] = placed + inside.flatten().nonzero().flatten()
            gather.append(tokens.flatten())
            shapes.append((len(group), longest))
            placed += len(group) * longest
        return Packing(
            positions.view(batch, length), bounds.int(), int(lengths.max()), torch.cat(gather), scatter, tuple(shapes)
        )

    def to(self, device: torch.device) -> Packing:
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Packing:
        """The same in page-locked memory, from which a GPU copies while the program goes on."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Packing:
        changed = {name: change(getattr(self, name)) for name in ("positions", "bounds", "gather", "scatter")}
        return replace(self, **changed)  # type: ignore[arg-type]


Within = Packing | Tensor | None
"""Where attention may look: inside documents, where a bool [T, S] is true, or (None) at everything before."""


def attend(q: Tensor, k: Tensor, v: Tensor, within: Within) -> Tensor:
    """Attention of q [B, T, H, h] to k and v [B, S, K, h]: [B, T, H, h]."""
    if not isinstance(within, Packing):
        return _attend(q, k, v, within)
    shape = q.shape
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))  # [N, heads, h]
    if _has_kernel(q):
        bounds, longest, grouped = within.bounds, within.longest, k.shape[1] < q.shape[1]
        y = varlen_attn(q, k, v, bounds, bounds, longest, longest, window_size=_CAUSAL, enable_gqa=grouped)
    else:
        y = _by_length(q, k, v, within)
    return y.view(shape)


def _has_kernel(q: Tensor) -> bool:
    return varlen_attn is not None and q.is_cuda and q.dtype in _HALF


@torch.compiler.disable  # the groups' shapes differ from batch to batch
def _by_length(q: Tensor, k: Tensor, v: Tensor, packing: Packing) -> Tensor:
    sizes = [documents * length for documents, length in packing.shapes]
    parts = zip(*(x.index_select(0, packing.gather).split(sizes) for x in (q, k, v)), strict=True)
    outputs = [
        _attend(*(x.unflatten(0, shape) for x in part)).flatten(0, 1)
        for part, shape in zip(parts, packing.shapes, strict=True)
    ]
    return torch.cat(outputs).index_select(0, packing.scatter)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))  # [B, heads, T, h]
    grouped = k.shape[1] < q.shape[1]
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)
    return y.transpose(1, 2)
