"""The largest total and the fit: against scipy's linear programming, and against fitting without caps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from filters.mixture.fitting import fitted
from filters.mixture.largest import Margin, largest


@st.composite
def problems(draw, most_axes=3):
    """Caps of cells on one to three axes of one to four domains, some cells missing, and shares of each axis."""
    dims = draw(st.lists(st.integers(1, 4), min_size=1, max_size=most_axes))
    every = list(itertools.product(*map(range, dims)))
    cells = [cell for cell in every if draw(st.integers(0, 4))] or every
    assume(all({cell[axis] for cell in cells} == set(range(size)) for axis, size in enumerate(dims)))
    caps = np.array([draw(st.integers(1, 1000)) for _ in cells], float)
    margins = []
    for axis, size in enumerate(dims):
        shares = np.array([draw(st.integers(1, 20)) for _ in range(size)], float)
        margins.append(Margin(np.array([cell[axis] for cell in cells]), shares / shares.sum()))
    return caps, margins


def by_linear_programming(caps: np.ndarray, margins: list[Margin]) -> float:
    """Max T with Σ x of a domain = share · T, 0 ≤ x ≤ caps, by HiGHS; amounts as shares of the sum of the caps."""
    equations = [
        np.append((margin.domains == domain).astype(float), -share)
        for margin in margins
        for domain, share in enumerate(margin.shares)
    ]
    bounds = [*((0, cap / caps.sum()) for cap in caps), (0, None)]
    aim = np.append(np.zeros(len(caps)), -1.0)
    found = linprog(aim, A_eq=np.array(equations), b_eq=np.zeros(len(equations)), bounds=bounds, method="highs")
    return -found.fun * caps.sum()


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_largest_total_is_that_of_linear_programming(problem):
    caps, margins = problem
    assert largest(caps, margins).total == pytest.approx(by_linear_programming(caps, margins), abs=1e-5 * caps.sum())


@given(problems(most_axes=2))
@settings(max_examples=60, deadline=None)
def test_only_caps_that_gain_limit_the_total(problem):
    caps, margins = problem
    total, gains = largest(caps, margins)
    assume(total > 0.01)
    assert (gains >= 0).all()
    looser = np.where(gains > 1e-9, caps, caps * 3)  # caps that gain nothing may all be loosened together
    if (gains > 1e-9).any():
        assert largest(looser, margins).total == pytest.approx(total, rel=1e-6)
    tighter = caps * 0.99
    assert largest(tighter, margins).total == pytest.approx(total * 0.99, rel=1e-6)


@given(problems(), st.sampled_from([0.2, 0.7, 0.95]), st.sampled_from([1.0, 0.5, 0.25]))
@settings(max_examples=150, deadline=None)
def test_the_fit_holds_shares_and_caps_at_once(problem, part, filled):
    caps, margins = problem
    total = largest(caps, margins).total * part
    assume(total > 0.01)
    amounts = fitted(caps * filled, caps, margins, total)
    assert (amounts >= 0).all()
    assert (amounts <= caps * (1 + 1e-12)).all()
    for margin in margins:
        assert margin.sums(amounts) == pytest.approx(margin.shares * total, rel=1e-3)


@given(problems())
@settings(max_examples=60, deadline=None)
def test_without_caps_it_is_iterative_proportional_fitting(problem):
    prior, margins = problem
    assume(largest(prior * 1e6, margins).total > 1.0)
    total = float(prior.sum())
    found = fitted(prior, prior * 1e9, margins, total)
    scaled = prior.copy()
    for _ in range(3000):
        for margin in margins:
            scaled = scaled * (margin.shares * total / margin.sums(scaled))[margin.domains]
    off = max(np.abs(margin.sums(scaled) / (margin.shares * total) - 1).max() for margin in margins)
    assume(off < 1e-9)  # where it crawls it is no reference
    assert found == pytest.approx(scaled, rel=1e-5, abs=1e-9 * total)


def test_a_cap_leaves_what_is_lacking_to_cells_of_the_same_domains():
    # Two sources, two languages; one small cell is capped, and the others make up for it.
    margins = [
        Margin(np.array([0, 0, 1, 1]), np.array([0.5, 0.5])),
        Margin(np.array([0, 1, 0, 1]), np.array([0.5, 0.5])),
    ]
    prior = np.array([100.0, 2.0, 100.0, 95.0])
    assert fitted(prior, prior * 9, margins, 200.0)[1] == pytest.approx(100 / (1 + 47.5**0.5))  # the same odds ratio
    assert fitted(prior, prior * 4, margins, 200.0) == pytest.approx([92, 8, 8, 92])


def test_cells_that_cannot_be_used_together_have_no_total():
    apart = [Margin(np.array([0, 1]), np.array([0.9, 0.1])), Margin(np.array([0, 1]), np.array([0.5, 0.5]))]
    assert largest(np.array([100.0, 100.0]), apart).total == 0
