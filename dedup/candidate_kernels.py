# mypy: allow-untyped-defs
"""Stars over the buckets of a sorted partition."""

from __future__ import annotations

import numpy as np
from numba import njit

_DUMP_SHIFT = np.uint64(52)


@njit(nogil=True, cache=True)
def stars(hashes, keys):
    """Two-level stars with a chain over rows sorted by hash and key (uint64 [m] each): left and right, uint64."""
    left = np.empty(2 * len(keys), np.uint64)
    right = np.empty(2 * len(keys), np.uint64)
    pairs = 0
    first = first_of_dump = before = np.uint64(0)
    for i in range(len(keys)):
        key = keys[i]
        if i == 0 or hashes[i] != hashes[i - 1]:
            first = first_of_dump = before = key
        elif key != before:
            same_dump = key >> _DUMP_SHIFT == first_of_dump >> _DUMP_SHIFT
            centre = first_of_dump if same_dump else first
            left[pairs] = centre
            right[pairs] = key
            pairs += 1
            if before != centre:
                left[pairs] = before
                right[pairs] = key
                pairs += 1
            if not same_dump:
                first_of_dump = key
            before = key
    return left[:pairs].copy(), right[:pairs].copy()
