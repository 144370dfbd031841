# mypy: allow-untyped-defs
"""Stars over the buckets of a sorted partition."""

from __future__ import annotations

import numpy as np
from numba import njit

_DUMP_SHIFT = np.uint64(52)


@njit(nogil=True, cache=True)
def stars(hashes, keys):
    """Two-level stars over rows sorted by hash and key (uint64 [m] each): left and right of the pairs, uint64."""
    left = np.empty(len(keys), np.uint64)
    right = np.empty(len(keys), np.uint64)
    pairs = 0
    first = first_of_dump = np.uint64(0)
    for i in range(len(keys)):
        key = keys[i]
        if i == 0 or hashes[i] != hashes[i - 1]:
            first = first_of_dump = key
        elif key != keys[i - 1]:
            same_dump = key >> _DUMP_SHIFT == first_of_dump >> _DUMP_SHIFT
            left[pairs] = first_of_dump if same_dump else first
            right[pairs] = key
            pairs += 1
            if not same_dump:
                first_of_dump = key
    return left[:pairs].copy(), right[:pairs].copy()
