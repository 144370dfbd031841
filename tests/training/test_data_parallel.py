"""Both layouts on several ranks: gradients, norm, weights and moments equal those of one process; memory falls."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from processes import on_ranks
from torch import nn

from training.config import OptimizerConfig, model_config
from training.data_parallel import DataParallel
from training.fully_sharded import FullySharded
from training.model import Decoder
from training.optimizer import AdamW
from training.ranks import Ranks, joined

SHAPE = {"layers": 3, "width": 30, "feed_forward": 50, "heads": 3, "kv_heads": 1, "vocabulary": 67, "context": 32,
         "init_std": 0.05}  # fmt: skip
PARTS, ROWS = 2, 8  # parts of a batch on each rank; rows of the whole batch


def model() -> Decoder:
    return Decoder(model_config(SHAPE)).initialize(0)


def layout_of(kind: str, decoder: nn.Module, ranks: Ranks, dtype: torch.dtype, overlap: bool = True) -> Any:
    if kind == "fully_shard":
        return FullySharded(decoder, 0.1, dtype, "cpu", ranks)
    return DataParallel(decoder, 0.1, dtype, "cpu", ranks, bucket=3000, overlap=overlap)


def steps(ranks: Ranks, kind: str, dtype: torch.dtype, overlap: bool, poison: bool) -> dict[str, Any]:
    """Six steps, the batch divided over ranks and parts; what this rank ends with."""
    decoder = model()
    layout = layout_of(kind, decoder, ranks, dtype, overlap)
    optimizer = AdamW(layout, OptimizerConfig(clip=0.3, eps=1e-5))
    norms, losses, bad = [], [], []
    for step in range(6):
        batch = torch.randint(67, (ROWS, 17), generator=torch.Generator().manual_seed(step))
        mine = batch.chunk(ranks.world)[ranks.rank]
        layout.zero()
        total = torch.zeros(())
        parts = mine.chunk(PARTS)
        for i, part in enumerate(parts):
            loss = decoder(part[:, :-1], part[:, 1:]) * (len(part) / ROWS)
            layout.backward(loss, last=i == len(parts) - 1)
            total += loss.detach()
        if poison and step == 3 and ranks.rank == ranks.world - 1:
            layout.reduced()[0].gradient[0].view(-1)[0] = float("nan")
        report = optimizer.step(1e-2)
        norms.append(report.gradient_norm)
        losses.append(float(ranks.sum(total)))
        bad += [] if report.applied else optimizer.non_finite()
    state = {name: [(p.offset, p.data.tolist()) for p in pieces] for name, pieces in layout.state().items()}
    return {"norms": norms, "losses": losses, "state": state, "memory": layout.memory(), "steps": optimizer.steps,
            "bad": bad, "buckets": len(getattr(layout, "buckets", []))}  # fmt: skip


def worker(kind: str, dtype: torch.dtype, overlap: bool = True, poison: bool = False) -> dict[str, Any]:
    with joined() as ranks:
        return steps(ranks, kind, dtype, overlap, poison)


def assembled(results: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Weights and moments put together from all ranks' pieces; fails when they overlap or leave a hole."""
    shapes = {name: p.shape for name, p in model().named_parameters()}
    state = {}
    for name in {name for result in results for name in result["state"]}:
        whole = torch.full(shapes[name.partition(".")[2]], float("nan"))
        for result in results:
            for offset, values in result["state"].get(name, []):
                part = torch.tensor(values)
                box = tuple(slice(o, o + n) for o, n in zip(offset, part.shape, strict=True))
                assert whole[box].isnan().all()
                whole[box] = part
        assert not whole.isnan().any()
        state[name] = whole
    return state


