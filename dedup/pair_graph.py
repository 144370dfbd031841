"""Pairs of documents as a graph: dense node numbers in the order of keys, for the kernels that walk it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup import component_kernels
from dedup.limits import MOST_PAIRS


class PairGraph(NamedTuple):
    """Documents as nodes, pairs as edges.

    Attributes:
        keys: uint64 [d], ascending and distinct; their positions are the nodes.
        earlier, later: integers [p], the nodes of each pair, earlier <= later.
    """

    keys: np.ndarray
    earlier: np.ndarray
    later: np.ndarray


def graph_of(left: np.ndarray, right: np.ndarray) -> PairGraph:
    """The graph of pairs (uint64 [p] each), in any order and direction; its nodes are the documents in a pair.

    Raises:
        ValueError: the columns differ in length, or are longer than ``MOST_PAIRS``.
    """
    left, right = _columns(left, right)
    if len(left) > MOST_PAIRS:
        raise ValueError(
            f"{len(left):,} pairs in one worker, which unites at most {MOST_PAIRS:,}: set dedup.components: rounds and "
            "enough dedup.partitions, or lower dedup.max_pairs_in_memory"
        )
    keys, rows = component_kernels.number(np.concatenate((left, right)))
    return _of_rows(keys, rows[: len(left)], rows[len(left) :])


def graph_among(keys: np.ndarray, left: np.ndarray, right: np.ndarray) -> PairGraph:
    """The same with all of ``keys`` (uint64 [n], ascending and distinct) as nodes.

    Raises:
        ValueError: keys out of order or twice, a pair of an unknown key, or columns of different length.
    """
    keys = np.ascontiguousarray(keys, np.uint64)
    unordered = np.flatnonzero(keys[1:] <= keys[:-1])
    if len(unordered):
        at = int(unordered[0])
        what = "appears twice" if keys[at] == keys[at + 1] else f"is followed by {keys[at + 1]}"
        raise ValueError(f"document key {keys[at]} {what}: sort the keys and give each once")
    return _of_rows(keys, *(rows_among(keys, side) for side in _columns(left, right)))


def rows_among(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions (int64 [m]) of document keys (uint64 [m]) among ``keys`` (uint64 [n], ascending and distinct).

    Raises:
        ValueError: a key is not there.
    """
    rows = np.searchsorted(keys, wanted)
    unknown = rows == len(keys)
    unknown[~unknown] = keys[rows[~unknown]] != wanted[~unknown]
    if unknown.any():
        raise ValueError(
            f"pair key {wanted[unknown][0]} is no document's key: the pairs come from other dumps than the documents"
        )
    return rows


def _columns(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(left) != len(right):
        raise ValueError(f"{len(left)} left and {len(right)} right keys: every pair has one of each")
    return np.asarray(left, np.uint64), np.asarray(right, np.uint64)


def _of_rows(keys: np.ndarray, left: np.ndarray, right: np.ndarray) -> PairGraph:
    swapped = left > right
    if swapped.any():
        left, right = np.where(swapped, right, left), np.where(swapped, left, right)
    return PairGraph(keys, left, right)
