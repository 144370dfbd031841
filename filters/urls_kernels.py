# mypy: allow-untyped-defs
"""Hosts of addresses, and entries of lists found in hosts, words and letters of them. Bytes are ASCII-lower already.

A list is a table of open addressing: the row of an entry, or -1, at the entry's hash. What is found is compared byte by
byte, so equal hashes decide nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from text.hashing import hash_bytes

LONGEST = 253  # bytes of a host, RFC 1035
_SEED = np.uint64(0x75726C73)
_COLON, _SLASH, _BACKSLASH, _QUESTION, _HASH, _AT = 58, 47, 92, 63, 35, 64
_OPEN, _CLOSE, _DOT, _PERCENT, _SPACE = 91, 93, 46, 37, 32


@njit(inline="always")
def _ends_authority(byte):
    return byte in (_SLASH, _BACKSLASH, _QUESTION, _HASH)


@njit(nogil=True, cache=True)
def host_spans(data, offsets):
    """Where the host stands in each address: starts and stops int64 [n], and whether it is not plain ASCII, bool [n].

    An address without a scheme begins with its host. User, password, port and dots at the end are no part of it.
    """
    rows = len(offsets) - 1
    starts, stops, odd = np.empty(rows, np.int64), np.empty(rows, np.int64), np.zeros(rows, np.bool_)
    for row in range(rows):
        start, end = offsets[row], offsets[row + 1]
        while start < end and data[start] <= _SPACE:
            start += 1
        while end > start and data[end - 1] <= _SPACE:
            end -= 1
        stop = start
        while stop < end and not _ends_authority(data[stop]):
            stop += 1
        colon = stop > start and data[stop - 1] == _COLON
        if stop + 1 < end and (colon or stop == start) and data[stop] == _SLASH and data[stop + 1] == _SLASH:
            start = stop = stop + 2  # after the scheme, or after the // of an address that takes it from elsewhere
            while stop < end and not _ends_authority(data[stop]):
                stop += 1
        for at in range(stop - 1, start - 1, -1):
            if data[at] == _AT:
                start = at + 1
                break
        if start < stop and data[start] == _OPEN:  # IPv6
            at = start
            while at < stop and data[at] != _CLOSE:
                at += 1
            stop = min(at + 1, stop)
        else:
            for at in range(start, stop):
                if data[at] == _COLON:
                    stop = at
                    break
        while stop > start and data[stop - 1] == _DOT:
            stop -= 1
        for at in range(start, stop):
            if data[at] >= 128 or data[at] == _PERCENT:
                odd[row] = True
        starts[row], stops[row] = start, stop
    return starts, stops, odd


@njit(nogil=True, cache=True)
def gather(data, starts, stops):
    """The spans one after the other: bytes, and offsets int64 [n + 1]."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + stops[row] - starts[row]
    out = np.empty(offsets[-1], np.uint8)
    for row in range(len(starts)):
        for at in range(stops[row] - starts[row]):
            out[offsets[row] + at] = data[starts[row] + at]
    return out, offsets


@njit(nogil=True, cache=True)
def build(data, offsets):
    """The table of a list's entries: int32 [a power of two, twice as many or more]; of equal entries the first."""
    size = 2
    while size < 2 * (len(offsets) - 1):
        size *= 2
    table = np.full(size, -1, np.int32)
    for row in range(len(offsets) - 1):
        if _find(data, offsets[row], offsets[row + 1], table, data, offsets) < 0:
            slot = hash_bytes(data, offsets[row], offsets[row + 1], _SEED) & np.uint64(size - 1)
            while table[slot] >= 0:
                slot = (slot + np.uint64(1)) & np.uint64(size - 1)
            table[slot] = row
    return table


@njit(nogil=True, cache=True)
def _find(data, start, stop, table, entries, entry_offsets):
    """The entry that equals a span, or -1."""
    mask = np.uint64(len(table) - 1)
    slot = hash_bytes(data, start, stop, _SEED) & mask
    while table[slot] >= 0:
        first, last = entry_offsets[table[slot]], entry_offsets[table[slot] + 1]
        if last - first == stop - start:
            same = True
            for at in range(stop - start):
                if entries[first + at] != data[start + at]:
                    same = False
                    break
            if same:
                return table[slot]
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(nogil=True, cache=True)
def find_hosts(data, offsets, table, entries, entry_offsets, single_alone):
    """The entry that each host is or ends in by whole labels, the longest, or -1: int32 [n].

    ``single_alone``: an entry without a dot is a host by itself, and no ending of others. Endings are looked up to
    ``LONGEST`` bytes, which is all that a host can have.
    """
    found = np.full(len(offsets) - 1, -1, np.int32)
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        last_dot = stop
        while last_dot > start and data[last_dot - 1] != _DOT:
            last_dot -= 1
        begin = start
        while begin < stop:
            short = stop - begin <= LONGEST
            if short and (begin == start or begin != last_dot or not single_alone):
                found[row] = _find(data, begin, stop, table, entries, entry_offsets)
                if found[row] >= 0:
                    break
            while begin < stop and data[begin] != _DOT:
                begin += 1
            begin += 1
    return found


@njit(inline="always")
def _in_word(byte):
    """Letters and digits; of other scripts all bytes."""
    return 97 <= byte <= 122 or 48 <= byte <= 57 or byte >= 128


@njit(nogil=True, cache=True)
def find_words(data, offsets, table, entries, entry_offsets, most):
    """Different entries that are words of each address, counted up to ``most``, and the first: int32 [n] each."""
    rows = len(offsets) - 1
    count, first = np.zeros(rows, np.int32), np.full(rows, -1, np.int32)
    seen = np.empty(most, np.int32)
    for row in range(rows):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop and count[row] < most:
            begin = at
            while at < stop and _in_word(data[at]):
                at += 1
            if at > begin:
                entry = _find(data, begin, at, table, entries, entry_offsets)
                new = entry >= 0
                for known in range(count[row]):
                    new = new and seen[known] != entry
                if new:
                    seen[count[row]] = entry
                    first[row] = entry if count[row] == 0 else first[row]
                    count[row] += 1
            at += 1
    return count, first


@njit(nogil=True, cache=True)
def find_parts(data, offsets, table, entries, entry_offsets, lengths, beginnings):
    """The first entry found in each address without all but letters and digits, or -1: int32 [n].

    ``lengths`` ascending: those that entries have; ``beginnings`` bool [65536]: the pairs of bytes that entries begin
    with, the first byte high; all of a first byte for an entry of one byte.
    """
    rows = len(offsets) - 1
    found = np.full(rows, -1, np.int32)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    text = np.zeros(longest + 1, np.uint8)
    for row in range(rows):
        size = 0
        for at in range(offsets[row], offsets[row + 1]):
            if _in_word(data[at]):
                text[size] = data[at]
                size += 1
        text[size] = 0
        for begin in range(size):
            if beginnings[np.int64(text[begin]) << 8 | np.int64(text[begin + 1])]:
                for length in lengths:
                    if begin + length <= size and found[row] < 0:
                        found[row] = _find(text, begin, begin + length, table, entries, entry_offsets)
            if found[row] >= 0:
                break
    return found
