"""What verification says of the pairs of a group of parts in one pass, on its way to the files."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.candidates import Memberships
from pipeline.matching.messages import pack, unpack


class Result(NamedTuple):
    """Columns; ``part`` is always that of the later document.

    Attributes:
        number: int64 [1], of the pass, from 1.
        left, right uint64 [a], jaccard float32 [a], levels uint8 [a]: the accepted pairs.
        part, candidates, accepted: int64 [n], compared pairs and accepted ones of each part.
        refused_left, refused_right uint64 [s], refused_jaccard float32 [s]: some refused pairs near the threshold.
        buckets, keys uint64 [m], back_levels uint8 [m], back_part int64 [m]: who was put back, by which pair's part.
        own, other uint64 [o], corpus uint16 [o], outside_jaccard float32 [o]: copies in other corpora, by the place in
            ``dedup.against``.
    """

    number: np.ndarray
    left: np.ndarray
    right: np.ndarray
    jaccard: np.ndarray
    levels: np.ndarray
    part: np.ndarray
    candidates: np.ndarray
    accepted: np.ndarray
    refused_left: np.ndarray
    refused_right: np.ndarray
    refused_jaccard: np.ndarray
    buckets: np.ndarray
    keys: np.ndarray
    back_levels: np.ndarray
    back_part: np.ndarray
    own: np.ndarray
    other: np.ndarray
    corpus: np.ndarray
    outside_jaccard: np.ndarray

    def packed(self) -> bytes:
        """As a message."""
        return pack(*self)

    @staticmethod
    def unpacked(message: bytes) -> Result:
        """Out of a message."""
        return Result(*unpack(message))

    @property
    def back(self) -> Memberships:
        """Who was put back."""
        return Memberships(self.buckets, self.keys, self.back_levels)


_KINDS = {
    "left": "u8", "right": "u8", "jaccard": "f4", "levels": "u1",
    "refused_left": "u8", "refused_right": "u8", "refused_jaccard": "f4",
    "buckets": "u8", "keys": "u8", "back_levels": "u1",
    "own": "u8", "other": "u8", "corpus": "u2", "outside_jaccard": "f4",
}  # fmt: skip


def result(number: int, **columns: np.ndarray) -> Result:
    """A result of some columns; the others are empty."""
    empty = {name: np.empty(0, _KINDS.get(name, "i8")) for name in Result._fields}
    return Result(**(empty | {"number": np.array([number])} | columns))


EMPTY = result(0)


def together(results: list[Result]) -> Result:
    """All columns of several results one below the other."""
    return Result(*map(np.concatenate, zip(*results, strict=True)))
