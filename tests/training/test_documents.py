"""Documents packed into one sequence are computed as if each stood alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import documents
from training.config import model_config
from training.documents import Packing, attend
from training.model import Decoder

SHAPES = {
    "mha": {"layers": 2, "width": 48, "feed_forward": 96, "heads": 4, "kv_heads": 4, "vocabulary": 101, "context": 80},
    "gqa": {"layers": 3, "width": 64, "feed_forward": 100, "heads": 8, "kv_heads": 2, "vocabulary": 77, "context": 80},
}


def model(shape: str) -> Decoder:
    return Decoder(model_config({**SHAPES[shape], "init_std": 0.1})).initialize(1)


def ids(*rows: list[int]) -> torch.Tensor:
    """Document ids int32 [rows, T] from the lengths of each row's documents."""
    return torch.stack([torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row)) for row in rows]).int()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_gradients_are_those_of_each_document_alone(shape: str) -> None:
    rows = [[1, 13, 1, 7, 18, 40], [80], [5] * 16]
    tokens = torch.randint(77, (3, 80), generator=torch.Generator().manual_seed(0))
    together, apart = model(shape), model(shape)
    logits = together(tokens, documents=Packing.of(ids(*rows)))
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    (logits * weights).sum().backward()
    for row, lengths in enumerate(rows):
        for start, length in zip([0, *torch.tensor(lengths).cumsum(0).tolist()], lengths, strict=False):
            alone = apart(tokens[row : row + 1, start : start + length])[0]
            torch.testing.assert_close(logits[row, start : start + length], alone, rtol=1e-5, atol=1e-5)
            (alone * weights[row, start : start + length]).sum().backward()
    for ours, theirs in zip(together.parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


def test_recomputing_a_layer_keeps_its_documents() -> None:
    tokens = torch.randint(77, (1, 80), generator=torch.Generator().manual_seed(0))
    gradients = []
    for recompute in (False, True):
        decoder = model("gqa")
        decoder.recompute = recompute
        decoder(tokens[:, :-1], tokens[:, 1:], Packing.of(ids([30, 49]))).backward()
        gradients.append(decoder.blocks[0].attention.qkv.weight.grad)  # type: ignore[union-attr]
    assert torch.equal(*gradients)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 3))
def test_attention_equals_that_under_a_mask(neighbours: list[int], heads: int) -> None:
    numbers = torch.tensor([neighbours, neighbours[::-1]])  # equal neighbours are one document
    number = torch.cat([torch.zeros(2, 1), (numbers.diff() != 0).cumsum(1)], 1)
    mask = (number[:, :, None] == number[:, None, :]).tril()[:, None]
    q, k, v = torch.randn(3, 2, len(neighbours), heads, 4, generator=torch.Generator().manual_seed(heads))
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(x.transpose(1, 2) for x in (q, k, v)), attn_mask=mask
    ).transpose(1, 2)
    packing = Packing.of(numbers)
    torch.testing.assert_close(attend(q, k, v, packing), expected)
    first = torch.tensor([[row.tolist().index(x) for x in row] for row in number])
    assert torch.equal(packing.positions, torch.arange(len(neighbours)) - first)


def test_little_is_computed_in_vain() -> None:
    lengths = torch.randint(1, 700, (60,), generator=torch.Generator().manual_seed(2)).tolist()
    packing = Packing.of(ids(lengths))
    assert len(packing.shapes) <= 11 and packing.longest == max(lengths)
    assert packing.gather.numel() < 1.5 * sum(lengths)
    work, mask = sum(n * length**2 for n, length in packing.shapes), sum(lengths) ** 2
    assert work < 2 * sum(length**2 for length in lengths) < mask / 15


def test_the_gpus_kernel_is_told_where_documents_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(  # as torch's varlen_attn is defined
        q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bounds_q: torch.Tensor, bounds_k: torch.Tensor,
        longest_q: int, longest_k: int, *, window_size: tuple[int, int], enable_gqa: bool,
    ) -> torch.Tensor:  # fmt: skip
        assert window_size == (-1, 0) and longest_q == longest_k == int(bounds_q.diff().max())
        assert torch.equal(bounds_q, bounds_k) and bounds_q.dtype == torch.int32 and enable_gqa
        alone = [
            torch.nn.functional.scaled_dot_product_attention(
                *(x[first:last].transpose(0, 1) for x in (q, k, v)), is_causal=True, enable_gqa=True
            ).transpose(0, 1)
            for first, last in itertools.pairwise(bounds_q.tolist())
        ]
        return torch.cat(alone)

    q, k, v = (torch.randn(2, 80, heads, 16) for heads in (8, 2, 2))
    packing = Packing.of(ids([1, 13, 1, 7, 18, 40], [80]))
    expected = attend(q, k, v, packing)
    monkeypatch.setattr(documents, "varlen_attn", kernel)
    monkeypatch.setattr(documents, "_has_kernel", lambda q: True)
    torch.testing.assert_close(attend(q, k, v, packing), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpu_attends_as_the_cpu_does(shape: str, dtype: Any) -> None:
    sizes = SHAPES[shape]
    q, k, v = (torch.randn(2, 80, sizes[n], 16) for n in ("heads", "kv_heads", "kv_heads"))  # type: ignore[arg-type]
    packing = Packing.of(ids([1, 13, 1, 7, 18, 40], [80]))
    expected = attend(q, k, v, packing)
    moved = [x.to("cuda", dtype).requires_grad_() for x in (q, k, v)]
    found = attend(*moved, packing.to(torch.device("cuda")))
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found.float().cpu(), expected, rtol=tolerance, atol=tolerance)
    found.sum().backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in moved)
