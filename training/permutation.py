"""A shuffled order without a shuffle: the i-th element of a keyed permutation, computed and never stored.

A run over 10⁹ samples can ask for the sample at any position at once, so the state of its data order is one integer.
The permutation is an alternating Feistel network on Z_a × Z_b with a·b ≥ n barely, walked until it lands below n
(Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002, sections 4 and 5).
"""

from __future__ import annotations

import math

import numpy as np

_ROUNDS = 8
_M1 = np.uint64(0xFF51AFD7ED558CCD)
_M2 = np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)


def permute(positions: np.ndarray, n: int, key: np.ndarray | int) -> np.ndarray:
    """Maps positions below n to distinct numbers below n, for each key another order.

    ``positions`` int64 [any shape], each in [0, n); ``key`` one or an array of uint64 that broadcasts against them.
    Returns int64 of the same shape. Raises ValueError for a position out of range.
    """
    positions = np.asarray(positions)
    if positions.size and (positions.min() < 0 or positions.max() >= n):
        raise ValueError(f"positions must lie in [0, {n})")
    x = positions.astype(np.uint64).ravel()
    keys = np.broadcast_to(np.asarray(key, np.uint64), positions.shape).ravel()
    a = math.isqrt(n - 1) + 1 if n > 1 else 1
    b = -(-n // a)
    x = _feistel(x, a, b, keys)
    outside = np.flatnonzero(x >= n)
    while outside.size:  # fewer than b of a·b numbers lie outside, so few take this and fewer twice
        x[outside] = _feistel(x[outside], a, b, keys[outside])
        outside = outside[x[outside] >= n]
    return x.astype(np.int64).reshape(positions.shape)


def derive_key(*parts: np.ndarray | int) -> np.ndarray:
    """Folds integers (seed, epoch, purpose, …; arrays broadcast) into one uint64 key."""
    key = np.asarray(_GOLDEN)
    for part in parts:
        with np.errstate(over="ignore"):
            key = _mix(key ^ np.asarray(part).astype(np.uint64)) + _GOLDEN
    return key


def _feistel(x: np.ndarray, a: int, b: int, keys: np.ndarray) -> np.ndarray:
    left, right = np.divmod(x, np.uint64(b))
    with np.errstate(over="ignore"):
        for i in range(_ROUNDS):
            round_key = _mix(keys + np.uint64(i + 1) * _GOLDEN)
            # The round function is reduced before it is added: the sum must not wrap at 2⁶⁴.
            if i % 2 == 0:
                left = (left + _mix(right ^ round_key) % np.uint64(a)) % np.uint64(a)
            else:
                right = (right + _mix(left ^ round_key) % np.uint64(b)) % np.uint64(b)
    return left * np.uint64(b) + right


def _mix(value: np.ndarray) -> np.ndarray:
    """The finalizer of MurmurHash3, as in text.hashing, but in NumPy: the trainer runs without numba."""
    value = (value ^ (value >> _SHIFT)) * _M1
    value = (value ^ (value >> _SHIFT)) * _M2
    return value ^ (value >> _SHIFT)
