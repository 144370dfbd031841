"""Truth on real dumps: what is found and what is joined, against the exact similarity of every pair of pages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from dedup.candidates import candidate_pairs, unique_pairs
from dedup.digests import digests, equal_values
from dedup.matching import match
from dedup.policies import clusters
from dedup.radix_kernels import sort_pairs
from dedup.shingles import distinct_shingles, exact_jaccard
from text.code_points import HAN, SPACE, code_points


class Truth(NamedTuple):
    """``jaccard`` float [n, n], exact, symmetric: of every pair of pages with a shingle in common."""

    jaccard: np.ndarray


@pytest.fixture(scope="module")
def truth(snapshots) -> Truth:
    shingles, offsets = distinct_shingles(snapshots.texts, snapshots.settings.ngram)
    sizes = np.diff(offsets)
    pages = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    shingles, pages = sort_pairs(shingles, pages)
    bounds = np.flatnonzero(np.concatenate(([True], shingles[1:] != shingles[:-1], [True])))
    shared = np.zeros((len(sizes), len(sizes)), np.int32)
    lengths = np.diff(bounds)
    for length in np.unique(lengths[lengths > 1]):  # all shingles that stand on this many pages at once
        groups = pages[bounds[:-1][lengths == length][:, None] + np.arange(length)].astype(np.int64)
        for i in range(length):
            for j in range(length):
                if i != j:
                    np.add.at(shared, (groups[:, i], groups[:, j]), 1)
    return Truth(shared / np.maximum(1, sizes[:, None] + sizes[None, :] - shared))


def rows_of(snapshots, pairs):
    return np.searchsorted(snapshots.keys, pairs[0]), np.searchsorted(snapshots.keys, pairs[1])


def estimated(snapshots, left, right):
    cut = digests(snapshots.signed.minima)
    return equal_values(cut, left, cut, right, cut.shape[1]) / cut.shape[1]


def pairs_in_passes(snapshots):
    found = match(snapshots.keys, snapshots.signed).pairs
    return found.left, found.right


def pairs_by_stars(snapshots):
    keys, hashes, _ = snapshots.buckets()
    left, right = unique_pairs(*candidate_pairs(keys, hashes))
    alike = estimated(snapshots, *rows_of(snapshots, (left, right))) >= 0.7
    return left[alike], right[alike]


def test_the_truth_is_the_truth(snapshots, truth):
    rng = np.random.default_rng(3)
    shingles, offsets = distinct_shingles(snapshots.texts, snapshots.settings.ngram)
    alike = np.argwhere(truth.jaccard > 0.2)
    for a, b in [*rng.choice(alike, 100), *rng.integers(0, len(snapshots.keys), (100, 2))]:
        if a != b:
            exact = exact_jaccard(shingles[offsets[a] : offsets[a + 1]], shingles[offsets[b] : offsets[b + 1]])
            assert truth.jaccard[a, b] == pytest.approx(exact)


@pytest.mark.parametrize("find", [pairs_in_passes, pairs_by_stars])
def test_recall_and_precision(snapshots, truth, find):
    pairs = find(snapshots)
    found = clusters(snapshots.keys, *pairs)
    copies = np.argwhere(np.triu(truth.jaccard, 1) >= 0.85)
    assert len(copies) > 1000
    recall = (found.cluster_id[copies[:, 0]] == found.cluster_id[copies[:, 1]]).mean()
    exact = truth.jaccard[rows_of(snapshots, pairs)]
    words = snapshots.signed.words
    exact[(words[rows_of(snapshots, pairs)[0]] == 0) & (words[rows_of(snapshots, pairs)[1]] == 0)] = 1  # equal bytes
    assert recall >= 0.95
    assert (exact >= 0.6).mean() >= 0.99 and len(exact) > 1000


def test_candidates_without_verification_are_less_precise(snapshots, truth):
    """Why verification is the default."""
    keys, hashes, _ = snapshots.buckets()
    pairs = unique_pairs(*candidate_pairs(keys, hashes))
    assert (truth.jaccard[rows_of(snapshots, pairs)] < 0.6).mean() > 0.01


def test_the_estimate_is_within_its_error_on_real_text(snapshots, truth):
    left, right = np.argwhere(np.triu(truth.jaccard, 1) > 0.05).T
    exact = truth.jaccard[left, right]
    error = estimated(snapshots, left, right) - exact
    scale = np.sqrt(np.maximum(exact * (1 - exact), 1e-12) / snapshots.settings.permutations)
    middle = (exact > 0.2) & (exact < 0.9)
    assert np.sqrt(np.mean((error[middle] / scale[middle]) ** 2)) < 1.1
    assert np.abs(error[exact == 1]).max() == 0


@pytest.mark.parametrize("find", [pairs_in_passes, pairs_by_stars])
def test_chinese_and_english_pages_never_merge(snapshots, find):
    flags = code_points().flags
    shares = []
    for text in snapshots.texts.to_pylist():
        points = flags[np.frombuffer(text.encode("utf-32-le"), np.uint32)]
        shares.append(((points & HAN) != 0).sum() / max(1, ((points & SPACE) == 0).sum()))
    share = np.array(shares)
    found = clusters(snapshots.keys, *find(snapshots))
    chinese, latin = share > 0.3, share < 0.05
    assert chinese.sum() > 100 and latin.sum() > 100
    assert not set(found.cluster_id[chinese].tolist()) & set(found.cluster_id[latin].tolist())
