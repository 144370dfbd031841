# mypy: allow-untyped-defs
"""Hashes of bands."""

from __future__ import annotations

import numpy as np
from numba import njit

from text.hashing import mix64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(nogil=True, cache=True)
def band_hashes(minima, bands, rows):
    """uint64 [n, bands] of ``minima`` (uint32 [n, at least bands * rows]); see ``dedup.banding.band_hashes``."""
    out = np.empty((len(minima), bands), np.uint64)
    for i in range(len(minima)):
        for band in range(bands):
            value = mix64(np.uint64(band + 1) * _GOLDEN)
            for j in range(band * rows, band * rows + rows):
                value = mix64((value ^ np.uint64(minima[i, j])) + _GOLDEN)
            out[i, band] = value
    return out
