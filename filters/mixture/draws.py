"""How often each document is used: every one so many times, and those whose keyed hash is low once more.

A coin thrown for each document would be off by luck, about 1/√documents. The line between low and high is drawn where
the documents' own amounts come nearest to what is wanted, which leaves half a document or a 4,096th of the cell. It is
still a line in a keyed hash: raising what is wanted only adds documents, and no cell depends on another.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from text.hashing import keyed_hash

BUCKETS = 1 << 12  # of equal width, over the range of the hash
_SHIFT = np.uint64(64 - 12)
MOST_EPOCHS = 65_534  # copies are uint16


class Draw(NamedTuple):
    """Uses of every document of a cell, and one more of those in the first ``buckets``."""

    whole: int
    buckets: int

    def copies(self, buckets: np.ndarray) -> np.ndarray:
        """uint16 [n]: the uses of documents, by their buckets."""
        return (buckets < self.buckets).astype(np.uint16) + np.uint16(self.whole)


def buckets_of(keys: np.ndarray, seed: int) -> np.ndarray:
    """uint64 keys [n] → uint16 [n], the bucket of each document's hash."""
    return (keyed_hash(np.ascontiguousarray(keys, np.uint64), seed) >> _SHIFT).astype(np.uint16)


def placed(epochs: float, amounts: np.ndarray) -> Draw:
    """Draws the line for one cell.

    Args:
        epochs: uses of a document on average, 0 to 65,534.
        amounts: int64 [BUCKETS], tokens (or bytes, or documents) of the cell in each bucket.

    Raises:
        ValueError: epochs out of range.
    """
    if not 0 <= epochs <= MOST_EPOCHS:
        raise ValueError(f"a document cannot be used {epochs!r} times")
    whole = math.floor(epochs)
    below = np.concatenate([[0], np.cumsum(amounts)])
    wanted = (epochs - whole) * float(below[-1])
    return Draw(whole, int(np.argmin(np.abs(below - wanted))))
