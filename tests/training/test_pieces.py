"""Boxes of a stretch of a tensor: they cover it once, in order, and lie where the tensor has them."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.pieces import rows, stretch


@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.data())
def test_a_stretch_is_a_few_boxes_with_the_same_elements(shape: list[int], data: st.DataObject) -> None:
    size = math.prod(shape)
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    tensor = torch.arange(size).view(shape)
    pieces = stretch(tensor.flatten()[start:stop], tensor.shape, start)
    covered = torch.zeros(shape, dtype=torch.int)
    for piece in pieces:
        box = tuple(slice(o, o + n) for o, n in zip(piece.offset, piece.data.shape, strict=True))
        assert torch.equal(tensor[box], piece.data)
        covered[box] += 1
    assert torch.equal(covered.flatten(), torch.tensor([int(start <= i < stop) for i in range(size)], dtype=torch.int))
    assert len(pieces) <= 2 * len(shape) - 1


def test_pieces_are_views() -> None:
    flat = torch.zeros(10)
    for piece in stretch(flat, torch.Size([4, 3]), 1):
        piece.data.fill_(1)
    assert flat.sum() == 10
    assert rows(torch.zeros(0, 3), torch.Size([4, 3]), 4) == []
