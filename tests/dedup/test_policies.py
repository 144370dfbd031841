"""Which document of a cluster stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uniting import components

from dedup.policies import clusters

KEYS = np.array([3, 5, 8, 2**52, 2**52 + 1, 2**53, 2**64 - 1], np.uint64)
LEFT = np.array([3, 2**52, 5], np.uint64)
RIGHT = np.array([8, 2**53, 2**52], np.uint64)


def test_clusters_and_the_earliest():
    found = clusters(KEYS, LEFT, RIGHT)
    assert found.cluster_id.tolist() == [3, 5, 3, 5, 2**52 + 1, 5, 2**64 - 1]
    assert found.cluster_size.tolist() == [2, 3, 2, 3, 1, 3, 1]
    assert found.kept.tolist() == [True, True, False, False, True, False, True]
    assert [part.dtype for part in found] == [np.uint64, np.uint32, np.bool_]


@pytest.mark.parametrize(
    ("policy", "scores", "kept"),
    [
        ("latest", None, [8, 2**52 + 1, 2**53, 2**64 - 1]),
        ("longest", [9, 1, 9, 2, 0, 2, 0], [3, 2**52, 2**52 + 1, 2**64 - 1]),
        ("best-quality", [0.1, 0.3, 0.2, 0.2, 0, 0.1, 0], [5, 8, 2**52 + 1, 2**64 - 1]),
        ("best-quality", [np.nan, 0.3, -1, 0.4, np.nan, np.nan, 0], [8, 2**52, 2**52 + 1, 2**64 - 1]),
    ],
)
def test_other_policies(policy, scores, kept):
    found = clusters(KEYS, LEFT, RIGHT, policy, None if scores is None else np.array(scores))
    assert KEYS[found.kept].tolist() == kept
    assert np.array_equal(found.cluster_id, clusters(KEYS, LEFT, RIGHT).cluster_id)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40),
    st.sampled_from(["earliest", "latest", "longest"]),
)
def test_one_of_each_cluster_stays(pairs, policy):
    keys = np.arange(31, dtype=np.uint64) * np.uint64(10)
    left, right = (np.array([pair[side] * 10 for pair in pairs], np.uint64) for side in (0, 1))
    scores = (keys * np.uint64(7) % np.uint64(5)).astype(np.int64) if policy == "longest" else None
    found = clusters(keys, left, right, policy, scores)
    in_pairs, roots = components(left, right)
    wanted = keys.copy()
    wanted[np.searchsorted(keys, in_pairs)] = roots
    assert np.array_equal(found.cluster_id, wanted)
    for cluster in np.unique(wanted):
        members = np.flatnonzero(wanted == cluster)
        assert (found.cluster_size[members] == len(members)).all()
        kept = members[found.kept[members]]
        best = {
            "earliest": members[0],
            "latest": members[-1],
            "longest": members[np.argmax(scores[members])] if scores is not None else -1,
        }
        assert kept.tolist() == [best[policy]]


def test_no_documents_and_no_pairs():
    none = np.empty(0, np.uint64)
    assert [len(part) for part in clusters(none, none, none)] == [0, 0, 0]
    found = clusters(KEYS, none, none)
    assert found.kept.all() and (found.cluster_size == 1).all() and np.array_equal(found.cluster_id, KEYS)


def test_what_cannot_be_is_named():
    none = np.empty(0, np.uint64)
    with pytest.raises(ValueError, match="policy `newest` is none of earliest"):
        clusters(KEYS, LEFT, RIGHT, "newest")
    with pytest.raises(ValueError, match="`longest` needs scores"):
        clusters(KEYS, LEFT, RIGHT, "longest")
    with pytest.raises(ValueError, match="`latest` takes no scores"):
        clusters(KEYS, LEFT, RIGHT, "latest", np.zeros(len(KEYS)))
    with pytest.raises(ValueError, match="2 scores for 7 documents"):
        clusters(KEYS, LEFT, RIGHT, "longest", np.zeros(2))
    with pytest.raises(ValueError, match="key 5 appears twice"):
        clusters(np.array([3, 5, 5], np.uint64), none, none)
    with pytest.raises(ValueError, match="key 5 is followed by 4"):
        clusters(np.array([3, 5, 4], np.uint64), none, none)
    for stranger in (4, 2**64 - 1):
        with pytest.raises(ValueError, match=f"pair key {stranger} is no document's key"):
            clusters(KEYS[:-1], LEFT, np.array([8, stranger, 5], np.uint64))
