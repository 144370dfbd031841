# mypy: allow-untyped-defs
"""Reading and writing buffers by address inside numba kernels.

A numba helper that takes an array counts a reference to it in and out of every call, two locked additions that cost
more than looking a short word up. Helpers of a hot loop take the address (``array.ctypes.data``) instead, and every
helper is told where the bytes end. No access needs alignment.

Take the address of an argument, never of an array made in the same kernel: numba gives an array's memory back after
the last line that names it, and an address does not count as naming it. The caller of a kernel holds its arguments.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def _reader(kind, bits):
    def reader(typingctx, address):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            return builder.load(pointer, align=1)

        return kind(types.int64), generate

    return reader


def _float_reader(typingctx, address):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.DoubleType().as_pointer())
        return builder.load(pointer, align=1)

    return types.float64(types.int64), generate


def _writer(kind, bits):
    def writer(typingctx, address, value):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            builder.store(arguments[1], pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, kind), generate

    return writer


read_uint8 = intrinsic(_reader(types.uint8, 8))
read_uint16 = intrinsic(_reader(types.uint16, 16))
read_int32 = intrinsic(_reader(types.int32, 32))
read_uint32 = intrinsic(_reader(types.uint32, 32))
read_int64 = intrinsic(_reader(types.int64, 64))
read_uint64 = intrinsic(_reader(types.uint64, 64))
read_float64 = intrinsic(_float_reader)
write_uint8 = intrinsic(_writer(types.uint8, 8))
write_int32 = intrinsic(_writer(types.int32, 32))
write_uint32 = intrinsic(_writer(types.uint32, 32))
write_int64 = intrinsic(_writer(types.int64, 64))
write_uint64 = intrinsic(_writer(types.uint64, 64))


@njit
def address_of(array):
    """Where an array's memory begins, as the int64 that sums with positions stay integers with."""
    return np.int64(array.ctypes.data)


@njit
def load_eight(address, readable):
    """Eight bytes as a little-endian uint64; those at the address ``readable`` and behind it are not read and 0."""
    if address + 8 <= readable:
        return read_uint64(address)
    value = np.uint64(0)
    for i in range(readable - address):
        value |= np.uint64(read_uint8(address + i)) << np.uint64(8 * i)
    return value


@intrinsic
def nonzero_mask(typingctx, address):
    """Bit i of the result (uint64) is set where byte ``address + i`` is not 0; reads 64 bytes."""

    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.IntType(8), 64)
        pointer = builder.inttoptr(arguments[0], vector.as_pointer())
        loaded = builder.load(pointer, align=1)
        set_ = builder.icmp_unsigned("!=", loaded, ir.Constant(vector, [ir.Constant(ir.IntType(8), 0)] * 64))
        return builder.bitcast(set_, ir.IntType(64))

    return types.uint64(types.int64), generate


def together(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Copies of arrays in one allocation, each on a cache line: NumPy asks for huge pages where it is large enough."""
    sizes = [-(-array.nbytes // 64) * 64 for array in arrays]
    block = np.empty(sum(sizes) + 64, np.uint8)
    position = -block.ctypes.data % 64
    copies = []
    for array, size in zip(arrays, sizes):
        copy = block[position : position + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        copies.append(copy)
        position += size
    return copies
