"""Text of any size from the snapshot dumps, in which new pieces keep coming as they do in a crawl.

The dumps hold 12 MB of lines that differ. A document here is a number of them, drawn at random, with every digit drawn
anew and with some of its words and runs of Chinese replaced by others that are made up: number ``r`` of them, where
``r`` has the heavy tail P(r >= n) = n ** -a. Of such draws m ** (1 / (1 + a)) differ (Heaps' law), so distinct pieces
grow with the text without end, some often and most once. Everything follows from hashes of the document's number: the
first gigabyte is the same whoever writes it, in whatever parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from benchmarks.signatures import load_texts
from text.arrow_buffers import text_array, text_buffers

PART_BYTES = 32 << 20
BLOCK_DOCUMENTS = 2048
SENTENCES = 24  # of a document
WORD_SHARE, RUN_SHARE = 0.04, 0.8  # of the words and of the Chinese runs that are made up
WORD_EXPONENT, RUN_EXPONENT = 0.65, 0.9  # of Heaps' law; unique text of the dumps gives 0.53 and 0.83
_SENTENCE = re.compile(r"(?<=[.!?] )|(?<=[。！？])|(?<=\n)")
_SYLLABLES = 100
_HAN_FIRST, _HAN_COMMON = 0x4E00, 2500


def sentences() -> pa.LargeStringArray:
    """The distinct lines of the dumps, cut into sentences."""
    texts, _ = load_texts(None)
    lines = dict.fromkeys(line for text in texts for line in text.splitlines(keepends=True))
    return pa.array([part for line in lines for part in _SENTENCE.split(line) if part], pa.large_string())


@njit(inline="always")
def _mixed(value):
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(inline="always")
def _unit(value):
    return (np.float64(value >> np.uint64(11)) + 0.5) / 9007199254740992.0


@njit(inline="always")
def _rank(value, exponent):
    """A rank whose distinct values grow by Heaps' law with that exponent."""
    rank = _unit(value) ** (-1.0 / (1.0 / exponent - 1.0))
    return np.int64(rank) if rank < 1e15 else np.int64(value >> np.uint64(2))  # there no two draws are the same


@njit(inline="always")
def _is_han(data, i, stop):
    return i + 3 <= stop and 0xE4 <= data[i] <= 0xE9 and (data[i] != 0xE4 or data[i + 1] >= 0xB8)


