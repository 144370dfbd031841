"""Candidate pairs: documents that share a bucket, linked by linear many pairs whatever the size of the bucket.

A bucket holds the documents with one value of a band hash (or content hash, or address). All its pairs would be
quadratic. Instead each document is paired with centres of its bucket, on three levels:

- ``FORWARD``: the smallest key of the bucket, which lies in the earliest dump.
- ``WITHIN``: the smallest key of its own dump in the bucket.
- ``REVERSED``: the smallest key of the latest dump; only for the question what the dumps remove in reversed order.

A pair that verification refuses puts the document back into the buckets that it shares with the centre that refused it;
the next pass pairs those put back among themselves, on each level by itself (``next_pairs``), and each with the
document before it in the bucket (``neighbour_pairs``). So a document meets a bounded number of others, and its copies
still find it where a centre met them by chance.

Why one set of pairs answers for any first dumps. On the levels FORWARD and WITHIN, with whom a document is paired, and
whether it is put back, depends only on documents of smaller keys: its centre is the smallest of a set of documents, and
by induction over the passes those of that set up to any key are the same whatever keys follow. So the pairs within the
first k dumps are those that these dumps alone would give. In the same way the pairs within one dump are those of
WITHIN, which depend on no other dump: FORWARD pairs two documents of one dump only in the first pass, where both have
the same centre on both levels. REVERSED is FORWARD with the order of the dumps turned round.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import candidate_kernels
from dedup.radix_kernels import sort_by, sort_pairs

DUMP_SHIFT = 52  # the dump index is the key's top 12 bits
FORWARD, WITHIN, REVERSED = 1, 2, 4  # bits of a pair's ``levels``
CERTAIN = 8  # a bit of a pair's ``levels``: not to be verified, because it met by its address
NEIGHBOURS = 4  # shift of the bits for a pair that is none with a centre: being refused puts nobody back


class Pairs(NamedTuple):
    """Pairs of documents.

    Attributes:
        left, right: uint64 [p], keys with left < right.
        levels: uint8 [p], the levels that made the pair, and ``CERTAIN``.
        before: uint64 [p], the greatest key that stands before ``right`` in a bucket where they met, of the dump of
            ``right`` if that is the dump of ``left`` too, else of an earlier one; 0 where there is none.
    """

    left: np.ndarray
    right: np.ndarray
    levels: np.ndarray
    before: np.ndarray

    def chosen(self, rows: np.ndarray | slice) -> Pairs:
        """Some of them, by anything that indexes an array."""
        return Pairs(*(column[rows] for column in self))


class Memberships(NamedTuple):
    """Documents that were put back into buckets.

    Attributes:
        buckets, keys: uint64 [m].
        levels: uint8 [m], one level each.
    """

    buckets: np.ndarray
    keys: np.ndarray
    levels: np.ndarray


def no_pairs() -> Pairs:
    """None at all."""
    nothing = np.empty(0, np.uint64)
    return Pairs(nothing, nothing, np.empty(0, np.uint8), nothing)


def no_memberships() -> Memberships:
    """None at all."""
    return Memberships(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.uint8))


def dump_of(keys: np.ndarray) -> np.ndarray:
    """The dump index of each document key: uint64 [...] to int64 [...]."""
    return (np.asarray(keys, np.uint64) >> np.uint64(DUMP_SHIFT)).astype(np.int64)


def partition_of(hashes: np.ndarray, partitions: int) -> np.ndarray:
    """The partition [0, partitions) of each bucket: uint64 [...] to int64 [...], by its top 32 bits.

    Raises:
        ValueError: there is no partition, or more than 2^31.
    """
    if not 1 <= partitions <= 2**31:
        raise ValueError(f"partitions = {partitions}: give a number from 1 to {2**31}")
    top = np.asarray(hashes, np.uint64) >> np.uint64(32)
    return ((top * np.uint64(partitions)) >> np.uint64(32)).astype(np.int64)


def first_pairs(keys: np.ndarray, buckets: np.ndarray, levels: int) -> Pairs:
    """Pairs the documents of whole buckets with their centres: the first pass.

    Args:
        keys: uint64 [m], document keys; a key may stand in many buckets, and twice in the same one.
        buckets: uint64 [m], the bucket of each; all documents of a bucket are given.
        levels: the levels wanted, or-ed.

    Returns:
        Pairs by bucket; a pair that meets in several buckets stands once for each. At most one a level for each
        document in a bucket. The same whatever the order of the rows. Linear time and memory.
    """
    buckets, keys = sort_pairs(_uint64(buckets), _uint64(keys))
    return Pairs(*candidate_kernels.first_pairs(buckets, keys, levels))


def candidate_pairs(keys: np.ndarray, buckets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``left`` and ``right`` of the first pass in the order of the dumps: what connects each bucket."""
    pairs = first_pairs(keys, buckets, FORWARD | WITHIN)
    return pairs.left, pairs.right


