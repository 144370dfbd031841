# mypy: allow-untyped-defs
"""Reading a buffer by address inside numba kernels.

A numba helper that takes an array counts a reference to it in and out of every call, two locked additions that cost
more than cutting a short word. Helpers of a hot loop take the address (``array.ctypes.data``) instead; the kernel that
owns the loop holds the array, and every helper is told where the bytes end.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _reader(kind, bits):
    def reader(typingctx, address):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            return builder.load(pointer, align=1)

        return kind(types.int64), generate

    return reader


read_uint8 = intrinsic(_reader(types.uint8, 8))
read_uint32 = intrinsic(_reader(types.uint32, 32))
read_uint64 = intrinsic(_reader(types.uint64, 64))  # any alignment
