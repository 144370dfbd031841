# mypy: allow-untyped-defs
"""Bounds how deep the elements of a page are nested, without parsing it."""

from __future__ import annotations

import numpy as np
from numba import njit

_VOID = "area base basefont bgsound br col embed frame hr img input link meta param source track wbr"
_CLOSED_BY_THE_NEXT = "p li dt dd option tr td th"  # to nest for real they need other elements between


def _packed(name: str) -> int:
    return int.from_bytes(name[:8].encode(), "big")


VOID_ELEMENTS = np.array(sorted(_packed(name) for name in f"{_VOID} {_CLOSED_BY_THE_NEXT}".split()), np.uint64)
"""Names of elements that do not nest by themselves, their letters packed into uint64."""


@njit(nogil=True, cache=True)
def nesting(data, ignored):
    """The most start tags that are open at once, end tags closing one each; at least one third of the real depth.

    Elements in ``ignored`` (uint64, packed names) do not count: a page has thousands of them, and one of them can only
    lie in another with an element that counts between.

    Args:
        data: uint8 [bytes], HTML in an encoding that keeps ASCII.
        ignored: uint64 [names].
    """
    depth = 0
    deepest = 0
    size = len(data)
    i = 0
    while i + 1 < size:
        if data[i] != 60:  # <
            i += 1
            continue
        i += 1
        closing = data[i] == 47  # /
        if closing:
            i += 1
        name = np.uint64(0)
        letters = 0
        while i < size:
            letter = data[i] | 32
            if not ((97 <= letter <= 122) or (letters > 0 and 48 <= data[i] <= 57)):
                break
            if letters < 8:
                name = (name << np.uint64(8)) | np.uint64(letter)
            letters += 1
            i += 1
        if letters == 0:
            continue
        known = False
        for j in range(len(ignored)):
            if ignored[j] == name:
                known = True
                break
        if known:
            continue
        if closing:
            if depth > 0:
                depth -= 1
        else:
            depth += 1
            if depth > deepest:
                deepest = depth
    return deepest
