# mypy: allow-untyped-defs
"""Walking valid UTF-8 inside numba kernels."""

from __future__ import annotations

from numba import njit


@njit(inline="always")
def decode(data, position):
    """Decodes the code point that starts at ``position``.

    Args:
        data: uint8 [bytes], valid UTF-8.
        position: index of a lead byte.

    Returns:
        The code point and the index just behind it, both int64.
    """
    lead = data[position]
    if lead < 0x80:
        return lead & 0x7FFFFFFF, position + 1
    if lead < 0xE0:
        return ((lead & 0x1F) << 6) | (data[position + 1] & 0x3F), position + 2
    if lead < 0xF0:
        return (((lead & 0x0F) << 12) | ((data[position + 1] & 0x3F) << 6) | (data[position + 2] & 0x3F)), position + 3
    return (
        ((lead & 0x07) << 18)
        | ((data[position + 1] & 0x3F) << 12)
        | ((data[position + 2] & 0x3F) << 6)
        | (data[position + 3] & 0x3F)
    ), position + 4
