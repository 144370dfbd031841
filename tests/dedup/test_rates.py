"""The curve against deduplicating every prefix anew, and the tables of the report against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.candidates import candidate_pairs, dump_of
from dedup.matching import match
from dedup.minhash import Signatures
from dedup.policies import clusters
from dedup.rates import REFERENCE_TABLE, curve, overlap

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=60)


def removed(keys, hashes) -> int:
    documents = np.unique(keys)
    return int((~clusters(documents, *candidate_pairs(keys, hashes)).kept).sum())


@given(ROWS)
def test_the_curve_is_exact_for_every_prefix(rows):
    keys = np.array([(3 * dump << 52) | row for dump, row, _ in rows], np.uint64)  # dump indexes with gaps
    hashes = np.array([value for _, _, value in rows], np.uint64)
    documents = np.unique(keys)
    points = curve(documents, *candidate_pairs(keys, hashes))
    assert [point.dump for point in points] == sorted(set(dump_of(keys).tolist()))
    for point in points:
        together, alone = dump_of(keys) <= point.dump, dump_of(keys) == point.dump
        assert point.documents == (dump_of(documents) <= point.dump).sum()
        assert point.documents_alone == (dump_of(documents) == point.dump).sum()
        assert point.removed == removed(keys[together], hashes[together])
        assert point.removed_alone == removed(keys[alone], hashes[alone])
        assert point.share == point.removed / point.documents
        assert point.share_alone == point.removed_alone / point.documents_alone


def test_the_curve_of_real_dumps_is_exact_for_every_prefix(snapshots):
    keys = snapshots.keys
    whole = match(keys, snapshots.signed).pairs
    points = curve(snapshots.keys, whole.left, whole.right)
    assert [point.dump for point in points] == [0, 1, 2, 3, 4, 5]
    assert [point.share for point in points] == sorted(point.share for point in points)
    for point in points:
        for chosen, found in (
            (dump_of(keys) <= point.dump, point.removed),
            (dump_of(keys) == point.dump, point.removed_alone),
        ):
            some = Signatures(*(column[chosen] for column in snapshots.signed))
            pairs = match(keys[chosen], some).pairs
            assert found == (~clusters(keys[chosen], pairs.left, pairs.right).kept).sum()
    final = clusters(snapshots.keys, whole.left, whole.right)
    assert points[-1].removed == (~final.kept).sum()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=40))
def test_overlap(members):
    """Documents as (dump, cluster)."""
    keys = np.array([(7 * dump << 52) | i for i, (dump, _) in enumerate(members)], np.uint64)
    cluster_id = np.array([cluster for _, cluster in members], np.uint64)
    dumps, matrix = overlap(keys, cluster_id)
    assert dumps.tolist() == sorted({7 * dump for dump, _ in members})
    for i, a in enumerate(dumps.tolist()):
        for j, b in enumerate(dumps.tolist()):
            wanted = sum(
                any(d * 7 == b and c == cluster and other != one for other, (d, c) in enumerate(members))
                for one, (dump, cluster) in enumerate(members)
                if dump * 7 == a
            )
            assert matrix[i, j] == wanted


def test_nothing_gives_nothing():
    none = np.empty(0, np.uint64)
    assert curve(none, none, none) == []
    assert overlap(none, none)[1].shape == (0, 0)


def test_pairs_of_unknown_documents_are_refused():
    with pytest.raises(ValueError, match="pair key 9 is no document's key"):
        curve(np.array([1, 2], np.uint64), np.array([1], np.uint64), np.array([9], np.uint64))


def test_the_reference_table_rises():
    assert list(REFERENCE_TABLE) == [1, 2, 6, 12, 16, 22, 41, 91]
    assert list(REFERENCE_TABLE.values()) == sorted(REFERENCE_TABLE.values())