@pytest.mark.parametrize(
    ("kind", "world", "overlap"),
    [("zero1", 2, True), ("zero1", 4, True), ("zero1", 2, False), ("fully_shard", 2, True), ("fully_shard", 4, True)],
)
def test_several_ranks_equal_one(kind: str, world: int, overlap: bool) -> None:
    alone = steps(Ranks(), "zero1", torch.float32, True, False)
    together = on_ranks(world, worker, kind, torch.float32, overlap)
    for result in together:
        torch.testing.assert_close(result["losses"], alone["losses"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(result["norms"], alone["norms"], rtol=1e-5, atol=1e-6)
        assert result["norms"] == together[0]["norms"]
    expected, found = assembled([alone]), assembled(together)
    assert expected.keys() == found.keys() and len(found) == 3 * len(list(model().parameters()))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")
    if kind == "zero1":
        assert all(result["buckets"] > 4 for result in together)  # the point of them: several travel at once
    count = sum(p.numel() for p in model().parameters())
    for result in together:
        share = result["memory"]["optimizer"] / (8 * count)  # float32: both moments
        assert share == pytest.approx(1 / world, rel=0.15)
        held = result["memory"]["weights"] / (4 * count)
        assert held == pytest.approx(1 / world if kind == "fully_shard" else 1, rel=0.15)


@pytest.mark.parametrize("kind", ["zero1", "fully_shard"])
def test_bfloat16_on_two_ranks_learns_the_same(kind: str) -> None:
    alone = steps(Ranks(), "zero1", torch.bfloat16, True, False)
    together = on_ranks(2, worker, kind, torch.bfloat16)
    torch.testing.assert_close(together[0]["losses"], alone["losses"], rtol=2e-3, atol=1e-3)
    assert {t.dtype for t in assembled(together).values()} == {torch.float32}


@pytest.mark.parametrize("kind", ["zero1", "fully_shard"])
def test_one_ranks_bad_gradient_is_skipped_by_all_and_named(kind: str) -> None:
    results = on_ranks(2, worker, kind, torch.float32, True, True)
    assert [r["steps"] for r in results] == [5, 5]
    assert all(r["norms"][3] != r["norms"][3] for r in results)  # nan on both
    assert results[0]["bad"] == results[1]["bad"] and len(results[0]["bad"]) == 1


def overlapping() -> dict[str, Any]:
    """What is still to come when gradients begin to travel, and what is still travelling when a block computes."""
    with joined() as ranks:
        decoder = model()
        layout = layout_of("zero1", decoder, ranks, torch.float32)
        optimizer = AdamW(layout, OptimizerConfig())
        missing, travelling = [], []
        reduce = layout._reduce

        def noted(bucket: Any) -> None:
            missing.append(sum(other.missing for other in layout.buckets))
            reduce(bucket)

        layout._reduce = noted
        first, last = decoder.blocks[0], decoder.blocks[-1]
        needed = [b for b in layout.buckets if any(name.startswith("blocks.2.feed_forward.down") for name in b.names)]
        needed += [b for b in layout.buckets if "head.weight" in b.names]
        first.register_forward_hook(lambda *_: travelling.append([b.sending is not None for b in needed]))
        last.register_forward_pre_hook(lambda *_: travelling.append([b.sending is not None for b in needed]))
        for step in range(2):
            batch = torch.randint(67, (2, 17), generator=torch.Generator().manual_seed(step))
            layout.zero()
            layout.backward(decoder(batch[:, :-1], batch[:, 1:]) / 2, last=True)
            optimizer.step(1e-2)
        return {"missing": missing, "travelling": travelling, "buckets": len(layout.buckets)}


def test_buckets_travel_while_backward_and_forward_go_on() -> None:
    for result in on_ranks(2, overlapping):
        assert len(result["missing"]) == 2 * result["buckets"]
        in_backward = result["missing"][: result["buckets"]]
        assert in_backward == sorted(in_backward, reverse=True)  # as backward reaches them
        assert in_backward[0] > 0.7 * len(list(model().parameters()))  # most were still to come
        # In the second step the first block computed while the last one's weights were on their way, and the head's; it
        # waited itself, the head's still travelled.
        assert result["travelling"][2:] == [[True, True], [False, True]]
