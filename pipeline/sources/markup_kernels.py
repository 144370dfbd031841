# mypy: allow-untyped-defs
"""Bounds how deep the elements of a page are nested, without parsing it."""

from __future__ import annotations

import numpy as np
from numba import njit

_VOID = "area base basefont bgsound br col embed frame hr img input link meta param source track wbr"
_CLOSED_BY_THE_NEXT = "p tr td th"  # to nest for real they need a table or the like between


def _packed(name: str) -> int:
    return int.from_bytes(name[:8].encode(), "big")


_FORMATTING = "a b big code em font i nobr s small strike strong tt u"
FORMATTING_ELEMENTS = np.array(sorted(_packed(name) for name in _FORMATTING.split()), np.uint64)
"""Names of elements that a parser opens again in each block behind one that they were left open in."""
VOID_ELEMENTS = np.array(sorted(_packed(name) for name in f"{_VOID} {_CLOSED_BY_THE_NEXT}".split()), np.uint64)
"""Names of elements that do not nest by themselves, their letters packed into uint64."""


@njit(nogil=True, cache=True)
def nesting(data, ignored, limit):
    """How many elements are open at once, as far as tags tell; counted to just above ``limit``.

    An end tag closes the innermost open element of its name and all within it, or nothing. Elements in ``ignored`` do
    not count: pages have thousands of them, and one can only lie in another with an element that counts between. So the
    real depth is at most about five times as large (table, tbody, tr, td, p).

    Args:
        data: uint8 [bytes], HTML in an encoding that keeps ASCII.
        ignored: uint64 [names], packed.
        limit: elements.
    """
    stack = np.empty(limit + 1, np.uint64)
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
            for j in range(depth - 1, -1, -1):
                if stack[j] == name:
                    depth = j
                    break
        else:
            stack[depth] = name
            depth += 1
            deepest = max(deepest, depth)
            if depth > limit:
                break
    return deepest


@njit(nogil=True, cache=True)
def reopened(data, formatting):
    """Bounds how many elements a parser makes up to open left-open formatting elements again.

    At each start tag it may open again all that are open, so that a page of a few kilobytes can grow to gigabytes
    (HTML, section 13.2.4.3). Of equal ones it opens at most three again; this bound does not look at that.

    Args:
        data: uint8 [bytes], HTML in an encoding that keeps ASCII.
        formatting: uint64 [names], packed.
    """
    left_open = 0
    total = 0
    size = len(data)
    i = 0
    while i + 1 < size:
        if data[i] != 60:
            i += 1
            continue
        i += 1
        closing = data[i] == 47
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
        is_formatting = False
        for j in range(len(formatting)):
            if formatting[j] == name:
                is_formatting = True
                break
        if closing:
            if is_formatting and left_open > 0:
                left_open -= 1
        else:
            total += left_open
            if is_formatting:
                left_open += 1
    return total
