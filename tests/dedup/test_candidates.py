"""Buckets become stars: linear, connected, and the same for any order of rows and any number of dumps."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.candidates import candidate_pairs, dump_of, partition_of, unique_pairs
from dedup.radix_kernels import sort_by, sort_pairs

UINT64 = st.integers(0, 2**64 - 1)
KEYS = st.builds(lambda dump, row: (dump << 52) | row, st.integers(0, 4), st.integers(0, 5))
ROWS = st.lists(st.tuples(KEYS, st.sampled_from([3, 7, 2**63, 2**64 - 1])), max_size=40)


def columns(rows):
    return np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.uint64)


def components_of(pairs) -> set[frozenset]:
    group = {}
    for a, b in pairs:
        joined = group.get(a, {a}) | group.get(b, {b})
        for node in joined:
            group[node] = joined
    return {frozenset(nodes) for nodes in group.values()}


def pair_list(pairs):
    return list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))


@given(st.lists(st.tuples(UINT64 | st.integers(0, 3), UINT64 | st.integers(0, 3)), max_size=60))
def test_sorting_pairs(rows):
    major, minor = columns(rows)
    assert pair_list(sort_pairs(major, minor)) == sorted(rows)
    assert pair_list(sort_by(major, minor)) == sorted(rows, key=lambda row: row[0])
    assert major.tolist() == [row[0] for row in rows]


@given(ROWS)
def test_star_and_chain_of_every_bucket(rows):
    pairs = pair_list(candidate_pairs(*columns(rows)))
    buckets = defaultdict(set)
    for key, value in rows:
        buckets[value].add(key)
    wanted = []
    for value in sorted(buckets):
        members = sorted(buckets[value])
        for key in members[1:]:
            in_dump = [other for other in members if other >> 52 == key >> 52]
            centre = members[0] if key == in_dump[0] else in_dump[0]
            before = members[members.index(key) - 1]
            wanted += [(centre, key)] + [(before, key)] * (before != centre)
    assert pairs == wanted
    for (left, right), members in zip(pairs, pairs, strict=True):
        assert left < right, members


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert pair_list(candidate_pairs(*columns(rows))) == pair_list(candidate_pairs(*columns(shuffled)))


@given(ROWS)
def test_pairs_of_some_dumps_connect_what_these_dumps_alone_would(rows):
    """What makes one set of pairs serve per-dump rates and those of every number of dumps."""
    pairs = pair_list(candidate_pairs(*columns(rows)))
    for dump in range(5):
        for chosen in (lambda key, dump=dump: key >> 52 == dump, lambda key, dump=dump: key >> 52 <= dump):
            alone = pair_list(candidate_pairs(*columns([row for row in rows if chosen(row[0])])))
            inside = [(a, b) for a, b in pairs if chosen(a) and chosen(b)]
            assert components_of(inside) == components_of(alone)


def test_a_million_equal_documents_give_fewer_than_two_million_pairs():
    keys = np.random.default_rng(1).permutation(1_000_000).astype(np.uint64)
    left, right = candidate_pairs(keys, np.full(len(keys), 12345, np.uint64))
    assert len(left) == 2 * 999_999 - 1
    assert np.array_equal(right[left == 0], np.arange(1, 1_000_000, dtype=np.uint64))
    assert np.array_equal(right[left > 0], left[left > 0] + np.uint64(1))


@given(ROWS)
def test_unique_pairs(rows):
    assert pair_list(unique_pairs(*columns(rows))) == sorted(set(rows))


def test_partitions_are_even_and_complete():
    hashes = np.random.default_rng(2).integers(0, 2**64, 100_000, np.uint64)
    for partitions in (1, 7, 16):
        counts = np.bincount(partition_of(hashes, partitions), minlength=partitions)
        assert len(counts) == partitions and counts.sum() == len(hashes)
        assert abs(counts - counts.mean()).max() < 5 * np.sqrt(counts.mean()) or partitions == 1
    edges = np.array([0, 2**64 - 1], np.uint64)
    assert partition_of(edges, 2**31).tolist() == [0, 2**31 - 1]
    with pytest.raises(ValueError, match="partitions = 0"):
        partition_of(hashes, 0)


def test_dump_of_is_the_top_of_the_key():
    assert dump_of(np.array([0, (1 << 52) - 1, 1 << 52, 2**64 - 1], np.uint64)).tolist() == [0, 0, 1, 4095]
