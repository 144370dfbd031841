"""Activation checkpointing by block: the same gradients bit for bit, for less memory between forward and backward."""

from __future__ import annotations

import pytest
import torch

from training.config import model_config
from training.model import Decoder

SHAPE = {"layers": 6, "width": 32, "feed_forward": 96, "heads": 4, "kv_heads": 2, "vocabulary": 64, "context": 64,
         "init_std": 0.05}  # fmt: skip


def gradients_and_bytes(recompute: int) -> tuple[dict[str, torch.Tensor], int]:
    """Gradients by name, and the bytes that forward kept for backward, the weights not counted."""
    decoder = Decoder(model_config(SHAPE), recompute).initialize(0)
    weights = {p.untyped_storage().data_ptr() for p in decoder.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = torch.randint(64, (4, 33), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = decoder(tokens[:, :-1], tokens[:, 1:])
    loss.backward()
    return {name: p.grad for name, p in decoder.named_parameters() if p.grad is not None}, sum(kept.values())


def test_gradients_are_equal_bit_for_bit_and_memory_falls_with_the_blocks() -> None:
    plain, everything = gradients_and_bytes(0)
    sizes = {0: everything}
    for recompute in (1, 2, 3):
        gradients, sizes[recompute] = gradients_and_bytes(recompute)
        assert gradients.keys() == plain.keys()
        assert all(torch.equal(gradients[name], g) for name, g in plain.items())
    assert sizes[1] < sizes[2] < sizes[3] < sizes[0]
    # Blocks 0, 2, 4 or 0, 3 or all six are recomputed: what is saved goes with their number.
    one_block = (sizes[0] - sizes[1]) / 6
    assert sizes[0] - sizes[2] == pytest.approx(3 * one_block, rel=0.1)
    assert sizes[0] - sizes[3] == pytest.approx(2 * one_block, rel=0.1)
