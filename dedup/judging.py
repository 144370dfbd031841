"""What becomes of candidate pairs once their similarity is known: joined, or refused and put back into buckets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.banding import Banding
from dedup.candidates import CERTAIN, FORWARD, REVERSED, WITHIN, Memberships, Pairs
from dedup.digests import shared_buckets


class Compared(NamedTuple):
    """Pairs and how alike they are.

    Attributes:
        pairs: p of them.
        jaccard: float64 [p], estimated or exact.
        left, right: uint16 [.., k], digests of documents; ``left_rows``, ``right_rows``: int64 [p], those of each pair.
    """

    pairs: Pairs
    jaccard: np.ndarray
    left: np.ndarray
    left_rows: np.ndarray
    right: np.ndarray
    right_rows: np.ndarray


def alike(compared: Compared, threshold: float) -> np.ndarray:
    """Which pairs join: those at least as alike as the threshold, and those that are certain: bool [p]."""
    # A share of k values is an exact fraction that its float may fall short of.
    return (compared.jaccard >= threshold - 1e-9) | ((compared.pairs.levels & np.uint8(CERTAIN)) != 0)


def put_back(compared: Compared, refused: np.ndarray, banding: Banding) -> tuple[Memberships, np.ndarray]:
    """The buckets into which refused documents go back: all those that they share with the centre that refused them.

    That the centre may not have been the centre of each of these buckets costs a few more comparisons and changes no
    promise: it still lies before the document in all of them.

    Args:
        refused: bool [p].

    Returns:
        The memberships, and the pair that each comes from, int64 [m].
    """
    rows = np.flatnonzero(refused)
    pair, buckets = shared_buckets(
        compared.left, compared.left_rows[rows], compared.right, compared.right_rows[rows], banding
    )
    pairs = compared.pairs.chosen(rows[pair])
    back, came_from = [], []
    for level in (FORWARD, WITHIN, REVERSED):
        here = (pairs.levels & np.uint8(level)) != 0
        document = pairs.left if level == REVERSED else pairs.right
        back.append((buckets[here], document[here], np.full(int(here.sum()), level, np.uint8)))
        came_from.append(rows[pair][here])
    return Memberships(*map(np.concatenate, zip(*back, strict=True))), np.concatenate(came_from)


def nearest(pairs: Pairs, distance: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` pairs of least distance (float [p]) of each group (int64 [p], not negative), ties by key.

    A left document stands in one of them only: a page that many others nearly copy would fill the list by itself. The
    nearest of a union are among the nearest of its pieces.

    Returns:
        int64 rows, by group and distance.
    """
    order = np.lexsort((pairs.right, pairs.left, distance, groups))
    by_left = order[np.lexsort((np.arange(len(order)), pairs.left[order], groups[order]))]
    again = (np.diff(groups[by_left]) == 0) & (np.diff(pairs.left[by_left]) == 0)
    first = np.zeros(len(order), bool)
    first[by_left[np.concatenate([[True], ~again])] if len(order) else []] = True
    order = order[first[order]]
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return order[rank < count]