def next_pairs(back: Memberships) -> tuple[Pairs, Memberships]:
    """Pairs documents that were put back among themselves: one further pass.

    On each level the first of a bucket is the centre of the others. On FORWARD and REVERSED a document of the same dump
    as the centre is not paired with it (that is what WITHIN does) and waits for the next centre.

    Args:
        back: all that the pass before put back into some buckets; the same membership may stand several times.

    Returns:
        The pairs, and the memberships that wait.
    """
    order = _order_of_groups(back)
    buckets, keys, levels = (column[order] for column in back)
    left, right, made, waits = candidate_kernels.next_pairs(buckets, keys, levels)
    return Pairs(left, right, made, np.zeros_like(left)), Memberships(buckets[waits], keys[waits], levels[waits])


def _order_of_groups(back: Memberships) -> np.ndarray:
    """The rows by level, bucket, for WITHIN dump, and the order of keys on the level: int64 [m]."""
    keys, rows = candidate_kernels.level_keys(back.keys, back.levels), np.arange(len(back.keys), dtype=np.uint64)
    _, rows = sort_by(keys, rows)
    within = np.where(back.levels == WITHIN, back.keys >> np.uint64(DUMP_SHIFT), np.uint64(0)).astype(np.uint64)
    for column in (within, back.buckets, back.levels.astype(np.uint64)):
        _, rows = sort_by(column[rows], rows)
    return rows.astype(np.int64)


def neighbour_pairs(refused: Pairs) -> Pairs:
    """Pairs the documents that a centre refused with the one before them in the bucket."""
    pairs = refused.chosen(refused.before > 0)
    levels = (pairs.levels & np.uint8(FORWARD | WITHIN)) << np.uint8(NEIGHBOURS)
    return Pairs(pairs.before, pairs.right, levels, np.zeros_like(pairs.before))


def outside_pairs(
    keys: np.ndarray, buckets: np.ndarray, other_keys: np.ndarray, other_buckets: np.ndarray, tries: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs documents with those of another corpus: each with the first ``tries`` of them in each of its buckets.

    Args:
        keys, buckets: uint64 [m], this corpus's; other_keys, other_buckets: uint64 [o], the other's.

    Returns:
        ``other`` and ``own``, uint64 [p]: distinct pairs of keys, ascending by other and then own.
    """
    buckets, keys = sort_pairs(_uint64(buckets), _uint64(keys))
    other_buckets, other_keys = sort_pairs(_uint64(other_buckets), _uint64(other_keys))
    other, own = candidate_kernels.outside_pairs(buckets, keys, other_buckets, other_keys, tries)
    return unique_pairs(other, own)


def merged(pairs: Pairs) -> Pairs:
    """The distinct pairs, ascending by left and then right, each with all its levels and the greatest ``before``."""
    return Pairs(*candidate_kernels.merged(*pairs.chosen(_by_left_and_right(pairs))))


def distinct(pairs: Pairs, jaccard: np.ndarray) -> tuple[Pairs, np.ndarray]:
    """The same of pairs with their similarity, float [p] to float32 [d]; a pair has one, wherever it stands."""
    order = _by_left_and_right(pairs)
    left, right = pairs.left[order], pairs.right[order]
    new = np.ones(len(order), bool)
    new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return merged(pairs), jaccard[order][new].astype(np.float32)


def _by_left_and_right(pairs: Pairs) -> np.ndarray:
    rows = np.arange(len(pairs.left), dtype=np.uint64)
    for column in (pairs.right, pairs.left):
        _, rows = sort_by(_uint64(column)[rows], rows)
    return rows.astype(np.int64)


def unique_pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of two uint64 columns, ascending by left and then right."""
    left, right = sort_pairs(_uint64(left), _uint64(right))
    new = np.ones(len(left), bool)
    new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return left[new], right[new]


def orders_of(levels: np.ndarray) -> np.ndarray:
    """In which orders of the dumps a pair stands: uint8 [p], bit 0 for forward, bit 1 for reversed.

    What is made within a dump stands in both, where the reversed order was asked for at all.
    """
    made = levels | levels >> np.uint8(NEIGHBOURS)
    forward = (made & np.uint8(FORWARD | WITHIN)) != 0
    reverse = (made & np.uint8(REVERSED | WITHIN)) != 0
    return forward.astype(np.uint8) | (reverse.astype(np.uint8) << np.uint8(1))


def _uint64(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.uint64)
