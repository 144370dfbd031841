# mypy: allow-untyped-defs
"""Pairs with centres over the sorted rows of a partition; what they mean stands in ``dedup.candidates``."""

from __future__ import annotations

import numpy as np
from numba import njit

_DUMP_SHIFT = np.uint64(52)
_DUMP_BITS = np.uint64(0xFFF << 52)
_FORWARD, _WITHIN, _REVERSED = np.uint8(1), np.uint8(2), np.uint8(4)


@njit(nogil=True, cache=True)
def first_pairs(buckets, keys, levels):
    """The first pass over whole buckets.

    Args:
        buckets, keys: uint64 [m], sorted by bucket and then key; ``levels`` int.

    Returns:
        left, right uint64 [p], the levels of each pair uint8 [p], and the document before its right one uint64 [p].
    """
    forward, within, reverse = levels & 1 != 0, levels & 2 != 0, levels & 4 != 0
    room = 3 * len(keys)  # memory that is not touched costs nothing
    left = np.empty(room, np.uint64)
    right = np.empty(room, np.uint64)
    made = np.empty(room, np.uint8)
    before = np.empty(room, np.uint64)
    none = np.uint64(0)
    pairs = 0
    start = 0
    while start < len(keys):
        stop = start + 1
        while stop < len(keys) and buckets[stop] == buckets[start]:
            stop += 1
        first = of_dump = last = keys[start]
        of_earlier_dumps = none  # the last document before this dump
        for i in range(start + 1, stop):
            key = keys[i]
            if key == last:
                continue
            new_dump = key >> _DUMP_SHIFT != of_dump >> _DUMP_SHIFT
            if new_dump:
                of_earlier_dumps = last
                of_dump = key
            one_dump = within and first == of_dump
            if forward:
                near = last if one_dump else of_earlier_dumps
                left[pairs], right[pairs] = first, key
                made[pairs] = _FORWARD | _WITHIN if one_dump else _FORWARD
                before[pairs] = near if near != first else none
                pairs += 1
            if within and not new_dump and not (forward and one_dump):
                left[pairs], right[pairs], made[pairs] = of_dump, key, _WITHIN
                before[pairs] = last if last != of_dump else none
                pairs += 1
            last = key
        if reverse:
            centre = stop - 1  # becomes the row of the first document of the last dump
            while centre > start and keys[centre - 1] >> _DUMP_SHIFT == last >> _DUMP_SHIFT:
                centre -= 1
            for i in range(start, centre):
                if i == start or keys[i] != keys[i - 1]:
                    left[pairs], right[pairs], made[pairs] = keys[i], keys[centre], _REVERSED
                    before[pairs] = none
                    pairs += 1
        start = stop
    return left[:pairs].copy(), right[:pairs].copy(), made[:pairs].copy(), before[:pairs].copy()


@njit(nogil=True, cache=True)
def level_keys(keys, levels):
    """What orders the documents of a bucket on their level: the key, with the dumps turned round for REVERSED."""
    out = keys.copy()
    for i in range(len(keys)):
        if levels[i] == _REVERSED:
            out[i] ^= _DUMP_BITS
    return out


@njit(nogil=True, cache=True)
def next_pairs(buckets, keys, levels):
    """A further pass over memberships, sorted by level, bucket, dump (WITHIN only) and the level's order of keys.

    Returns:
        left, right uint64 [p], the level of each pair uint8 [p], and which memberships wait, bool [m].
    """
    left = np.empty(len(keys), np.uint64)
    right = np.empty(len(keys), np.uint64)
    made = np.empty(len(keys), np.uint8)
    waits = np.zeros(len(keys), np.bool_)
    pairs = 0
    centre = before = np.uint64(0)
    for i in range(len(keys)):
        key, level = keys[i], levels[i]
        dump = key >> _DUMP_SHIFT
        same_group = (
            i > 0
            and buckets[i] == buckets[i - 1]
            and level == levels[i - 1]
            and (level != _WITHIN or dump == keys[i - 1] >> _DUMP_SHIFT)
        )
        if not same_group:
            centre = before = key
            continue
        if key == before:
            continue
        if level == _WITHIN or dump != centre >> _DUMP_SHIFT:
            left[pairs], right[pairs], made[pairs] = min(centre, key), max(centre, key), level
            pairs += 1
        else:
            waits[i] = True
        before = key
    return left[:pairs].copy(), right[:pairs].copy(), made[:pairs].copy(), waits


@njit(nogil=True, cache=True)
def outside_pairs(buckets, keys, other_buckets, other_keys, tries):
    """Each document with the first ``tries`` of the other corpus in its bucket; both sides sorted by bucket and key.

    Returns:
        other, own: uint64 [p].
    """
    other = np.empty(tries * len(keys), np.uint64)
    own = np.empty(tries * len(keys), np.uint64)
    pairs = 0
    start = 0
    for i in range(len(keys)):
        while start < len(other_keys) and other_buckets[start] < buckets[i]:
            start += 1
        j = start
        tried = 0
        while j < len(other_keys) and tried < tries and other_buckets[j] == buckets[i]:
            if j == start or other_keys[j] != other_keys[j - 1]:
                other[pairs], own[pairs] = other_keys[j], keys[i]
                pairs += 1
                tried += 1
            j += 1
    return other[:pairs].copy(), own[:pairs].copy()


@njit(nogil=True, cache=True)
def merged(left, right, levels, before):
    """The distinct pairs of sorted ones, each with all its levels or-ed and the greatest ``before``."""
    left, right, levels, before = left.copy(), right.copy(), levels.copy(), before.copy()
    pairs = 0
    for i in range(len(left)):
        if pairs and left[i] == left[pairs - 1] and right[i] == right[pairs - 1]:
            levels[pairs - 1] |= levels[i]
            before[pairs - 1] = max(before[pairs - 1], before[i])
        else:
            left[pairs], right[pairs], levels[pairs], before[pairs] = left[i], right[i], levels[i], before[i]
            pairs += 1
    return left[:pairs].copy(), right[:pairs].copy(), levels[:pairs].copy(), before[:pairs].copy()
