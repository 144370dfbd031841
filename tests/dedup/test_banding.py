"""Bands: their hashes, how many there are, and what datasketch would choose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_words import MASK, mix

from dedup.banding import Banding, band_hashes

GOLDEN = 0x9E3779B97F4A7C15
FROZEN = [10479908139340185600, 9330953620687291509]  # signatures are kept for years, band hashes only while a job runs


@given(
    st.builds(Banding, st.integers(1, 6), st.integers(1, 9)),
    st.integers(0, 7),
    st.integers(0, 9),
    st.integers(0, 2**32 - 1),
)
def test_band_hashes_equal_plain_python(banding, documents, spare, seed):
    minima = np.random.default_rng(seed).integers(0, 2**32, (documents, banding.values + spare), np.uint32)
    wanted = []
    for row in minima.tolist():
        for band in range(banding.bands):
            value = mix((band + 1) * GOLDEN & MASK)
            for minimum in row[band * banding.rows : (band + 1) * banding.rows]:
                value = mix((value ^ minimum) + GOLDEN & MASK)
            wanted.append(value)
    found = band_hashes(minima, banding)
    assert found.shape == (documents, banding.bands)
    assert found.reshape(-1).tolist() == wanted


def test_values_are_frozen():
    assert band_hashes(np.arange(4, dtype=np.uint32)[None], Banding(2, 2))[0].tolist() == FROZEN


def test_equal_values_in_two_bands_are_two_buckets():
    hashes = band_hashes(np.ones((1, 112), np.uint32), Banding())
    assert len(np.unique(hashes)) == 14


def test_more_bands_than_values_are_refused_with_both_named():
    with pytest.raises(ValueError, match=r"bands × rows = 20 × 13 = 260 values, but the signatures store 112"):
        band_hashes(np.ones((3, 112), np.uint32), Banding(20, 13))


def test_fineweb_match_probabilities():
    chosen = Banding()
    assert chosen.match_probability(0.75) == pytest.approx(0.77, abs=0.005)
    assert chosen.match_probability(0.8) == pytest.approx(0.92, abs=0.005)
    assert chosen.match_probability(0) == 0 and chosen.match_probability(1) == 1


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("permutations", [16, 128])
def test_threshold_chooses_as_datasketch(threshold, permutations):
    lsh = pytest.importorskip("datasketch.lsh")
    chosen = Banding.for_threshold(threshold, permutations)
    assert (chosen.bands, chosen.rows) == lsh._optimal_param(threshold, permutations, 0.5, 0.5)


@pytest.mark.parametrize("values", [{"threshold": 0}, {"threshold": 1}, {"threshold": 0.5, "permutations": 0}])
def test_impossible_thresholds_are_refused(values):
    with pytest.raises(ValueError, match="give"):
        Banding.for_threshold(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bands": 0}, "bands = 0"),
        ({"rows": -1}, "rows = -1"),
        ({"rows": 2.5}, "rows = 2.5"),
        ({"bands": 1000, "rows": 100}, "bands \\* rows = 1000 \\* 100 = 100000"),
    ],
)
def test_impossible_bands_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        Banding(**values)
