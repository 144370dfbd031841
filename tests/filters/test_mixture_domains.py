"""Domains by lists of hosts, and weights by the size of clusters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from filters.mixture.hosts import HostDomains
from filters.mixture.rehydration import SIZES, class_names, classes_of, computed_weights, weights_of


def test_a_host_stands_for_its_subdomains_and_the_longest_match_wins():
    lists = HostDomains(
        {"code": ["github.com", "*.gitlab.com"], "blogs": ["blog.github.com"], "wiki": ["Wikipedia.org."]}
    )
    urls = {
        "https://github.com/a/b": "code",
        "https://gist.github.com/x": "code",
        "https://blog.github.com/x": "blogs",
        "https://old.blog.github.com": "blogs",
        "https://notgithub.com/": "other",
        "http://user:pw@EN.wikipedia.org:8080/wiki?q=github.com": "wiki",
        "https://gitlab.com/": "code",
        "https://wikipedia.org./x": "wiki",
        "https://example.org/github.com": "other",
        "no address": "other",
        None: "other",
    }
    assert dict(zip(urls, lists.of(pa.array(list(urls))).to_pylist())) == urls
    assert len(lists.of(pa.array([], pa.string()))) == 0


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"a": ["x.org"], "b": ["X.org"]}, "'x.org' is in two lists, 'a' and 'b'"),
        ({"a": ["https://x.org/y"]}, "is no host: give a name such as example.org"),
        ({"a": ["", "  "]}, "the list 'a' has no hosts"),
    ],
)
def test_lists_that_say_nothing_clear_are_refused(lists, message):
    with pytest.raises(ValueError, match=message):
        HostDomains(lists)


def test_a_table_of_cluster_sizes_names_its_classes():
    table = {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}  # FineWeb2's first
    assert weights_of(table) == {"1": 1, "2": 2, "3-4": 3, "5-99": 5, "100-999": 8, "1000+": 1}
    sizes = np.array([1, 2, 3, 4, 5, 99, 100, 999, 1000, 10**6, 0], np.uint32)
    names = ["1", "2", "3-4", "3-4", "5-99", "5-99", "100-999", "100-999", "1000+", "1000+", "1"]
    assert classes_of(sizes, sorted(table)).to_pylist() == names
    assert class_names(SIZES)[:3] == ["1", "2", "3"]
    assert weights_of({}) == {}


def of_fineweb(sizes, rates, overall, most, window=5):
    """FineWeb2's ``compute_repetitions``, as its README gives it, without the compaction into ranges."""
    repetitions = np.ones(len(rates))
    below = rates < overall
    repetitions[below] = 1 + (most - 1) * ((rates[below] - overall) / (rates.min() - overall))
    smooth = np.convolve(repetitions, np.ones(window) / window, mode="same")
    half = window // 2
    smooth[:half], smooth[-half:] = repetitions[:half], repetitions[-half:]
    return np.round(smooth)


@pytest.mark.parametrize("seed", range(5))
def test_computed_weights_are_those_of_fineweb2(seed):
    rng = np.random.default_rng(seed)
    begins = list(range(1, 31))
    seen = rng.integers(200, 5000, 30)
    kept = (seen * (0.3 + 0.5 * np.exp(-((np.arange(30) - 12) ** 2) / 60) + rng.uniform(-0.02, 0.02, 30))).astype(int)
    names = class_names(begins)
    found = computed_weights(dict(zip(names, zip(seen.tolist(), kept.tolist()))), begins, 10)
    expected = of_fineweb(begins, 1 - kept / seen, 1 - kept.sum() / seen.sum(), 10)
    assert list(found.values()) == expected.tolist()
    assert max(found.values()) >= 8
    assert found["1"] == 1


def test_classes_of_few_documents_join_and_nothing_seen_weighs_nothing():
    found = computed_weights({"1": (1000, 300), "2": (1000, 900), "3": (5, 0), "4+": (2, 0)}, [1, 2, 3, 4], 10)
    assert found["1"] == 1
    assert found["2"] == found["3"] == found["4+"] == 10  # seven documents say nothing of their own
    assert computed_weights({}, [1, 2], 10) == {"1": 1, "2+": 1}
