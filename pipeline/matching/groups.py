"""Groups of parts: a bounded number of them, so that a corpus of many parts needs no message from each to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.corpus import part_of


@dataclass(frozen=True)
class Groups:
    """Runs of parts, in the order of their keys, of about equally many documents.

    Attributes:
        parts: int64 [P], numbers of parts (``corpus.part_of``), ascending.
        starts: int64 [G], the index in ``parts`` at which each group begins.
    """

    parts: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The group of each document: uint64 [n] to int64 [n]."""
        return np.searchsorted(self.parts[self.starts], part_of(keys), side="right") - 1

    def of_part(self, part: int) -> int:
        """The group of a part."""
        return int(np.searchsorted(self.parts[self.starts], part, side="right")) - 1


def grouped(documents: dict[int, int], groups: int) -> Groups:
    """Shares parts out to at most ``groups`` groups; ``documents`` says how many each part has."""
    parts = np.array(sorted(documents), np.int64)
    sizes = np.array([documents[part] for part in parts.tolist()], np.int64)
    before = np.cumsum(sizes) - sizes
    place = before * groups // max(1, int(sizes.sum()))
    starts = np.flatnonzero(np.diff(place, prepend=-1)) if len(parts) else np.empty(0, np.int64)
    return Groups(parts, starts)
