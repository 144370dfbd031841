"""Representatives and policies against plain Python, and their curves against deduplicating every prefix anew."""

from __future__ import annotations

import numpy as np
import pytest
from deciding import EVERY_POLICY, POLICY, columns, decided, removed
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.candidates import dump_of
from dedup.matching import match
from dedup.policies import SCORED, Policy, clusters
from dedup.rates import curve, reversed_dumps
from dedup.tallies import Documents, add, judge

DUMPS = (0, 2, 3, 7)
KEYS = [dump << 52 | row for dump in DUMPS for row in range(6)]
PAIRS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).filter(lambda pair: pair[0] < pair[1]), max_size=30
)
SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0, float("nan")]), min_size=len(KEYS), max_size=len(KEYS))
OUTSIDE = st.frozensets(st.sampled_from(KEYS), max_size=4)


def asked(policy, scores, outside, keys=KEYS):
    """Scores and flags as columns, scores only where the policy takes them."""
    column = np.array([scores[key] for key in keys]) if policy.keep in SCORED else None
    return column, np.array([key in outside for key in keys])


@settings(max_examples=400)
@given(PAIRS, POLICY, SCORES, OUTSIDE)
def test_decisions_are_those_of_plain_python(pairs, policy, scores, outside):
    scores = dict(zip(KEYS, scores))
    found = clusters(np.array(KEYS, np.uint64), *columns(pairs), policy, *asked(policy, scores, outside))
    wanted = decided(KEYS, pairs, policy, scores, outside)
    assert list(zip(*(column.tolist() for column in found))) == [wanted[key] for key in KEYS]


@settings(max_examples=400)
@given(PAIRS, POLICY, SCORES, OUTSIDE)
def test_the_curve_is_a_run_over_each_prefix(pairs, policy, scores, outside):
    scores = dict(zip(KEYS, scores))
    points = curve(np.array(KEYS, np.uint64), *columns(pairs), policy, *asked(policy, scores, outside))
    assert [point.dump for point in points] == list(DUMPS)
    for point in points:
        together = [key for key in KEYS if key >> 52 <= point.dump]
        alone = [key for key in KEYS if key >> 52 == point.dump]
        assert point.removed == removed(together, pairs, policy, scores, outside)
        assert point.removed_alone == removed(alone, pairs, policy, scores, outside)


@given(PAIRS, st.lists(st.sampled_from([1, 2, 3]), min_size=30, max_size=30), POLICY, SCORES, OUTSIDE)
def test_partitions_add_up_and_the_opposite_order_is_a_run_from_the_last_dump(pairs, orders, policy, scores, outside):
    """Two partitions: pairs of even rows and of odd rows, which never meet."""
    pairs = [(a, b) for a, b in pairs if a % 2 == b % 2]
    orders = orders[: len(pairs)]
    scores = dict(zip(KEYS, scores))
    column, flags = asked(policy, scores, outside)
    documents = Documents(np.array(KEYS, np.uint64), column, flags)
    tallies, rows = [], {}
    for parity in (0, 1):
        here = [i for i, pair in enumerate(pairs) if pair[0] % 2 == parity]
        left, right = columns([pairs[i] for i in here])
        bits = np.array([orders[i] for i in here], np.uint8)
        keys, found, tally = judge(left, right, bits, policy, np.array(DUMPS), documents, both_orders=True)
        tallies.append(tally)
        rows |= dict(zip(keys.tolist(), zip(*(part.tolist() for part in found))))
    total = add(tallies, len(DUMPS))
    forward = [pair for pair, bits in zip(pairs, orders) if bits & 1]
    backward = [pair for pair, bits in zip(pairs, orders) if bits & 2]
    members = sorted({key for pair in pairs for key in pair})
    wanted = decided(members, forward, policy, scores, outside & set(members))
    assert rows == wanted
    assert total.documents == len(members)
    assert total.clusters == len({cluster for cluster, _, _ in wanted.values()})
    assert sum(size * count for size, count in total.sizes.items()) == len(members)
    unbound = Policy(policy.keep, None, policy.min_cluster_size)
    spared = removed(members, forward, unbound, scores, outside) - removed(members, forward, policy, scores, outside)
    assert total.spared == spared
    mirrored = {key: int(reversed_dumps(np.array([key], np.uint64), np.array(DUMPS))[0]) for key in KEYS}
    for point, dump in enumerate(reversed(DUMPS)):
        for figures, chosen in (
            (total.reversed_removed, [key for key in members if key >> 52 >= dump]),
            (total.reversed_alone, [key for key in members if key >> 52 == dump]),
        ):
            assert figures[point] == removed(
                [mirrored[key] for key in chosen],
                [(mirrored[a], mirrored[b]) for a, b in backward],
                policy,
                {mirrored[key]: score for key, score in scores.items()},
                frozenset(mirrored[key] for key in outside),
            )


def test_what_max_chain_is_for():
    """A path of five: each resembles the next, the ends nothing of each other."""
    keys = np.arange(5, dtype=np.uint64)
    kept = {chain: clusters(keys, keys[:-1], keys[1:], Policy(max_chain=chain)).kept.tolist() for chain in (1, 2, 4)}
    assert kept[1] == [True, False, True, False, True]
    assert kept[2] == [True, False, False, True, False]
    assert kept[4] == [True, False, False, False, False]


@pytest.fixture(scope="module")
def real_pairs(snapshots):
    found = match(snapshots.keys, snapshots.signed).pairs
    return found.left, found.right


@pytest.mark.parametrize("policy", EVERY_POLICY, ids=str)
def test_curves_of_real_dumps_are_runs_over_each_prefix(snapshots, real_pairs, policy):
    keys, (left, right) = snapshots.keys, real_pairs
    lengths = snapshots.signed.words.astype(float) if policy.keep in SCORED else None
    points = curve(keys, left, right, policy, lengths)
    final = clusters(keys, left, right, policy, lengths)
    assert points[-1].removed == (~final.kept).sum() > 0
    for point in points:
        for documents, pairs, found in (
            (dump_of(keys) <= point.dump, dump_of(right) <= point.dump, point.removed),
            (
                dump_of(keys) == point.dump,
                (dump_of(left) == point.dump) & (dump_of(right) == point.dump),
                point.removed_alone,
            ),
        ):
            scores = None if lengths is None else lengths[documents]
            alone = clusters(keys[documents], left[pairs], right[pairs], policy, scores)
            assert found == (~alone.kept).sum()


@pytest.mark.parametrize("chain", [1, 2, 3])
def test_every_removed_page_is_within_the_chain_of_one_that_stays(snapshots, real_pairs, chain):
    keys, (left, right) = snapshots.keys, real_pairs
    found = clusters(keys, left, right, Policy(max_chain=chain))
    near = set(keys[found.kept].tolist())
    for _ in range(chain):
        reached = [b for a, b in zip(left.tolist(), right.tolist()) if a in near]
        near |= {*reached, *(a for a, b in zip(left.tolist(), right.tolist()) if b in near)}
    assert near == set(keys.tolist())
    # What is decided of the first dumps stays decided, whatever comes after them.
    first = dump_of(keys) <= 2
    earlier = clusters(keys[first], *(side[dump_of(right) <= 2] for side in (left, right)), Policy(max_chain=chain))
    assert np.array_equal(earlier.kept, found.kept[first])


def test_impossible_policies_are_named():
    with pytest.raises(ValueError, match="max_chain = 0: give at least 1"):
        Policy(max_chain=0)
    with pytest.raises(ValueError, match="min_cluster_size = 1: a cluster has at least 2"):
        Policy(min_cluster_size=1)
