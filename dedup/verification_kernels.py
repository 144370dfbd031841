# mypy: allow-untyped-defs
"""Comparing signatures, and leader passes over buckets."""

from __future__ import annotations

import numpy as np
from numba import njit

_DUMP_SHIFT = np.uint64(52)


@njit
def _equal_values(minima, left, right):
    """How many values two rows of ``minima`` (uint32 [d, k]) share."""
    equal = np.uint32(0)
    for j in range(minima.shape[1]):
        equal += np.uint32(minima[left, j] == minima[right, j])
    return np.int64(equal)


@njit(nogil=True, cache=True)
def jaccard_of_pairs(left, right):
    """float32 [p]: the share of equal values of row i of both matrices (uint32 [p, k])."""
    out = np.empty(len(left), np.float32)
    for i in range(len(left)):
        equal = np.uint32(0)
        for j in range(left.shape[1]):
            equal += np.uint32(left[i, j] == right[i, j])
        out[i] = equal / left.shape[1]
    return out


@njit(nogil=True, cache=True)
def jaccard_of_rows(minima, left, right):
    """float32 [p]: the share of equal values of rows ``left[i]`` and ``right[i]`` (int64 [p])."""
    out = np.empty(len(left), np.float32)
    for i in range(len(left)):
        out[i] = _equal_values(minima, left[i], right[i]) / minima.shape[1]
    return out


@njit(nogil=True, cache=True)
def leader_passes(hashes, keys, rows, minima, enough, passes):
    """Leader passes over rows sorted by hash and key; see ``dedup.verification.verified_pairs``.

    Args:
        hashes, keys: uint64 [m]; ``rows`` int64 [m]; ``minima`` uint32 [d, k].
        enough: equal values that make a pair; ``passes``: centres per level.

    Returns:
        left and right keys (uint64 [p]), equal values (int64 [p]), comparisons rejected, memberships unlinked.
    """
    total = len(keys)
    left = np.empty(max(16, total), np.uint64)
    right = np.empty(max(16, total), np.uint64)
    equal = np.empty(max(16, total), np.int64)
    pairs = 0
    rejected = 0
    unlinked = 0
    leader = np.full(total, -1, np.int64)  # the centre that took a member; a centre of the current level is its own
    tied = np.zeros(total, np.int64)  # the number of the last pass whose centre was linked to the group of this centre
    linked = np.zeros(total, np.bool_)
    number = 0  # of the pass, counted over all buckets
    members = np.empty(total, np.int64)
    start = 0
    while start < total:
        stop = start
        count = 0
        while stop < total and hashes[stop] == hashes[start]:
            if stop == start or keys[stop] != keys[stop - 1]:
                members[count] = stop
                count += 1
            stop += 1
        start = stop
        if count < 2:
            continue
        level_start = 0
        across = False
        while True:
            # One level: the members of one dump after another, and at last all of them across dumps.
            if across:
                level_start, level_stop = 0, count
            else:
                level_stop = level_start + 1
                dump = keys[members[level_start]] >> _DUMP_SHIFT
                while level_stop < count and keys[members[level_stop]] >> _DUMP_SHIFT == dump:
                    level_stop += 1
            if across:  # centres of the dumps are open again
                for i in range(count):
                    if leader[members[i]] == members[i]:
                        leader[members[i]] = -1
            cursor = level_start
            for _ in range(passes):
                while cursor < level_stop and leader[members[cursor]] != -1:
                    cursor += 1
                if cursor >= level_stop or level_stop - level_start < 2:
                    break
                centre = members[cursor]
                leader[centre] = centre
                number += 1
                for i in range(level_start, level_stop):
                    member = members[i]
                    if member == centre or leader[member] == member:
                        continue  # earlier centres rejected this one
                    if across and keys[member] >> _DUMP_SHIFT == keys[centre] >> _DUMP_SHIFT:
                        continue
                    top = leader[member]
                    if top != -1:
                        while leader[top] != -1 and leader[top] != top:
                            top = leader[top]
                        if top == centre or tied[top] == number:
                            continue
                    same = _equal_values(minima, rows[centre], rows[member])
                    if same < enough:
                        rejected += 1
                        continue
                    if top == -1:
                        leader[member] = centre
                    else:
                        tied[top] = number
                    linked[centre] = linked[member] = True
                    if pairs == len(left):
                        left = np.concatenate((left, np.empty_like(left)))
                        right = np.concatenate((right, np.empty_like(right)))
                        equal = np.concatenate((equal, np.empty_like(equal)))
                    left[pairs] = min(keys[centre], keys[member])
                    right[pairs] = max(keys[centre], keys[member])
                    equal[pairs] = same
                    pairs += 1
            if across:
                break
            level_start = level_stop
            if level_start == count:
                across = True
        for i in range(count):
            unlinked += not linked[members[i]]
    return left[:pairs].copy(), right[:pairs].copy(), equal[:pairs].copy(), rejected, unlinked
