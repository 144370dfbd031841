"""Estimated similarity, and leader passes against the same passes written with sets."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.components import components
from dedup.verification import estimated_jaccard, estimated_jaccard_of_rows, verified_pairs

VALUES = 10


def partition_of_seed(seed: int):
    """Up to 15 documents of four dumps in three buckets, noisy copies of three texts: chains, clashes, strangers."""
    rng = np.random.default_rng(seed)
    dumps, places = rng.integers(0, 4, 15), rng.integers(0, 8, 15)
    keys = np.unique((dumps.astype(np.uint64) << np.uint64(52)) | places.astype(np.uint64))[: rng.integers(1, 16)]
    minima = rng.integers(0, 2, (3, VALUES))[rng.integers(0, 3, len(keys))]
    minima = np.where(rng.random(minima.shape) < 0.25, rng.integers(0, 4, minima.shape), minima).astype(np.uint32)
    rows = rng.integers(0, len(keys), rng.integers(0, 40))
    return keys[rows], rng.integers(0, 3, len(rows)).astype(np.uint64), rows, minima


PARTITIONS = st.integers(0, 2**32).map(partition_of_seed)


def similarity(a, b) -> float:
    return float(np.mean(a == b))


def plain_leader_passes(keys, hashes, rows, minima, threshold, passes):
    """One level after the other, groups as sets: what `verified_pairs` promises."""
    buckets = defaultdict(dict)
    for key, value, row in zip(keys.tolist(), hashes.tolist(), rows.tolist(), strict=True):
        buckets[value][key] = minima[row]
    pairs, rejected, unlinked = [], 0, 0
    for value in sorted(buckets):
        bucket = buckets[value]
        if len(bucket) < 2:
            continue
        group = {key: frozenset([key]) for key in bucket}  # who hangs together through leaders
        taken: set[int] = set()  # has a leader that is not itself
        found = []

        def level(members, across, bucket=bucket, group=group, taken=taken, found=found):
            rejections = 0
            centres = []
            for _ in range(passes):
                open_members = [key for key in members if key not in taken and key not in centres]
                if not open_members or len(members) < 2:
                    break
                centre = open_members[0]
                centres.append(centre)
                tied = set()  # groups this centre is linked to without owning them
                for key in members:
                    if key in centres or (across and key >> 52 == centre >> 52):
                        continue
                    if key in taken and (key in group[centre] or group[key] in tied):
                        continue
                    if similarity(bucket[centre], bucket[key]) < threshold:
                        rejections += 1
                        continue
                    found.append((min(centre, key), max(centre, key)))
                    if key in taken:
                        tied.add(group[key])
                    else:
                        taken.add(key)
                        joined = group[centre] | group[key]
                        for member in joined:
                            group[member] = joined
            return rejections

        members = sorted(bucket)
        for dump in sorted({key >> 52 for key in members}):
            rejected += level([key for key in members if key >> 52 == dump], across=False)
        rejected += level(members, across=True)
        pairs += found
        unlinked += len(set(members) - {key for pair in found for key in pair})
    return pairs, rejected, unlinked


@settings(max_examples=300)
@given(PARTITIONS, st.sampled_from([0.0, 0.5, 0.6, 0.7, 0.8, 1.0]), st.integers(1, 5))
def test_leader_passes_equal_plain_python(partition, threshold, passes):
    found = verified_pairs(*partition, threshold, passes)
    pairs, rejected, unlinked = plain_leader_passes(*partition, threshold, passes)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == pairs
    assert (found.rejected, found.unlinked) == (rejected, unlinked)


@settings(max_examples=300)
@given(PARTITIONS, st.randoms(use_true_random=False))
def test_pairs_are_alike_and_do_not_depend_on_order(partition, random):
    keys, hashes, rows, minima = partition
    found = verified_pairs(*partition, 0.6, 3)
    row_of = dict(zip(keys.tolist(), rows.tolist(), strict=True))
    left = np.array([row_of[key] for key in found.left.tolist()], np.int64)
    right = np.array([row_of[key] for key in found.right.tolist()], np.int64)
    assert (found.left < found.right).all() and (found.jaccard >= np.float32(0.6)).all()
    assert np.array_equal(found.jaccard, estimated_jaccard_of_rows(minima, left, right))
    order = np.array(random.sample(range(len(keys)), len(keys)), np.int64)
    again = verified_pairs(keys[order], hashes[order], rows[order], minima, 0.6, 3)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))


@settings(max_examples=300)
@given(PARTITIONS, st.sampled_from([0.4, 0.6, 0.8]), st.integers(1, 4))
def test_pairs_of_some_dumps_connect_what_these_dumps_alone_would(partition, threshold, passes):
    keys, hashes, rows, minima = partition
    found = verified_pairs(*partition, threshold, passes)
    for dump in range(4):
        for inside in (lambda key, d=dump: key >> np.uint64(52) == d, lambda key, d=dump: key >> np.uint64(52) <= d):
            chosen = inside(keys)
            alone = verified_pairs(keys[chosen], hashes[chosen], rows[chosen], minima, threshold, passes)
            both = inside(found.left) & inside(found.right)
            for a, b in zip(
                components(found.left[both], found.right[both]), components(alone.left, alone.right), strict=True
            ):
                assert np.array_equal(a, b)


def test_a_document_that_the_first_centre_rejects_still_finds_its_copy():
    """In one bucket: a stranger with the smallest key, and two copies of another text."""
    minima = np.array([[1] * 10, [2] * 10, [2] * 9 + [3]], np.uint32)
    keys, bucket, rows = np.arange(3, dtype=np.uint64), np.zeros(3, np.uint64), np.arange(3)
    found = verified_pairs(keys, bucket, rows, minima, 0.7, passes=2)
    assert (found.left.tolist(), found.right.tolist()) == ([1], [2])
    assert found.jaccard.tolist() == [pytest.approx(0.9)] and found.rejected == 2 and found.unlinked == 1
    assert len(verified_pairs(keys, bucket, rows, minima, 0.7, passes=1).left) == 0


def test_a_large_bucket_costs_linear_work():
    """No two alike: every pass compares its centre with all others, and no more."""
    size, passes = 20_000, 4
    minima = np.arange(size, dtype=np.uint32).repeat(4).reshape(size, 4)
    found = verified_pairs(
        np.arange(size, dtype=np.uint64), np.zeros(size, np.uint64), np.arange(size), minima, 0.7, passes
    )
    assert len(found.left) == 0 and found.unlinked == size
    assert found.rejected == sum(size - 1 - centre for centre in range(passes))


def test_estimated_jaccard_is_the_share_of_equal_values():
    rng = np.random.default_rng(4)
    minima = rng.integers(0, 3, (50, 112), np.uint32)
    left, right = rng.integers(0, 50, 200), rng.integers(0, 50, 200)
    wanted = (minima[left] == minima[right]).mean(axis=1).astype(np.float32)
    assert np.array_equal(estimated_jaccard(minima[left], minima[right]), wanted)
    assert np.array_equal(estimated_jaccard_of_rows(minima, left, right), wanted)
    assert len(estimated_jaccard(minima[:0], minima[:0])) == 0


def test_impossible_arguments_are_named():
    one, minima = np.zeros(1, np.uint64), np.zeros((1, 4), np.uint32)
    row = np.zeros(1, np.int64)
    with pytest.raises(ValueError, match=r"threshold = 1\.5"):
        verified_pairs(one, one, row, minima, 1.5)
    with pytest.raises(ValueError, match="passes = 0"):
        verified_pairs(one, one, row, minima, passes=0)
    with pytest.raises(ValueError, match="among the 1 signatures"):
        verified_pairs(one, one, row + 1, minima)
    with pytest.raises(ValueError, match="1 keys, 0 hashes and 1 rows"):
        verified_pairs(one, one[:0], row, minima)
    with pytest.raises(ValueError, match="shapes"):
        estimated_jaccard(minima, minima[:, :2])
    with pytest.raises(ValueError, match="among the 1 signatures"):
        estimated_jaccard_of_rows(minima, row, row - 1)