@njit(nogil=True, cache=True)
def _made_up_word(rank, upper, out, size):
    value = rank
    first = True
    while first or value:
        syllable = value % 100
        value //= 100
        letter = b"bcdfghjklmnprstvwxyz"[syllable // 5]
        out[size] = letter - 32 if upper and first else letter
        out[size + 1] = b"aeiou"[syllable % 5]
        size += 2
        first = False
    return size


@njit(nogil=True, cache=True)
def _made_up_run(rank, data, runs, out, size):
    """A real run of Chinese with a name of two or three characters written over a place of it."""
    value = _mixed(np.uint64(rank) * np.uint64(0x9E3779B97F4A7C15))
    row = np.int64(value % np.uint64(len(runs)))
    start, length = runs[row, 0], runs[row, 1]
    out[size : size + length] = data[start : start + length]
    value = _mixed(value)
    name = min(2 + np.int64(value & np.uint64(1)), length // 3)
    place = np.int64((value >> np.uint64(8)) % np.uint64(length // 3 - name + 1))
    for i in range(name):
        value = _mixed(value + np.uint64(i + 1))
        share = _unit(value)
        point = 0x4E00 + np.int64(share * share * 2500) * 8
        at = size + 3 * (place + i)
        out[at] = 0xE0 | point >> 12
        out[at + 1] = 0x80 | (point >> 6 & 63)
        out[at + 2] = 0x80 | (point & 63)
    return size + length


@njit(nogil=True, cache=True)
def find_runs(data, offsets):
    """Runs of at least four Chinese characters: int64 [runs, 2], first byte and bytes."""
    out = np.empty((len(data) // 12 + 1, 2), np.int64)
    found = 0
    for sentence in range(len(offsets) - 1):
        i, stop = offsets[sentence], offsets[sentence + 1]
        while i < stop:
            start = i
            while _is_han(data, i, stop):
                i += 3
            if i - start >= 12:
                out[found] = start, i - start
                found += 1
            if i == start:
                i += 1
    return out[:found].copy()


@njit(nogil=True, cache=True)
def write_documents(
    data, offsets, runs, first, documents, word_share, run_share, word_exponent, run_exponent, out, ends
):
    """Writes ``documents`` documents from number ``first`` on behind each other; returns the bytes."""
    size = 0
    for document in range(documents):
        state = _mixed(np.uint64(first + document + 1) * np.uint64(0x9E3779B97F4A7C15))
        for _ in range(24):
            state = _mixed(state + np.uint64(0x9E3779B97F4A7C15))
            sentence = np.int64(state % np.uint64(len(offsets) - 1))
            i, stop = offsets[sentence], offsets[sentence + 1]
            if size + 4 * (stop - i) + 4096 > len(out):
                break
            while i < stop:
                byte = data[i]
                start = i
                if 48 <= byte <= 57:
                    state = _mixed(state + np.uint64(1))
                    out[size] = 48 + state % np.uint64(10)
                    size += 1
                    i += 1
                elif 65 <= (byte & 0xDF) <= 90:
                    while i < stop and 65 <= (data[i] & 0xDF) <= 90:
                        i += 1
                    state = _mixed(state + np.uint64(2))
                    if i - start >= 3 and _unit(state) < word_share:
                        state = _mixed(state + np.uint64(3))
                        size = _made_up_word(_rank(state, word_exponent), byte < 97, out, size)
                    else:
                        out[size : size + i - start] = data[start:i]
                        size += i - start
                elif _is_han(data, i, stop):
                    while _is_han(data, i, stop):
                        i += 3
                    state = _mixed(state + np.uint64(4))
                    if i - start >= 12 and _unit(state) < run_share:
                        state = _mixed(state + np.uint64(5))
                        size = _made_up_run(_rank(state, run_exponent), data, runs, out, size)
                    else:
                        out[size : size + i - start] = data[start:i]
                        size += i - start
                else:
                    out[size] = byte
                    size += 1
                    i += 1
        ends[document] = size
    return size


def blocks(of: pa.LargeStringArray, total_bytes: int) -> Iterator[pa.LargeStringArray]:
    """Columns of documents with so many bytes in all, to a document."""
    data, offsets = text_buffers(of)
    runs = find_runs(data, offsets)
    written = first = 0
    out, ends = np.empty(64 << 20, np.uint8), np.zeros(BLOCK_DOCUMENTS + 1, np.int64)
    while written < total_bytes:
        shares = WORD_SHARE, RUN_SHARE, WORD_EXPONENT, RUN_EXPONENT
        write_documents(data, offsets, runs, first, BLOCK_DOCUMENTS, *shares, out, ends[1:])
        keep = min(int(np.searchsorted(ends, total_bytes - written)), BLOCK_DOCUMENTS)
        yield text_array(out[: ends[keep]].copy(), ends[: keep + 1].copy())
        written += int(ends[keep])
        first += BLOCK_DOCUMENTS


def write_parts(folder: Path, total_bytes: int) -> tuple[int, int]:
    """Writes Parquet parts of the text into a folder; returns documents and bytes."""
    pending: list[pa.LargeStringArray] = []
    documents = size = part = 0
    pending_bytes = 0

    def flush() -> None:
        nonlocal part, pending, pending_bytes
        table = pa.table({"text": pa.chunked_array(pending, pa.large_string())})
        pq.write_table(table, folder / f"part-{part:05}.parquet", compression="zstd", row_group_size=BLOCK_DOCUMENTS)
        part, pending, pending_bytes = part + 1, [], 0

    for block in blocks(sentences(), total_bytes):
        pending.append(block)
        block_bytes = int(block.buffers()[2].size)
        documents, size, pending_bytes = documents + len(block), size + block_bytes, pending_bytes + block_bytes
        if pending_bytes >= PART_BYTES:
            flush()
    if pending:
        flush()
    return documents, size
