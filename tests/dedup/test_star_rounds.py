"""Large-star and small-star, round after round over partitions, against union-find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uniting import components

from dedup.candidates import candidate_pairs, unique_pairs
from dedup.star_rounds import MOST_ROUNDS, both_ways, large_star, partition_of_nodes, roots_of, small_star

NODES = st.sampled_from([0, 1, 2, 3, 7, 11, 2**52, 2**52 + 1, 2**63, 2**64 - 2, 2**64 - 1, 40, 41, 42, 43])
EDGES = st.lists(st.tuples(NODES, NODES).filter(lambda edge: edge[0] != edge[1]), max_size=40)


def parts_of(nodes, partitions, *others):
    places = partition_of_nodes(nodes, partitions)
    return [[column[places == partition] for column in (nodes, *others)] for partition in range(partitions)]


def a_round(left, right, partitions):
    """What the shuffles of one round do: edges and how many of them were moved."""
    nodes, neighbours = both_ways(left, right)
    large = [large_star(*part) for part in parts_of(nodes, partitions, neighbours)]
    ends, centres, moved = (np.concatenate(columns) for columns in zip(*large))
    small = [small_star(*part) for part in parts_of(ends, partitions, centres)]
    left, right = (np.concatenate([part[side] for part in small]) for side in (0, 1))
    return left, right, int(moved.sum()) + sum(part[2] for part in small)


def converged(left, right, partitions=3):
    """Ends, centres and rounds once no edge moves."""
    for rounds in range(1, MOST_ROUNDS + 1):
        left, right, moved = a_round(left, right, partitions)
        if not moved:
            return left, right, rounds
    raise AssertionError(f"{moved} edges still move")


def check(left, right, partitions=3):
    keys, roots = components(left, right)
    ends, centres, rounds = converged(left, right, partitions)
    order = np.argsort(ends)
    assert np.array_equal(roots_of(keys, ends[order], centres[order]), roots)
    assert len(ends) == len(np.unique(ends)) == (roots != keys).sum()
    return rounds


@given(EDGES, st.integers(1, 4))
def test_small_graphs(edges, partitions):
    left, right = (np.array([edge[side] for edge in edges], np.uint64) for side in (0, 1))
    check(left, right, partitions)


@given(EDGES.filter(len))
def test_each_operation_is_that_of_the_paper(edges):
    """Section 4: large-star ties larger neighbours to the least of all, small-star smaller ones and the node itself."""
    left, right = (np.array([edge[side] for edge in edges], np.uint64) for side in (0, 1))
    around = {node: {b for a, b in edges if a == node} | {a for a, b in edges if b == node} for node in {*left, *right}}
    around = {int(node): {int(other) for other in others} for node, others in around.items()}
    ends, centres, moved = large_star(*both_ways(left, right))
    wanted = [
        (other, min(node, *others), min(node, *others) != node)
        for node, others in around.items()
        for other in others
        if other > node
    ]
    assert sorted(zip(ends.tolist(), centres.tolist(), moved.tolist())) == sorted(wanted)
    nodes, smaller = np.maximum(left, right), np.minimum(left, right)
    ends, centres, count = small_star(nodes, smaller)
    below = {node: {other for other in others if other < node} for node, others in around.items()}
    assert list(zip(ends.tolist(), centres.tolist())) == sorted(
        {(end, min(others)) for node, others in below.items() if others for end in {node, *others} - {min(others)}}
    )
    assert count == sum(len(others) - 1 for others in below.values() if others)


@pytest.mark.parametrize(("nodes", "edges"), [(30_000, 10_000), (30_000, 16_000), (3_000, 50_000)])
def test_random_graphs(nodes, edges):
    rng = np.random.default_rng(edges)
    left, right = rng.integers(0, nodes, (2, edges)).astype(np.uint64)
    apart = left != right
    assert check(left[apart], right[apart]) <= 10


@pytest.mark.parametrize("order", ["ascending", "random"])
def test_a_path_of_a_hundred_thousand_nodes(order):
    nodes = np.arange(100_000, dtype=np.uint64) * np.uint64(977) + np.uint64(5)
    if order == "random":
        np.random.default_rng(2).shuffle(nodes)
    assert check(nodes[:-1], nodes[1:]) <= 20


def test_real_edges(snapshots):
    keys, hashes, _ = snapshots.buckets()
    assert check(*unique_pairs(*candidate_pairs(keys, hashes))) <= 8


def test_no_edges():
    none = np.empty(0, np.uint64)
    assert check(none, none) == 1
