"""Buckets become pairs with centres: linear, connected, and the same for any order of rows and any later dumps."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.candidates import (
    FORWARD,
    REVERSED,
    WITHIN,
    Memberships,
    Pairs,
    candidate_pairs,
    distinct,
    dump_of,
    first_pairs,
    merged,
    neighbour_pairs,
    next_pairs,
    orders_of,
    outside_pairs,
    partition_of,
    unique_pairs,
)
from dedup.radix_kernels import sort_by, sort_pairs

UINT64 = st.integers(0, 2**64 - 1)
KEYS = st.builds(lambda dump, row: (dump << 52) | row, st.integers(0, 4), st.integers(0, 5))
BUCKETS = st.sampled_from([3, 7, 2**63, 2**64 - 1])
ROWS = st.lists(st.tuples(KEYS, BUCKETS), max_size=40)
LEVELS = st.sampled_from([WITHIN, FORWARD | WITHIN, FORWARD | WITHIN | REVERSED])
BACK = st.lists(st.tuples(BUCKETS, KEYS, st.sampled_from([FORWARD, WITHIN, REVERSED])), max_size=40)


def columns(rows):
    return np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.uint64)


def memberships(rows) -> Memberships:
    return Memberships(*columns(rows), np.array([row[2] for row in rows], np.uint8))


def components_of(pairs) -> set[frozenset]:
    group = {}
    for a, b in pairs:
        joined = group.get(a, {a}) | group.get(b, {b})
        for node in joined:
            group[node] = joined
    return {frozenset(nodes) for nodes in group.values()}


def pair_list(pairs):
    return list(zip(*(column.tolist() for column in pairs), strict=True))


def turned(key: int) -> int:
    """Orders keys with the last dump first."""
    return key ^ (0xFFF << 52)


def first_before(members: list[int], key: int, centre: int, allowed) -> int:
    """The greatest key before another that is neither it nor the centre; 0 if there is none."""
    return max((other for other in members if other < key and other != centre and allowed(other)), default=0)


def plain_first_pairs(rows, levels: int) -> dict[tuple[int, int, int], int]:
    """Level by level, straight from the definitions: (bucket, left, right) → levels, and the same → before."""
    buckets = defaultdict(set)
    for key, bucket in rows:
        buckets[bucket].add(key)
    made: dict[tuple[int, int, int], int] = defaultdict(int)
    before: dict[tuple[int, int, int], int] = {}
    for bucket, found in buckets.items():
        members = sorted(found)
        for key in members:
            mine = [other for other in members if other >> 52 == key >> 52]
            last = min(members, key=turned)
            if levels & FORWARD and key != members[0]:
                pair = (bucket, members[0], key)
                made[pair] |= FORWARD
                one_dump = members[0] >> 52 == key >> 52
                before[pair] = first_before(
                    members, key, members[0], lambda other, key=key, one=one_dump: (other >> 52 == key >> 52) == one
                )
            if levels & WITHIN and key != mine[0]:
                made[bucket, mine[0], key] |= WITHIN
                before[bucket, mine[0], key] = first_before(mine, key, mine[0], lambda other: True)
            if levels & REVERSED and key >> 52 != last >> 52:
                made[bucket, key, last] |= REVERSED
                before.setdefault((bucket, key, last), 0)
    return {pair: (levels, before[pair]) for pair, levels in made.items()}


@given(st.lists(st.tuples(UINT64 | st.integers(0, 3), UINT64 | st.integers(0, 3)), max_size=60))
def test_sorting_pairs(rows):
    major, minor = columns(rows)
    assert pair_list(sort_pairs(major, minor)) == sorted(rows)
    assert pair_list(sort_by(major, minor)) == sorted(rows, key=lambda row: row[0])
    assert major.tolist() == [row[0] for row in rows]


@given(ROWS, LEVELS)
def test_first_pairs_equal_plain_python(rows, levels):
    wanted = defaultdict(lambda: (0, 0))
    for (_, left, right), (made, before) in plain_first_pairs(rows, levels).items():
        so_far = wanted[left, right]
        wanted[left, right] = (so_far[0] | made, max(so_far[1], before))
    found = merged(first_pairs(*columns(rows), levels))
    assert pair_list(found) == [(*pair, *wanted[pair]) for pair in sorted(wanted)]
    assert (found.left < found.right).all()


@given(BACK)
def test_next_pairs_equal_plain_python(rows):
    groups = defaultdict(set)
    for bucket, key, level in rows:
        groups[bucket, level, key >> 52 if level == WITHIN else None].add(key)
    wanted, waiting = set(), set()
    for (bucket, level, _), members in groups.items():
        centre = min(members, key=turned if level == REVERSED else None)
        for key in members - {centre}:
            if level == WITHIN or key >> 52 != centre >> 52:
                wanted.add((min(centre, key), max(centre, key), level))
            else:
                waiting.add((bucket, key, level))
    pairs, waits = next_pairs(memberships(rows))
    assert set(pair_list(pairs[:3])) == wanted and not pairs.before.any()
    assert set(pair_list(waits)) == waiting and len(waits.keys) == len(waiting)


@given(ROWS, LEVELS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, levels, random):
    shuffled = random.sample(rows, len(rows))
    assert pair_list(first_pairs(*columns(rows), levels)) == pair_list(first_pairs(*columns(shuffled), levels))


@given(BACK, st.randoms(use_true_random=False))
def test_the_order_of_memberships_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    for a, b in zip(next_pairs(memberships(rows)), next_pairs(memberships(shuffled)), strict=True):
        assert pair_list(a) == pair_list(b)


@given(ROWS)
def test_pairs_of_some_dumps_are_those_that_these_dumps_alone_would_give(rows):
    """What makes one set of pairs serve per-dump rates and those of every number of dumps, in both orders."""

    def made(chosen, bit):
        found = merged(first_pairs(*columns(chosen), FORWARD | WITHIN | REVERSED))
        return {(left, right) for left, right, levels, _ in pair_list(found) if levels & bit}

    for dump in range(5):
        within = {pair for pair in made(rows, WITHIN) if pair[0] >> 52 == dump == pair[1] >> 52}
        assert within == made([row for row in rows if row[0] >> 52 == dump], WITHIN)
        first = {pair for pair in made(rows, FORWARD) if max(pair) >> 52 <= dump}
        assert first == made([row for row in rows if row[0] >> 52 <= dump], FORWARD)
        last = {pair for pair in made(rows, REVERSED) if min(pair) >> 52 >= dump}
        assert last == made([row for row in rows if row[0] >> 52 >= dump], REVERSED)


@given(ROWS)
def test_centres_connect_each_bucket(rows):
    buckets = defaultdict(set)
    for key, bucket in rows:
        buckets[bucket].add(key)
    complete = [(a, b) for members in buckets.values() for a in members for b in members if a != b]
    assert components_of(pair_list(candidate_pairs(*columns(rows)))) == components_of(complete)


def test_a_million_equal_documents_give_a_million_pairs():
    keys = np.random.default_rng(1).permutation(1_000_000).astype(np.uint64)
    pairs = first_pairs(keys, np.full(len(keys), 12345, np.uint64), FORWARD | WITHIN)
    assert np.array_equal(pairs.right, np.arange(1, 1_000_000, dtype=np.uint64))
    assert not pairs.left.any() and (pairs.levels == FORWARD | WITHIN).all()
    assert np.array_equal(pairs.before, np.arange(999_999, dtype=np.uint64))


@given(ROWS, LEVELS)
def test_neighbours_stand_before_and_put_nobody_back(rows, levels):
    refused = merged(first_pairs(*columns(rows), levels))
    pairs = neighbour_pairs(refused)
    assert (pairs.left < pairs.right).all() and not (pairs.levels & (FORWARD | WITHIN | REVERSED)).any()
    for left, right, made, _ in pair_list(pairs):
        centres = [row for row in pair_list(refused) if row[1] == right and row[3] == left]
        assert centres
        assert (left >> 52 == right >> 52) == bool(made & WITHIN << 4)  # never found out by another dump
        assert orders_of(np.array([made], np.uint8))[0] == (3 if left >> 52 == right >> 52 else 1)


@given(ROWS, ROWS, st.integers(1, 3))
def test_outside_pairs_are_with_the_first_of_each_bucket(own, others, tries):
    wanted = set()
    for key, bucket in own:
        there = sorted({other for other, of in others if of == bucket})
        wanted |= {(other, key) for other in there[:tries]}
    assert pair_list(outside_pairs(*columns(own), *columns(others), tries)) == sorted(wanted)


@given(ROWS)
def test_unique_pairs(rows):
    assert pair_list(unique_pairs(*columns(rows))) == sorted(set(rows))


def test_distinct_pairs_keep_their_similarity():
    left, right = np.array([1, 0, 1, 0], np.uint64), np.array([2, 5, 2, 3], np.uint64)
    pairs = Pairs(left, right, np.array([1, 2, 16, 4], np.uint8), np.zeros(4, np.uint64))
    once, jaccard = distinct(pairs, np.array([0.75, 0.5, 0.75, 1.0]))
    assert pair_list(once) == [(0, 3, 4, 0), (0, 5, 2, 0), (1, 2, 17, 0)] and jaccard.tolist() == [1.0, 0.5, 0.75]
    assert orders_of(once.levels).tolist() == [2, 3, 1]


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
