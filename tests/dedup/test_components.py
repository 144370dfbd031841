"""Union-find against breadth-first search."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uniting import components

from dedup.pair_graph import graph_of

NODES = st.sampled_from([0, 1, 2, 3, 7, 11, 2**52, 2**52 + 1, 2**63, 2**64 - 2, 2**64 - 1, 40, 41, 42, 43])


def by_search(edges) -> dict[int, int]:
    """The smallest reachable node of every node."""
    neighbours = defaultdict(set)
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    roots: dict[int, int] = {}
    for start in sorted(neighbours):
        queue = [start]
        while queue:
            node = queue.pop()
            if node not in roots:
                roots[node] = start
                queue += neighbours[node]
    return roots


@given(st.lists(st.tuples(NODES, NODES), max_size=30))
def test_small_graphs(edges):
    left, right = (np.array([edge[side] for edge in edges], np.uint64) for side in (0, 1))
    keys, roots = components(left, right)
    wanted = by_search(edges)
    assert dict(zip(keys.tolist(), roots.tolist(), strict=True)) == wanted
    assert keys.tolist() == sorted(wanted)
    graph = graph_of(left, right)
    assert np.array_equal(graph.keys[graph.earlier], np.minimum(left, right))
    assert np.array_equal(graph.keys[graph.later], np.maximum(left, right))


def test_a_random_graph_at_the_threshold():
    """About one edge a node: small components, long trees and one giant."""
    rng = np.random.default_rng(8)
    left, right = rng.integers(0, 30_000, (2, 16_000)).astype(np.uint64)
    keys, roots = components(left, right)
    assert dict(zip(keys.tolist(), roots.tolist(), strict=True)) == by_search(
        zip(left.tolist(), right.tolist(), strict=True)
    )


@pytest.mark.parametrize("order", ["ascending", "descending", "random"])
def test_a_path_of_a_hundred_thousand_nodes(order):
    nodes = np.arange(100_000, dtype=np.uint64) * np.uint64(977) + np.uint64(5)
    steps = {"ascending": np.arange(99_999), "descending": np.arange(99_999)[::-1]}.get(
        order, np.random.default_rng(1).permutation(99_999)
    )
    keys, roots = components(nodes[steps + 1], nodes[steps])
    assert np.array_equal(keys, nodes) and (roots == 5).all()


def test_more_pairs_than_positions_hold_are_refused():
    """Columns that repeat one number take no memory."""
    many = np.broadcast_to(np.uint64(1), 2**30 + 1)
    with pytest.raises(ValueError, match=r"1,073,741,825 pairs .* at most 1,073,741,824: set dedup.components: rounds"):
        graph_of(many, many)


def test_no_edges_and_lopsided_edges():
    none = np.empty(0, np.uint64)
    assert [len(part) for part in components(none, none)] == [0, 0]
    with pytest.raises(ValueError, match="1 left and 0 right"):
        components(np.ones(1, np.uint64), none)
