"""The plan of a mixture: what shares, temperatures, weights and least shares come to, and what keeps them from it."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.mixture.plan import plan
from filters.mixture.targets import Wishes, shares_of

CELLS = {("web", "en"): 6_000, ("web", "zh"): 3_000, ("web", "fr"): 1_000, ("books", "en"): 500, ("books", "zh"): 400}
cells = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["en", "zh", "fr", "de"])),
    st.integers(1, 10**13),
    min_size=1,
)


def planned(amounts=CELLS, source=None, language=None, **settings):
    """A plan by source and language; wishes as keyword arguments."""
    return plan(amounts, {"source": Wishes(**(source or {})), "language": Wishes(**(language or {}))}, **settings)


def epochs(made):
    return {"/".join(name): cell.epochs for name, cell in made.cells.items()}


def test_without_wishes_every_document_is_used_once_whatever_the_cap():
    made = planned(max_epochs=4)
    assert epochs(made) == {"": 1.0}
    assert made.total == made.asked == 10_900
    assert made.cell_of({"source": "web", "language": "fr"}) == ()


def test_the_total_is_what_there_is_where_caps_allow_it():
    made = planned(source={"shares": {"web": 0.75, "books": 0.25}}, max_epochs=4)
    assert made.total == pytest.approx(10_900)
    assert made.feasible("source") == pytest.approx({"web": 0.75, "books": 0.25})
    assert epochs(made) == pytest.approx({"books": 10_900 / 4 / 900, "web": 10_900 * 0.75 / 10_000})
    assert not made.binding


def test_shares_hold_and_the_mixture_is_smaller_where_a_cap_binds():
    made = planned(source={"shares": {"web": 0.75, "books": 0.25}}, max_epochs=2)
    assert made.feasible("source") == pytest.approx({"web": 0.75, "books": 0.25})
    assert made.total == made.most == pytest.approx(2 * 900 / 0.25)
    assert made.binding == [("books",)]
    assert "at the cap: books (2 epochs); more of it, or max_epochs up to 3.03" in made.message
    enough = planned(source={"shares": {"web": 0.75, "books": 0.25}}, max_epochs=10_900 / 4 / 900)
    assert enough.total == pytest.approx(10_900)
    assert not enough.binding


def test_the_total_holds_and_shares_give_way_where_that_is_asked():
    made = planned(source={"shares": {"web": 0.75, "books": 0.25}}, max_epochs=2, keep="total")
    assert made.total == pytest.approx(10_900)
    assert epochs(made) == pytest.approx({"books": 2, "web": 0.91})
    assert made.feasible("source") == pytest.approx({"books": 1800 / 10_900, "web": 9100 / 10_900})
    assert made.targets["source"] == {"books": 0.25, "web": 0.75}
    assert made.binding == [("books",)]


def test_more_than_can_be_had_is_told_with_what_is():
    made = planned(source={"shares": {"web": 0.5, "books": 0.5}}, total=1_000_000)
    assert made.total == pytest.approx(1_800)
    assert "1,800 tokens instead of the 1,000,000 asked for, the most that can be reached" in made.message
    all_of_it = planned(total=10**9, max_epochs=3, unit="bytes")
    assert all_of_it.total == 3 * 10_900
    assert "all documents (3 epochs)" in all_of_it.message
    assert planned(total=5_450).total == pytest.approx(5_450)


def test_both_margins_are_held_and_a_tiny_cell_does_not_bind_them_all():
    both = {
        "source": {"shares": {"web": 0.6, "books": 0.4}},
        "language": {"shares": {"en": 0.5, "zh": 0.45, "fr": 0.05}},
    }
    made = planned(**both, max_epochs=4)
    assert made.feasible("source") == pytest.approx({"web": 0.6, "books": 0.4}, rel=1e-5)
    assert made.feasible("language") == pytest.approx({"en": 0.5, "zh": 0.45, "fr": 0.05}, rel=1e-5)
    assert made.total == pytest.approx(9_000, rel=1e-5)  # 4 · 900 / 0.4: only books bind
    with_tiny = planned(CELLS | {("books", "fr"): 1}, **both, max_epochs=4)
    assert with_tiny.total == pytest.approx(4 * 901 / 0.4, rel=1e-5)


def test_what_is_not_listed_is_left_out_or_other():
    made = planned(language={"shares": {"en": 0.5, "zh": 0.5}})
    assert made.cell_of({"source": "web", "language": "fr"}) is None
    assert made.epochs_of(None) == 0
    other = planned(language={"shares": {"en": 0.5, "other": 0.5}})
    assert other.feasible("language") == pytest.approx({"en": 0.5, "other": 0.5})
    assert other.cell_of({"source": "web", "language": "fr"}) == ("other",)
    assert planned(language={"shares": {"en": 1, "zh": 0}}).cell_of({"source": "web", "language": "zh"}) is None


def test_a_temperature_flattens():
    whole = {"en": 9_900.0, "fi": 100.0}
    assert shares_of(Wishes(temperature=1), whole) == pytest.approx({"en": 0.99, "fi": 0.01})
    assert shares_of(Wishes(temperature=0), whole) == pytest.approx({"en": 0.5, "fi": 0.5})
    mild = shares_of(Wishes(temperature=0.3), whole)
    assert mild["fi"] == pytest.approx(0.01**0.3 / (0.01**0.3 + 0.99**0.3))
    made = planned({("web", "en"): 9_900, ("web", "fi"): 100}, language={"temperature": 0.3}, max_epochs=4)
    assert epochs(made) == pytest.approx({"fi": 4, "en": 9_600 / 9_900})  # the total stays, the cap binds
    assert made.binding == [("fi",)]


def test_least_shares_raise_and_the_rest_gives_in_proportion():
    whole = {"en": 700.0, "zh": 290.0, "fi": 10.0}
    assert shares_of(Wishes(at_least={"fi": 0.05}), whole) == pytest.approx(
        {"en": 0.95 * 700 / 990, "fi": 0.05, "zh": 0.95 * 290 / 990}
    )
    # One floor may push another domain below its own.
    raised = shares_of(Wishes(at_least={"fi": 0.3, "zh": 0.28}), whole)
    assert raised == pytest.approx({"en": 0.42, "fi": 0.3, "zh": 0.28})
    assert shares_of(Wishes(at_least={"fi": 0.001}), whole) == pytest.approx({"en": 0.7, "zh": 0.29, "fi": 0.01})
    made = planned(language={"at_least": {"fr": 0.2}}, max_epochs=4)
    assert epochs(made) == pytest.approx({"fr": 2.18, "other": 0.2 * 0 + 0.8 * 10_900 / 9_900})


def test_weights_are_epochs_where_nothing_else_is_asked():
    made = planned(language={"weights": {"fr": 3, "zh": 0.5}}, source={"weights": {"books": 2}}, max_epochs=6)
    assert made.epochs_of(("other", "fr")) == pytest.approx(3)
    assert made.epochs_of(("books", "zh")) == pytest.approx(1)
    assert made.epochs_of(("other", "other")) == pytest.approx(1)
    assert planned(language={"weights": {"fr": 0}}).cell_of({"source": "web", "language": "fr"}) is None
    capped = planned(language={"weights": {"fr": 3}}, max_epochs=2)
    assert epochs(capped) == pytest.approx({"fr": 2, "other": 1})
    assert capped.binding == [("fr",)]


def test_weights_shape_what_shares_leave_open():
    made = planned(source={"shares": {"web": 0.5, "books": 0.5}}, language={"weights": {"fr": 4}}, max_epochs=8)
    assert made.feasible("source") == pytest.approx({"web": 0.5, "books": 0.5})
    assert made.epochs_of(("web", "fr")) == pytest.approx(4 * made.epochs_of(("web", "other")))


def test_a_domain_has_a_cap_of_its_own():
    made = planned(language={"shares": {"en": 0.5, "other": 0.5}, "max_epochs": {"en": 1}}, total=30_000, max_epochs=9)
    assert made.total == pytest.approx(13_000)
    assert made.binding == [("en",)]
    assert made.cells["en",].cap == 1
    assert made.cells["other",].cap == 9


@given(cells, st.data())
@settings(max_examples=100, deadline=None)
def test_any_feasible_plan_holds_its_shares_and_caps(sizes, data):
    sources = sorted({source for source, _ in sizes})
    shares = {source: data.draw(st.floats(0.01, 10)) for source in sources}
    cap = data.draw(st.floats(0.1, 8))
    total = data.draw(st.none() | st.integers(1, 10**14))
    made = planned(sizes, source={"shares": shares}, max_epochs=cap, total=total)
    assert all(0 <= cell.epochs <= cap * (1 + 1e-9) for cell in made.cells.values())
    whole = math.fsum(shares.values())
    assert made.feasible("source") == pytest.approx({name: share / whole for name, share in shares.items()}, rel=1e-6)
    room = {source: cap * sum(n for cell, n in sizes.items() if cell[0] == source) for source in sources}
    most = min(room[source] * whole / shares[source] for source in sources)  # by hand: one axis has a closed form
    assert made.most == pytest.approx(most)
    assert made.total == pytest.approx(min(made.asked, most))
    assert bool(made.binding) == (made.asked > most * (1 + 1e-6))


@given(cells)
@settings(deadline=None)
def test_the_order_of_the_cells_does_not_matter(sizes):
    wishes = {"temperature": 0.3}
    orders = itertools.islice(itertools.permutations(sizes.items()), 6)
    plans = [planned(dict(order), language=wishes, max_epochs=3) for order in orders]
    assert all(made == plans[0] for made in plans)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"source": {"shares": {"wbe": 1}}}, "no documents for the share of unknown source 'wbe'; did you mean 'web'"),
        ({"language": {"shares": {"en": 1, "ja": 1}}}, "by language there are documents of: en, fr, zh"),
        ({"language": {"at_least": {"frr": 0.1}}}, "the least share of unknown language 'frr'; did you mean 'fr'"),
        ({"language": {"weights": {"ehn": 2}}}, "the weight of unknown language 'ehn'; did you mean 'en'"),
        ({"language": {"max_epochs": {"ehn": 2}}}, "the epoch cap of unknown language 'ehn'; did you mean 'en'"),
        ({"language": {"shares": {"en": 1, "zh": 1, "fr": 1, "other": 1}}}, "every language has one of its own"),
        ({"source": {"shares": {"web": -1}}}, "at least 0, not -1"),
        ({"source": {"shares": {"web": float("nan")}}}, "at least 0, not nan"),
        ({"source": {"shares": {"web": 0}}}, "all shares by source are 0"),
        (
            {"source": {"shares": {"web": 1}, "temperature": 0.5}},
            "shares and a temperature by source exclude each other",
        ),
        ({"source": {"shares": {"web": 1}, "at_least": {"web": 0.5}}}, "are what they are"),
        ({"language": {"temperature": 2}}, "from 0 to 1, not 2"),
        ({"language": {"at_least": {"en": 0.7, "zh": 0.7}}}, "add up to 1.4, more than 1"),
        ({"max_epochs": 0}, "above 0, not 0"),
        ({"total": 0}, "above 0 tokens, not 0"),
        ({"source": {"shares": {"books": 1}}, "language": {"shares": {"fr": 1}}}, "no document is in a wanted source"),
        ({"source": {"shares": {"books": 1}}, "language": {"shares": {"fr": 1, "en": 1}}}, "'fr' has documents only"),
    ],
)
def test_impossible_wishes_are_named(wishes, message):
    with pytest.raises(ValueError, match=message):
        planned(**wishes)


def test_shares_that_exclude_each_other_are_refused():
    apart = {("a", "en"): 100, ("b", "zh"): 100}
    with pytest.raises(ValueError, match="cannot all be reached at once: the only documents are of a/en, b/zh"):
        planned(apart, source={"shares": {"a": 0.9, "b": 0.1}}, language={"shares": {"en": 0.5, "zh": 0.5}})
    with pytest.raises(ValueError, match="no documents to mix"):
        planned({("a", "en"): 0})
