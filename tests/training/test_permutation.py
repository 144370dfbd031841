"""The order of samples: a permutation for every size and key, and not a visible pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.permutation import derive_key, permute


@pytest.mark.parametrize("n", [*range(1, 70), 99, 100, 101, 1023, 1024, 1025, 65_537])
def test_every_number_comes_exactly_once(n: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(n), n, 7)), np.arange(n))


@given(st.integers(1, 5000), st.integers(0, 2**64 - 1))
def test_every_number_comes_exactly_once_under_any_key(n: int, key: int) -> None:
    assert np.array_equal(np.sort(permute(np.arange(n), n, key)), np.arange(n))


@given(st.integers(2, 2**62), st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**62), min_size=1, max_size=20))
def test_any_position_can_be_asked_for_alone(n: int, key: int, positions: list[int]) -> None:
    where = np.array(positions) % n
    together = permute(where, n, key)
    assert together.min() >= 0 and together.max() < n
    assert [int(permute(where[i : i + 1], n, key)[0]) for i in range(len(where))] == together.tolist()


def test_keys_may_differ_by_position() -> None:
    keys = derive_key(5, np.arange(10))
    mixed = permute(np.arange(10), 1000, keys)
    assert mixed.tolist() == [int(permute(np.array([i]), 1000, keys[i])[0]) for i in range(10)]


def test_the_order_looks_random() -> None:
    n = 100_000
    order = permute(np.arange(n), n, 1)
    # Neighbours are as far apart as independent draws are: n/3 on average; so are an element and its image.
    assert abs(np.abs(np.diff(order)).mean() / n - 1 / 3) < 0.005
    assert abs(np.abs(order - np.arange(n)).mean() / n - 1 / 3) < 0.005
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.01
    # A permutation has one fixed point on average, and two keys agree in one place.
    assert (order == np.arange(n)).sum() < 10
    assert (order == permute(np.arange(n), n, 2)).sum() < 10
    # Every tenth of the order covers every tenth of the samples evenly.
    table = np.histogram2d(np.arange(n), order, bins=10)[0]
    assert abs(table - n / 100).max() < 6 * np.sqrt(n / 100)


def test_positions_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 10\)"):
        permute(np.array([10]), 10, 0)
