"""Text columns to token ids and back: exact, thread-safe, the GIL released."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from text.raw_memory import together
from tokenizer.counts import valid_text_buffers
from tokenizer.encoder_kernels import decode, encode, remember_tokens
from tokenizer.formats import Tokenizer
from tokenizer.limits import check_size
from tokenizer.merges import ID_OF_BYTE
from tokenizer.merging_kernels import MergeTables, tokens_are_proper
from tokenizer.vocabulary_kernels import build_character_trie, build_trie, merge_tables, token_rows
from tokenizer.word_cache import CacheSize, Memory


class Encoded(NamedTuple):
    """Documents as ids: document ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``."""

    tokens: np.ndarray  # uint32 [tokens]
    offsets: np.ndarray  # int64 [documents + 1]


class Encoder:
    """Encodes and decodes with one tokenizer; one instance serves many threads, each with its own word cache."""

    def __init__(self, tokenizer: Tokenizer, cache: CacheSize | None = None) -> None:
        """Builds the tables (about 0.4 s for 100,000 tokens).

        Args:
            tokenizer: whose merges to apply.
            cache: what each thread may remember, ``CacheSize()`` by default.

        Raises:
            ValueError: more tokens or bytes of them than ``limits`` allows; a size in ``cache`` is no power of two.
        """
        self.tokenizer = tokenizer
        self._cache_size = cache = cache or CacheSize()
        self._tables, self._words, self._arrays = _tables(tokenizer, cache)
        self._token_data, self._token_offsets = _flat(tokenizer.token_bytes)
        self._ids = tokenizer.ids
        self._local = threading.local()

    def encode(self, texts: pa.Array | pa.ChunkedArray, *, begin: bool = False, end: bool = False) -> Encoded:
        """Encodes a text column; special tokens written out in a text are ordinary text.

        Args:
            texts: ``string`` or ``large_string`` [documents]; nulls encode as empty.
            begin: put the ``begin`` token before each document.
            end: put the ``end`` token behind each document.

        Returns:
            ``tokens`` uint32 [tokens] and ``offsets`` int64 [documents + 1].

        Raises:
            ValueError: a text is not valid UTF-8.
        """
        data, offsets = valid_text_buffers(texts)
        documents = len(offsets) - 1
        out = np.empty(int(offsets[-1] - offsets[0]) + 2 * documents + 8, np.uint32)
        ends = np.zeros(documents + 1, np.int64)
        marks = [self.tokenizer.special(name) if on else -1 for name, on in (("begin", begin), ("end", end))]
        # With renumbered ids, ranks and marks must not mix: give the marks ranks behind the regular tokens.
        if self._ids is not None:
            regular = len(self._ids)
            ids = np.concatenate([self._ids, np.array([max(mark, 0) for mark in marks], np.uint32)])
            marks = [regular if begin else -1, regular + 1 if end else -1]
        scanner = self.tokenizer.pretokenizer.tables_for(data, offsets)
        cache = self.memory.addresses
        count = encode(data, data.ctypes.data, offsets, scanner, self._tables, cache, marks[0], marks[1], out, ends)
        if self._ids is not None:
            return Encoded(ids[out[:count]], ends)
        out.resize(count, refcheck=False)  # gives the room that was not needed back without a copy
        return Encoded(out, ends)

    def decode(self, tokens: np.ndarray) -> bytes:
        """The bytes of one sequence of ids; special tokens as their strings.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        tokens = np.ascontiguousarray(tokens, np.uint32)
        return self._bytes(tokens, np.array([0, len(tokens)], np.int64))[0].tobytes()

    def decode_batch(self, tokens: np.ndarray, offsets: np.ndarray) -> pa.LargeBinaryArray:
        """The bytes of many documents: ``tokens`` uint32 flat, ``offsets`` int64 [documents + 1].

        ``.view(pa.large_string())`` of the result is free where every document is whole text.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        data, ends = self._bytes(np.ascontiguousarray(tokens, np.uint32), np.ascontiguousarray(offsets, np.int64))
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.large_binary(), len(ends) - 1, buffers)

    def _bytes(self, tokens: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ends = np.empty(len(offsets), np.int64)
        data, size = decode(tokens, offsets, self._token_data, self._token_offsets, ends)
        if size < 0:
            position = -1 - int(size)
            raise ValueError(
                f"token {tokens[position]} at position {position} is outside the vocabulary of "
                f"{self.tokenizer.tokens}: these tokens come from another tokenizer"
            )
        return data[:size], ends

    @property
    def memory(self) -> Memory:
        """What the calling thread remembers."""
        memory = getattr(self._local, "memory", None)
        if memory is None:
            memory = self._local.memory = Memory(self._words, self._cache_size)
        return memory

    def __reduce__(self) -> tuple[type[Encoder], tuple[Tokenizer, CacheSize]]:
        """Pickles as its tokenizer: tables and caches are rebuilt where it arrives."""
        return Encoder, (self.tokenizer, self._cache_size)


def _flat(tokens: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum([len(token) for token in tokens], out=offsets[1:])
    return np.frombuffer(b"".join(tokens) + bytes(16), np.uint8), offsets


def _tables(tokenizer: Tokenizer, size: CacheSize) -> tuple[MergeTables, np.ndarray, list[np.ndarray]]:
    """The tables, the words that a thread starts with, and the arrays that the tables lie in."""
    data, offsets = _flat(tokenizer.merges.tokens())
    tokens = len(offsets) - 1
    check_size(tokens, int(offsets[-1]))
    edges, shorter, paths, start = build_trie(data, offsets)
    first, characters, shift = build_character_trie(data, data.ctypes.data, offsets, paths, start)
    pairs = np.ascontiguousarray(tokenizer.merges.pairs, np.int32)
    merges, merge_filter = merge_tables(pairs)
    rows = token_rows(np.diff(offsets), shorter, pairs)
    arrays = together([ID_OF_BYTE.astype(np.int32), first, characters, edges, rows, merges, merge_filter])
    at = [array.ctypes.data for array in arrays]
    tables = MergeTables(
        byte_rank=at[0],
        first=at[1],
        characters=at[2],
        characters_shift=int(shift),
        characters_mask=len(characters) - 1,
        edges=at[3],
        edges_mask=len(edges) - 1,
        start=int(start),
        rows=at[4],
        merges=at[5],
        merges_mask=len(merges) - 1,
        merge_filter=at[6],
        filter_mask=64 * len(merge_filter) - 1,
        tokens=tokens,
        proper=0,
    )
    memory = Memory(np.zeros(8 * size.word_sets, np.uint64), size)
    if tokens_are_proper(data.ctypes.data, offsets, tables, memory.addresses.state):
        tables = tables._replace(proper=1)
        remember_tokens(data.ctypes.data, data.ctypes.data + len(data), offsets, memory.addresses)
    return tables, memory.words, arrays
