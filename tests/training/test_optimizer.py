"""AdamW on flat groups against torch's AdamW on the parameters, clipping, skipping, and bfloat16."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from training.config import OptimizerConfig, model_config
from training.data_parallel import DataParallel
from training.model import Decoder
from training.optimizer import AdamW

SHAPE = {"layers": 2, "width": 32, "feed_forward": 50, "heads": 2, "kv_heads": 1, "vocabulary": 67, "context": 32}


def model() -> Decoder:
    return Decoder(model_config({**SHAPE, "init_std": 0.05})).initialize(0)


def adamw(decoder: nn.Module, dtype: torch.dtype = torch.float32, **options: Any) -> tuple[AdamW, DataParallel]:
    config = OptimizerConfig(**options)
    layout = DataParallel(decoder, config.weight_decay, dtype)
    return AdamW(layout, config), layout


def values(layout: DataParallel) -> dict[str, torch.Tensor]:
    """Copies of the state, by name; one process has each tensor in one piece."""
    return {name: piece.data.clone() for name, (piece,) in layout.state().items()}


def batch(step: int) -> torch.Tensor:
    return torch.randint(67, (4, 17), generator=torch.Generator().manual_seed(step))


def backward(decoder: nn.Module, step: int, scale: float = 1.0) -> torch.Tensor:
    x = batch(step)
    loss = decoder(x[:, :-1], x[:, 1:])
    (loss * scale).backward()
    return loss.detach()


@pytest.mark.parametrize("clip", [None, 0.05])
def test_twenty_steps_equal_torchs_adamw(clip: float | None) -> None:
    ours, theirs = model(), model()
    optimizer, layout = adamw(ours, clip=clip)
    matrices = [p for p in theirs.parameters() if p.ndim > 1]
    vectors = [p for p in theirs.parameters() if p.ndim < 2]
    peer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], betas=(0.9, 0.95)
    )
    for step in range(20):
        rate = 1e-3 * (step + 1)
        layout.zero()
        peer.zero_grad()
        torch.testing.assert_close(backward(ours, step), backward(theirs, step), rtol=1e-5, atol=1e-6)
        report = optimizer.step(rate)
        norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip or 1e9)
        for group in peer.param_groups:
            group["lr"] = rate
        peer.step()
        assert report.applied and report.gradient_norm == pytest.approx(norm.item(), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_decay_falls_on_matrices_only() -> None:
    decoder = model()
    optimizer, layout = adamw(decoder, weight_decay=0.5)
    before = copy.deepcopy(decoder.state_dict())
    layout.zero()
    optimizer.step(0.1)  # no gradient: only the decay moves anything
    for name, weight in decoder.named_parameters():
        expected = before[name] if weight.ndim == 1 else before[name] * (1 - 0.1 * 0.5)
        torch.testing.assert_close(weight.data, expected)


def test_accumulated_parts_equal_one_batch() -> None:
    whole, parts = model(), model()
    layouts = [adamw(m)[1] for m in (whole, parts)]
    x = batch(0)
    whole(x[:, :-1], x[:, 1:]).backward()
    for part in x.chunk(4):
        (parts(part[:, :-1], part[:, 1:]) / 4).backward()
    for a, b in zip(*(layout.buckets for layout in layouts), strict=True):
        torch.testing.assert_close(a.gradient, b.gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf")])
def test_a_non_finite_gradient_changes_nothing_and_is_named(poison: float) -> None:
    decoder = model()
    optimizer, layout = adamw(decoder)
    layout.zero()
    backward(decoder, 0)
    optimizer.step(1e-2)
    before = values(layout)
    layout.zero()
    backward(decoder, 1)
    decoder.blocks[1].feed_forward.down.weight.grad[3, 4] = poison  # type: ignore[union-attr,index]
    report = optimizer.step(1e-2)
    assert not report.applied and optimizer.skipped == 1 and optimizer.steps == 1
    assert optimizer.non_finite() == ["blocks.1.feed_forward.down.weight"]
    assert all(torch.equal(before[name], t) for name, t in values(layout).items())
    layout.zero()
    backward(decoder, 1)
    assert optimizer.step(1e-2).applied and optimizer.skipped == 0


def test_bfloat16_keeps_float32_masters_and_float32_gradients() -> None:
    decoder = model()
    optimizer, layout = adamw(decoder, torch.bfloat16, clip=None, weight_decay=0.0)
    assert {p.dtype for p in decoder.parameters()} == {torch.bfloat16}
    exact = {name: t for name, t in values(layout).items() if name.startswith("master.")}
    parts = []
    layout.zero()
    for step in range(8):
        before = [g.gradient.clone() for g in layout.buckets]
        backward(decoder, step, 1 / 8)
        parts.append([g.gradient - b for g, b in zip(layout.buckets, before, strict=True)])
    assert all(p.grad is None for p in decoder.parameters())
    for i, group in enumerate(layout.buckets):
        assert group.gradient.dtype == torch.float32
        # The sum has more precision than bfloat16 holds: it was not rounded on the way.
        assert not torch.equal(group.gradient, group.gradient.bfloat16().float())
        torch.testing.assert_close(group.gradient, sum(p[i] for p in parts), rtol=1e-5, atol=1e-6)
    for _ in range(3):
        optimizer.step(1e-6)  # far below what bfloat16 can add to a weight
    moved = [name for name, t in exact.items() if not torch.equal(t, values(layout)[name])]
    assert len(moved) == len(exact)
    for group in layout.buckets:
        assert torch.equal(group.working, group.master.bfloat16())


def test_state_is_named_by_parameter_and_restores_exactly() -> None:
    first, second = model(), Decoder(model_config(SHAPE)).initialize(9)
    (a, at_a), (b, at_b) = adamw(first, torch.bfloat16), adamw(second, torch.bfloat16)
    backward(first, 0)
    a.step(1e-2)
    assert {name.partition(".")[2] for name in at_a.state()} == {name for name, _ in first.named_parameters()}
    for name, (piece,) in at_b.state().items():
        piece.data.copy_(values(at_a)[name])
    b.loaded(a.steps)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))
    for optimizer, layout, decoder in ((a, at_a, first), (b, at_b, second)):
        layout.zero()
        backward(decoder, 1)
        optimizer.step(1e-2)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), second.parameters(), strict=True))


def test_memory_is_sixteen_bytes_a_parameter_in_float32_and_eighteen_in_bfloat16() -> None:
    shape = {**SHAPE, "width": 64, "feed_forward": 128, "vocabulary": 1024}
    for dtype, size in ((torch.float32, 16), (torch.bfloat16, 18)):
        decoder = Decoder(model_config(shape))
        count = sum(p.numel() for p in decoder.parameters())
        assert sum(adamw(decoder, dtype)[1].memory().values()) == pytest.approx(size * count, rel=0.01)
