"""Boxes of named tensors: the one form in which weights and moments are saved and loaded, however they are spread.

A rank holds part of a parameter: all of it, some of its rows, or a stretch of its elements as they lie in memory. Each
is a few boxes of the parameter's own shape, so that what one layout saved any other can read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Piece:
    """A box of a tensor of ``shape`` that begins at ``offset``; ``data`` is a view of the box's shape."""

    shape: torch.Size
    offset: tuple[int, ...]
    data: Tensor

    @property
    def box(self) -> tuple[slice, ...]:
        """Where the piece lies: ``tensor[piece.box]`` is what ``data`` holds of it."""
        return tuple(slice(o, o + n) for o, n in zip(self.offset, self.data.shape, strict=True))


State = Mapping[str, "Tensor | Sequence[Piece]"]
"""The rank's part of every named tensor: its pieces, or the tensor where all of it is here."""


def pieces_of(value: Tensor | Sequence[Piece]) -> Sequence[Piece]:
    """A value of a State as pieces."""
    return [Piece(value.shape, (0,) * value.ndim, value)] if isinstance(value, Tensor) else value


def rows(tensor: Tensor, shape: torch.Size, first: int) -> list[Piece]:
    """Rows of a tensor of ``shape``, from ``first`` on; no piece where there is no row."""
    return [Piece(shape, (first,) + (0,) * (len(shape) - 1), tensor)] if tensor.numel() else []


def stretch(flat: Tensor, shape: torch.Size, start: int) -> list[Piece]:
    """Elements ``[start, start + len(flat))`` of a tensor of ``shape``, in the order of memory."""
    pieces, done = [], 0
    for offset, size in _boxes(tuple(shape), start, start + flat.numel()):
        count = math.prod(size)
        pieces.append(Piece(shape, offset, flat[done : done + count].view(size)))
        done += count
    return pieces


def _boxes(shape: tuple[int, ...], start: int, stop: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Offset and size of the boxes that make up a stretch: of a matrix a part of a row, whole rows, a part of a row."""
    if start >= stop:
        return
    if len(shape) == 1:
        yield (start,), (stop - start,)
        return
    inner = math.prod(shape[1:])
    row = start // inner
    if start % inner:  # up to the end of the row, or of the stretch
        end = min(stop, (row + 1) * inner)
        for offset, size in _boxes(shape[1:], start - row * inner, end - row * inner):
            yield (row, *offset), (1, *size)
        start, row = end, row + 1
    full = stop // inner - row
    if full > 0:
        yield (row,) + (0,) * (len(shape) - 1), (full, *shape[1:])
        start, row = (row + full) * inner, row + full
    for offset, size in _boxes(shape[1:], start - row * inner, stop - row * inner):
        yield (row, *offset), (1, *size)
