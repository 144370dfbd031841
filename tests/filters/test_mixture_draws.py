"""Which documents are drawn: a line in a keyed hash, placed where the documents' own amounts come nearest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.mixture.draws import BUCKETS, buckets_of, placed

KEYS = np.arange(20_000, dtype=np.uint64) << np.uint64(13)
AMOUNTS = (np.random.default_rng(5).pareto(1.5, len(KEYS)) * 300 + 20).astype(np.int64)  # as lopsided as web pages


def spread(keys=KEYS, amounts=AMOUNTS, seed=7):
    return np.bincount(buckets_of(keys, seed), amounts, BUCKETS).astype(np.int64)


def drawn(epochs, keys=KEYS, amounts=AMOUNTS, seed=7):
    """Copies of each document."""
    return placed(epochs, spread(keys, amounts, seed)).copies(buckets_of(keys, seed))


@pytest.mark.parametrize("documents", [60, 500, 20_000])
@pytest.mark.parametrize("epochs", [0.03, 0.5, 1.3, 3.77])
def test_the_amount_is_reached_to_half_a_document(documents, epochs):
    keys, amounts = KEYS[:documents], AMOUNTS[:documents]
    reached = int((drawn(epochs, keys, amounts) * amounts).sum())
    border = spread(keys, amounts).max()
    assert abs(reached - epochs * amounts.sum()) <= border / 2
    if documents == 20_000:
        assert reached == pytest.approx(epochs * amounts.sum(), rel=0.005)


def test_a_coin_for_each_document_would_be_off_by_far_more():
    rng = np.random.default_rng(1)
    coins = [abs((AMOUNTS[:500] * (rng.random(500) < 0.5)).sum() / AMOUNTS[:500].sum() / 0.5 - 1) for _ in range(200)]
    line = [
        abs((drawn(0.5, KEYS[:500], AMOUNTS[:500], seed) * AMOUNTS[:500]).sum() / AMOUNTS[:500].sum() / 0.5 - 1)
        for seed in range(200)
    ]
    assert np.median(line) < np.median(coins) / 10


@given(st.floats(0, 5), st.floats(0, 5))
@settings(max_examples=50, deadline=None)
def test_more_epochs_only_add_copies(one, other):
    fewer, more = drawn(min(one, other)), drawn(max(one, other))
    assert (fewer <= more).all()
    assert set(np.unique(more)) <= {math.floor(max(one, other)), math.floor(max(one, other)) + 1}


def test_copies_depend_on_key_seed_and_line_only():
    found = drawn(1.3)
    assert found.dtype == np.uint16
    line = placed(1.3, spread())
    assert (line.copies(buckets_of(KEYS[::-1], 7)) == found[::-1]).all()
    assert (drawn(1.3, seed=8) != found).any()
    assert (drawn(2.0) == 2).all()
    assert not drawn(0.0).any()
    assert placed(0.5, np.zeros(BUCKETS, np.int64)).whole == 0
    with pytest.raises(ValueError, match="cannot be used -1"):
        placed(-1, spread())
