# mypy: allow-untyped-defs
"""The 64-bit hashes of the project: one mixer, one byte hash, one keyed hash of integers.

They decide which documents are duplicates, which are sampled and where a document lands in the shuffle, so they are
part of the determinism promise: changing a constant here changes outputs and must change the stages' fingerprints.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from text.raw_memory import load_eight

_M1 = np.uint64(0xFF51AFD7ED558CCD)
_M2 = np.uint64(0xC4CEB9FE1A85EC53)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(33)


@njit(inline="always")
def mix64(value):
    """Mixes a uint64 so that every input bit reaches every output bit (the finalizer of MurmurHash3)."""
    value ^= value >> _SHIFT
    value *= _M1
    value ^= value >> _SHIFT
    value *= _M2
    value ^= value >> _SHIFT
    return value


@njit
def power(base, exponent):
    """``base`` (uint64) to a small power, modulo 2^64."""
    value = np.uint64(1)
    for _ in range(exponent):
        value *= base
    return value


@intrinsic
def folded_product(typingctx, one, other):
    """The halves of the 128-bit product of two uint64, xor-ed: one multiplication mixes both (as wyhash does)."""

    def generate(context, builder, signature, arguments):
        wide, narrow = ir.IntType(128), ir.IntType(64)
        product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), narrow)
        return builder.xor(upper, builder.trunc(product, narrow))

    return types.uint64(types.uint64, types.uint64), generate


@njit(inline="always")
def hash_memory(address, stop, readable):
    """Hashes the bytes between two addresses to uint64, for tables that live as long as one call.

    Sixteen bytes a round, the rest without a branch on its size; ``readable`` is the address behind the last byte that
    may be read.
    """
    size = np.uint64(stop - address)
    value = _GOLDEN
    while address + 16 <= stop:
        value = folded_product(load_eight(address, readable) ^ value, load_eight(address + 8, readable) ^ _M1)
        address += 16
    left = stop - address
    low = load_eight(address, readable) & _low_bytes(min(left, 8))
    high = load_eight(address + 8, readable) & _low_bytes(max(left, 8) - 8)
    return folded_product(low ^ value, high ^ _M2 ^ size << np.uint64(56)) ^ size


@njit
def _low_bytes(count):
    """A uint64 with the lowest ``count`` bytes set, 0 to 8."""
    half = np.uint64(4 * count)
    return ((np.uint64(1) << half) << half) - np.uint64(1)


@njit(nogil=True, cache=True)
def hash_bytes(data, start, stop, seed):
    """Hashes ``data[start:stop]`` (uint8) to uint64: eight bytes a round, the length folded in at the end."""
    value = mix64(np.uint64(seed) + _GOLDEN)
    position = start
    while position + 8 <= stop:
        word = np.uint64(0)
        for i in range(8):
            word |= np.uint64(data[position + i]) << np.uint64(8 * i)
        value = mix64(value ^ word) + _GOLDEN
        position += 8
    word = np.uint64(0)
    shift = np.uint64(0)
    while position < stop:
        word |= np.uint64(data[position]) << shift
        shift += np.uint64(8)
        position += 1
    return mix64(value ^ word ^ (np.uint64(stop - start) * _M1))


@njit(nogil=True, cache=True)
def hash_texts(data, offsets, seed):
    """Hashes each document of a text column (see ``text_buffers``) to uint64 [rows]."""
    out = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(out)):
        out[i] = hash_bytes(data, offsets[i], offsets[i + 1], seed)
    return out


@njit(nogil=True, cache=True)
def keyed_hash(keys, seed):
    """Hashes uint64 keys under a seed to uint64 of the same shape: for sampling, splits and shuffles."""
    out = np.empty(len(keys), np.uint64)
    base = mix64(np.uint64(seed) + _GOLDEN)
    for i in range(len(keys)):
        out[i] = mix64(mix64(keys[i] ^ base) + _GOLDEN)
    return out


def below(hashes: np.ndarray, share: float) -> np.ndarray:
    """True for the share of hashes [0, 1] that lies lowest: a sample that only grows when the share grows."""
    if share >= 1:
        return np.ones(len(hashes), bool)
    return hashes < np.uint64(max(share, 0.0) * 2.0**64)
