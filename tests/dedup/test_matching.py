"""Matching in memory, whose pairs the match job must find too: against every pair of documents and against time."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from dedup.banding import Banding, band_hashes
from dedup.candidates import FORWARD, REVERSED, WITHIN, orders_of
from dedup.digests import digests, equal_values, shared_buckets
from dedup.matching import match
from dedup.minhash import Signatures

BANDING = Banding(5, 2)


def corpus_of_seed(seed: int) -> tuple[np.ndarray, Signatures]:
    """Up to 30 documents of four dumps, noisy copies of four texts that meet by chance too; some without words."""
    rng = np.random.default_rng(seed)
    places = rng.choice(40, rng.integers(2, 31), replace=False)
    keys = np.sort((places // 10).astype(np.uint64) << np.uint64(52) | (places % 10).astype(np.uint64))
    minima = rng.integers(0, 3, (4, 10))[rng.integers(0, 4, len(keys))]
    minima = np.where(rng.random(minima.shape) < 0.2, rng.integers(0, 5, minima.shape), minima).astype(np.uint32)
    words = rng.integers(0, 8, len(keys)).astype(np.uint32)
    minima[words == 0] = 2**32 - 1
    content = rng.integers(1, 4, len(keys)).astype(np.uint64)
    # Equal words give equal values; equal values are not always equal words.
    normalised = np.unique(minima, axis=0, return_inverse=True)[1].reshape(-1) * 2 + rng.integers(0, 2, len(keys)) + 100
    return keys, Signatures(content, normalised.astype(np.uint64), words, content, minima)


CORPORA = st.integers(0, 2**32).map(corpus_of_seed)


def some(keys: np.ndarray, signed: Signatures, chosen: np.ndarray) -> tuple[np.ndarray, Signatures]:
    return keys[chosen], Signatures(*(column[chosen] for column in signed))


def pairs_of(keys, signed, passes=3, levels=FORWARD | WITHIN, bit=1, threshold=0.7) -> set[tuple[int, int]]:
    found = match(keys, signed, BANDING, threshold, passes, levels)
    here = (orders_of(found.pairs.levels) & bit) != 0
    return set(zip(found.pairs.left[here].tolist(), found.pairs.right[here].tolist(), strict=True))


@tries(max_examples=200)
@given(CORPORA, st.integers(1, 5), st.sampled_from([0.0, 0.5, 0.7, 1.0]))
def test_every_pair_met_and_is_alike(corpus, passes, threshold):
    keys, signed = corpus
    found = match(keys, signed, BANDING, threshold, passes)
    bands = band_hashes(signed.minima, BANDING)
    row = {int(key): i for i, key in enumerate(keys)}
    for left, right, jaccard in zip(found.pairs.left.tolist(), found.pairs.right.tolist(), found.jaccard, strict=True):
        a, b = row[left], row[right]
        if signed.words[a] and signed.words[b]:
            assert (bands[a] == bands[b]).any()
        else:
            assert signed.words[a] == signed.words[b] and signed.content[a] == signed.content[b]
        assert jaccard == np.float32((signed.minima[a] == signed.minima[b]).mean()) and jaccard >= threshold - 1e-6
    assert len(found.passes) == passes


@tries(max_examples=300)
@given(CORPORA, st.integers(1, 4))
def test_pairs_of_some_dumps_are_those_that_these_dumps_alone_would_give(corpus, passes):
    """The promise behind the curve, the rates alone, and dumps that are added: with refusals and further centres."""
    keys, signed = corpus
    levels = FORWARD | WITHIN | REVERSED
    forward, within = pairs_of(keys, signed, passes, levels), pairs_of(keys, signed, passes, WITHIN)
    reverse = pairs_of(keys, signed, passes, levels, bit=2)
    assert within == {(a, b) for a, b in forward if a >> 52 == b >> 52}
    assert forward == pairs_of(keys, signed, passes)
    dumps = keys >> np.uint64(52)
    for dump in range(4):
        first, last, one = dumps <= dump, dumps >= dump, dumps == dump
        assert pairs_of(*some(keys, signed, first), passes) == {p for p in forward if p[1] >> 52 <= dump}
        assert pairs_of(*some(keys, signed, last), passes, levels, 2) == {p for p in reverse if p[0] >> 52 >= dump}
        assert pairs_of(*some(keys, signed, one), passes) == {p for p in within if p[0] >> 52 == dump}


@tries(max_examples=100)
@given(CORPORA)
def test_passes_without_end_leave_nothing_to_find_at_threshold_nought(corpus):
    """With nothing refused, pairs connect whoever met."""
    keys, signed = corpus
    group = {int(key): int(key) for key in keys}

    def root(key: int) -> int:
        while group[key] != key:
            key = group[key]
        return key

    for a, b in sorted(pairs_of(keys, signed, 1, threshold=0.0)):
        group[max(root(a), root(b))] = min(root(a), root(b))
    bands = band_hashes(signed.minima, BANDING)
    for a, b in itertools.combinations(range(len(keys)), 2):
        worded = signed.words[a] and signed.words[b]
        met = (bands[a] == bands[b]).any() if worded else signed.words[a] == signed.words[b] == 0
        if met and (worded or signed.content[a] == signed.content[b]):
            assert root(int(keys[a])) == root(int(keys[b]))


def test_a_document_that_the_first_centre_refuses_still_finds_its_copy():
    """In one bucket: strangers with the smallest keys, and two copies of another text after them."""
    minima = np.array([[1] * 10, [1, 1] + [2] * 8, [1, 1] + [3] * 8, [1, 1] + [3] * 7 + [4]], np.uint32)
    keys, ones = np.arange(4, dtype=np.uint64), np.ones(4, np.uint64)
    signed = Signatures(ones, keys, ones.astype(np.uint32), ones, minima)
    one_band = Banding(1, 2)
    assert not len(match(keys, signed, one_band, 0.8, 1).pairs.left)
    second = match(keys, signed, one_band, 0.8, 2)
    assert (second.pairs.left.tolist(), second.pairs.right.tolist()) == ([2], [3])  # by the one before it
    apart = np.array([0, 2, 3, 1])  # now another stranger stands between them
    minima = np.vstack([minima[apart], minima[2:3]])
    keys, ones = np.arange(5, dtype=np.uint64), np.ones(5, np.uint64)
    signed = Signatures(ones, keys, ones.astype(np.uint32), ones, minima)
    found = match(keys, signed, one_band, 0.8, 3).pairs
    assert {1, 2, 4} <= set(found.left.tolist()) | set(found.right.tolist())


@pytest.mark.parametrize("values", [1, 7, 112, 300])
def test_digests_agree_where_values_do_and_hardly_elsewhere(values):
    rng = np.random.default_rng(values)
    minima = rng.integers(0, 2**32, (400, values), np.uint32)
    other = np.where(rng.random(minima.shape) < 0.5, minima, rng.integers(0, 2**32, minima.shape, np.uint32))
    rows = np.arange(400)
    a, b = digests(minima), digests(other)
    assert a.dtype == np.uint16
    wanted = ((minima.astype(np.uint64) * 0x9E3779B1 % 2**32) >> 16).astype(np.uint16)
    assert np.array_equal(a, wanted)
    equal = equal_values(a, rows, b, rows, values)
    assert np.array_equal(equal, (a == b).sum(axis=1))
    by_chance = equal - (minima == other).sum(axis=1)
    assert by_chance.min() >= 0 and by_chance.sum() <= 5 + 4 * 200 * values / 65536
    close = digests(np.arange(65536, dtype=np.uint32)[:, None])  # values that differ in their low bits only
    assert len(np.unique(close)) > 40000


def test_shared_buckets_are_the_bands_in_which_both_agree():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (60, 12), np.uint16), rng.integers(0, 2, (60, 12), np.uint16)
    rows = np.arange(60)
    pairs, buckets = shared_buckets(a, rows, b, rows, Banding(4, 3))
    agree = (a == b).reshape(60, 4, 3).all(axis=2)
    assert pairs.tolist() == np.nonzero(agree)[0].tolist()
    alike: dict[tuple, set[int]] = {}
    for pair, band, bucket in zip(*np.nonzero(agree), buckets.tolist(), strict=True):
        alike.setdefault((int(band), *a[pair, 3 * band : 3 * band + 3].tolist()), set()).add(bucket)
    assert all(len(found) == 1 for found in alike.values())
    assert len(set.union(*alike.values())) == len(alike)


def test_equal_documents_cost_like_different_ones():
    """200,000 each: one bucket a band, or as many buckets as documents."""
    size = 200_000
    keys, ones = np.arange(size, dtype=np.uint64), np.ones(size, np.uint32)
    different = np.random.default_rng(3).integers(0, 2**32, (size, 10), np.uint32)

    def seconds(minima: np.ndarray) -> float:
        signed = Signatures(keys, keys, ones, keys, minima)
        match(*some(keys, signed, keys < 10), BANDING)  # compiled
        started = time.process_time()
        found = match(keys, signed, BANDING)
        assert len(found.pairs.left) == (size - 1 if minima is equal else 0)
        return time.process_time() - started

    equal = np.broadcast_to(different[0], different.shape)
    assert seconds(equal) < 4 * seconds(different) + 0.5


def test_values_and_rows_that_do_not_fit_are_named():
    some_digests, row = np.zeros((1, 4), np.uint16), np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="5 values to compare, but 4 are stored"):
        equal_values(some_digests, row, some_digests, row, 5)
    with pytest.raises(ValueError, match="among 1 given"):
        equal_values(some_digests, row + 1, some_digests, row, 4)
    with pytest.raises(ValueError, match="1 left and 0 right rows"):
        equal_values(some_digests, row, some_digests, row[:0], 4)
