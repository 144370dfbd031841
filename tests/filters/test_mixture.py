"""Mixture plans: shares are reached, caps are kept, and nothing depends on order."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.mixture import copies, plan

CELLS = {("web", "en"): 6_000, ("web", "zh"): 3_000, ("web", "fr"): 1_000, ("books", "en"): 500, ("books", "zh"): 400}
cells = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["en", "zh", "fr", "de"])),
    st.integers(1, 10**13),
    min_size=1,
)


def test_without_shares_every_document_is_used_once():
    result = plan(CELLS)
    assert result.epochs == dict.fromkeys(CELLS, 1.0)
    assert result.total_bytes == 10_900
    assert result.exact and not result.binding


def test_shares_by_source_are_reached_at_the_largest_total_the_cap_allows():
    result = plan(CELLS, source_shares={"web": 3, "books": 1}, max_epochs=2)
    assert result.reached_sources == pytest.approx({"web": 0.75, "books": 0.25})
    assert result.epochs_of("books", "en") == result.epochs_of("books", "zh") == pytest.approx(2)
    assert result.total_bytes == pytest.approx(2 * 900 / 0.25)
    assert result.binding == [("books", "en"), ("books", "zh")]
    assert "books/en, books/zh at the cap of 2 epochs" in result.message


def test_sources_and_languages_that_are_not_listed_are_left_out():
    result = plan(CELLS, source_shares={"books": 1}, language_shares={"en": 1, "zh": 1})
    assert result.epochs_of("web", "en") == 0
    assert result.epochs_of("books", "fr") == 0
    assert result.reached_languages == pytest.approx({"en": 0.5, "zh": 0.5, "fr": 0.0} | {}, abs=1e-9)


def test_other_stands_for_all_languages_that_are_not_listed():
    result = plan(CELLS, language_shares={"en": 0.5, "other": 0.5})
    assert result.reached_languages == pytest.approx({"en": 0.5, "other": 0.5})
    assert result.epochs_of("web", "fr") == result.epochs_of("web", "zh") == result.epochs_of("books", "zh")


def test_both_marginals_are_fitted():
    result = plan(CELLS, {"web": 0.6, "books": 0.4}, {"en": 0.5, "zh": 0.45, "fr": 0.05}, max_epochs=4)
    assert result.exact
    assert result.reached_sources == pytest.approx({"web": 0.6, "books": 0.4}, rel=1e-6)
    assert result.reached_languages == pytest.approx({"en": 0.5, "zh": 0.45, "fr": 0.05}, rel=1e-6)
    assert max(result.epochs.values()) == pytest.approx(4)


@given(cells, st.data())
@settings(max_examples=200)
def test_any_feasible_plan_reaches_its_shares_and_keeps_the_cap(sizes, data):
    sources = sorted({source for source, _ in sizes})
    shares = {source: data.draw(st.floats(0.01, 10)) for source in sources}
    cap = data.draw(st.floats(0.1, 8))
    result = plan(sizes, source_shares=shares, max_epochs=cap)
    assert result.exact
    assert all(0 <= epochs <= cap for epochs in result.epochs.values())
    assert max(result.epochs.values()) == pytest.approx(cap)
    total = math.fsum(shares.values())
    assert result.reached_sources == pytest.approx({source: share / total for source, share in shares.items()})
    assert math.fsum(result.planned.values()) == pytest.approx(result.total_bytes)


@given(cells)
def test_the_order_of_the_cells_does_not_matter(sizes):
    shares = {language: 1.0 + i for i, language in enumerate(sorted({language for _, language in sizes}))}
    orders = itertools.islice(itertools.permutations(sizes.items()), 6)
    plans = [plan(dict(order), language_shares=shares, max_epochs=3) for order in orders]
    assert all(result == plans[0] for result in plans)


def test_a_smaller_total_is_taken_as_asked_and_a_larger_one_says_what_is_possible():
    small = plan(CELLS, {"web": 0.5, "books": 0.5}, total_bytes=1_000)
    assert small.total_bytes == pytest.approx(1_000)
    assert not small.binding
    large = plan(CELLS, {"web": 0.5, "books": 0.5}, total_bytes=1_000_000)
    assert large.total_bytes == pytest.approx(1_800)
    assert large.exact and "the most that can be reached" in large.message
    assert plan(CELLS, total_bytes=5_450).epochs == dict.fromkeys(CELLS, 0.5)
    most = plan(CELLS, total_bytes=10**9, max_epochs=3)
    assert most.total_bytes == 3 * 10_900 and len(most.binding) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source_shares": {"wbe": 1}}, "no documents for the share of unknown source 'wbe'; did you mean 'web'"),
        ({"language_shares": {"en": 1, "ja": 1}}, "languages with documents: en, fr, zh"),
        ({"language_shares": {"en": 1, "zh": 1, "fr": 1, "other": 1}}, "every language has one of its own"),
        ({"source_shares": {"web": -1}}, "at least 0, not -1"),
        ({"source_shares": {"web": float("nan")}}, "at least 0, not nan"),
        ({"source_shares": {"web": 0}}, "all shares by source are 0"),
        ({"max_epochs": 0}, "above 0, not 0"),
        ({"total_bytes": 0}, "above 0 bytes, not 0"),
        ({"source_shares": {"books": 1}, "language_shares": {"fr": 1}}, "no document is in a wanted source"),
        ({"source_shares": {"books": 1}, "language_shares": {"fr": 1, "en": 1}}, "'fr' has documents only where"),
    ],
)
def test_impossible_wishes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan(CELLS, **arguments)


def test_shares_that_exclude_each_other_are_refused():
    apart = {("a", "en"): 100, ("b", "zh"): 100}
    with pytest.raises(ValueError, match="cannot both be reached"):
        plan(apart, {"a": 0.9, "b": 0.1}, {"en": 0.5, "zh": 0.5})
    with pytest.raises(ValueError, match="no documents to mix"):
        plan({("a", "en"): 0})


KEYS = np.arange(20_000, dtype=np.uint64) << np.uint64(13)


@given(st.floats(0, 5), st.floats(0, 5))
@settings(max_examples=50)
def test_more_epochs_only_add_copies(one, other):
    fewer, more = copies(KEYS, min(one, other), 7), copies(KEYS, max(one, other), 7)
    assert (fewer <= more).all()
    assert set(np.unique(more)) <= {math.floor(max(one, other)), math.floor(max(one, other)) + 1}


def test_copies_reach_the_epochs_and_depend_on_key_and_seed_only():
    found = copies(KEYS, 1.3, 7)
    assert found.dtype == np.uint16
    assert abs(found.mean() - 1.3) < 0.01
    assert (copies(KEYS[::-1], 1.3, 7) == found[::-1]).all()
    assert (copies(KEYS, 1.3, 8) != found).any()
    assert (copies(KEYS, 2.0, 7) == 2).all() and not copies(KEYS, 0.0, 7).any()
    with pytest.raises(ValueError, match="cannot be used -1"):
        copies(KEYS, -1, 7)
