"""Estimated similarity."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.verification import estimated_jaccard, estimated_jaccard_of_rows


def test_estimated_jaccard_is_the_share_of_equal_values():
    rng = np.random.default_rng(4)
    minima = rng.integers(0, 3, (50, 112), np.uint32)
    left, right = rng.integers(0, 50, 200), rng.integers(0, 50, 200)
    wanted = (minima[left] == minima[right]).mean(axis=1).astype(np.float32)
    assert np.array_equal(estimated_jaccard(minima[left], minima[right]), wanted)
    assert np.array_equal(estimated_jaccard_of_rows(minima, left, right), wanted)
    assert len(estimated_jaccard(minima[:0], minima[:0])) == 0


def test_impossible_arguments_are_named():
    minima, row = np.zeros((1, 4), np.uint32), np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="shapes"):
        estimated_jaccard(minima, minima[:, :2])
    with pytest.raises(ValueError, match="among the 1 signatures"):
        estimated_jaccard_of_rows(minima, row, row - 1)
    with pytest.raises(ValueError, match="1 left and 0 right rows"):
        estimated_jaccard_of_rows(minima, row, row[:0])
