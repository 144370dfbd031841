"""Banding: which documents meet, asked of stored MinHash values.

A band is a run of ``rows`` values; documents that agree in a whole band meet in a bucket. Two documents of Jaccard
similarity J meet with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets,
3.4). The default is FineWeb's: 14 bands of 8.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from dedup import banding_kernels
from dedup.limits import MOST_VALUES


@dataclass(frozen=True)
class Banding:
    """Bands of a signature.

    Attributes:
        bands: how many, at least 1.
        rows: MinHash values in each, at least 1; bands * rows at most 65,536.

    Raises:
        ValueError: a value is impossible.
    """

    bands: int = 14
    rows: int = 8

    def __post_init__(self) -> None:
        for name in ("bands", "rows"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_VALUES:
                raise ValueError(f"{name} = {value!r}: give a whole number from 1 to {MOST_VALUES}")
        if self.values > MOST_VALUES:
            raise ValueError(f"bands * rows = {self.bands} * {self.rows} = {self.values}: {MOST_VALUES} is the most")

    @property
    def values(self) -> int:
        """MinHash values that are used: the first bands * rows of a signature."""
        return self.bands * self.rows

    def match_probability(self, jaccard: float) -> float:
        """Probability that two documents of this similarity [0, 1] share a band, and so become a candidate pair."""
        return float(1 - (1 - jaccard**self.rows) ** self.bands)

    @classmethod
    @functools.cache
    def for_threshold(cls, threshold: float, permutations: int = 128, miss_weight: float = 0.5) -> Banding:
        """Chooses bands and rows for a Jaccard threshold.

        Minimises ``(1 - miss_weight) * false positive area + miss_weight * false negative area`` of the match
        probability on the two sides of the threshold, as datasketch's ``MinHashLSH`` does.

        Raises:
            ValueError: the threshold lies outside (0, 1), the weight outside [0, 1], or permutations below 1.
        """
        if not 0 < threshold < 1:
            raise ValueError(f"threshold = {threshold:g}: give a number between 0 and 1")
        if not 0 <= miss_weight <= 1:
            raise ValueError(f"miss_weight = {miss_weight:g}: give a number from 0 to 1")
        if permutations < 1:
            raise ValueError(f"permutations = {permutations}: give at least 1")
        step = 0.001  # midpoint rule, datasketch's step
        below = np.arange(step / 2, threshold, step)
        above = np.arange(threshold + step / 2, 1, step)
        best = (np.inf, 1, 1)
        for bands in range(1, permutations + 1):
            for rows in range(1, permutations // bands + 1):
                wrong = float(np.sum(1 - (1 - below**rows) ** bands)) * step
                missed = float(np.sum((1 - above**rows) ** bands)) * step
                best = min(best, ((1 - miss_weight) * wrong + miss_weight * missed, bands, rows))
        return cls(best[1], best[2])


def band_hashes(minima: np.ndarray, banding: Banding) -> np.ndarray:
    """The hash of each band of each document; the band's number is part of it, so that bands never mix.

    Args:
        minima: uint32 [n, at least bands * rows]. Documents without words agree in all values and are not to be asked.

    Returns:
        uint64 [n, bands].

    Raises:
        ValueError: fewer values than the bands need; names both.
    """
    if minima.shape[1] < banding.values:
        raise ValueError(
            f"bands × rows = {banding.bands} × {banding.rows} = {banding.values} values, but the signatures store "
            f"{minima.shape[1]}: lower bands or rows, or sign with more permutations"
        )
    return banding_kernels.band_hashes(np.ascontiguousarray(minima, np.uint32), banding.bands, banding.rows)
