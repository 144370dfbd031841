"""Text columns to token ids and back: exact, thread-safe, the GIL released."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tokenizer.counts import valid_text_buffers
from tokenizer.encoder_kernels import (
    LEFT,
    RIGHT,
    SHORTER,
    SIZE,
    SPINE,
    TOKEN_COLUMNS,
    Vocabulary,
    decode,
    encode,
    remember_tokens,
    tokens_are_proper,
)
from tokenizer.formats import Tokenizer
from tokenizer.merges import ID_OF_BYTE
from tokenizer.vocabulary_kernels import RANK_BITS, build_character_trie, build_trie, merge_tables

_CACHE_SETS = 1 << 16  # 4 MB a thread: room for the tokens themselves and for the words a text keeps using


class Encoded(NamedTuple):
    """Documents as ids: document ``i`` is ``tokens[offsets[i]:offsets[i + 1]]``."""

    tokens: np.ndarray  # uint32 [tokens]
    offsets: np.ndarray  # int64 [documents + 1]


class Encoder:
    """Encodes and decodes with one tokenizer; one instance serves many threads, each with its own word cache."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Builds the tables (about 0.1 s for 100,000 tokens).

        Raises:
            ValueError: more than 2**21 regular tokens or trie nodes.
        """
        self.tokenizer = tokenizer
        self._vocabulary, self._seed = _vocabulary(tokenizer)
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
        vocabulary = self._vocabulary
        if self.tokenizer.pretokenizer.tables is None:  # each text has its own
            tables = self.tokenizer.pretokenizer.tables_for(data, offsets)
            vocabulary = vocabulary._replace(**tables._asdict())
        out = np.empty(int(offsets[-1] - offsets[0]) + 2 * documents + 4, np.uint32)
        ends = np.zeros(documents + 1, np.int64)
        marks = [self.tokenizer.special(name) if on else -1 for name, on in (("begin", begin), ("end", end))]
        # With renumbered ids, ranks and marks must not mix: give the marks ranks behind the regular tokens.
        if self._ids is not None:
            regular = len(self._ids)
            ids = np.concatenate([self._ids, np.array([max(mark, 0) for mark in marks], np.uint32)])
            count = encode(
                data, offsets, vocabulary, self._cache(),
                regular if begin else -1, regular + 1 if end else -1, out, ends,
            )  # fmt: skip
            return Encoded(ids[out[:count]], ends)
        count = encode(data, offsets, vocabulary, self._cache(), marks[0], marks[1], out, ends)
        return Encoded(out[:count].copy(), ends)

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
        data = decode(tokens, offsets, self._token_data, self._token_offsets, ends)
        if ends[0] < 0:
            position = -1 - int(ends[0])
            raise ValueError(
                f"token {tokens[position]} at position {position} is outside the vocabulary of "
                f"{self.tokenizer.tokens}: these tokens come from another tokenizer"
            )
        return data, ends

    def _cache(self) -> np.ndarray:
        cache = getattr(self._local, "cache", None)
        if cache is None:
            cache = self._local.cache = _together([self._seed])[0]
        return cache

    def __getstate__(self) -> Tokenizer:
        """Pickles as its tokenizer: tables and caches are rebuilt where it arrives."""
        return self.tokenizer

    def __setstate__(self, tokenizer: Tokenizer) -> None:
        self.__init__(tokenizer)  # type: ignore[misc]


def _flat(tokens: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(tokens) + 1, np.int64)
    np.cumsum([len(token) for token in tokens], out=offsets[1:])
    return np.frombuffer(b"".join(tokens), np.uint8), offsets


def _together(arrays: list[np.ndarray]) -> list[np.ndarray]:
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


def _vocabulary(tokenizer: Tokenizer) -> tuple[Vocabulary, np.ndarray]:
    """The tables, and the word cache that a thread starts with."""
    data, offsets = _flat(tokenizer.merges.tokens())
    tokens = len(offsets) - 1
    if max(tokens, int(offsets[-1])) >= 1 << RANK_BITS:
        raise ValueError(
            f"vocabulary of {tokens} tokens with {offsets[-1]} bytes is too large: "
            f"the encoder holds below {1 << RANK_BITS} of either"
        )
    root = np.empty(65536, np.int32)
    edges, shorter, start = build_trie(data, offsets, root)
    character_root, character_edges = build_character_trie(data, offsets, edges, start, int(offsets[-1]) + 2)
    pairs = np.ascontiguousarray(tokenizer.merges.pairs, np.int32)
    merges, merge_filter = merge_tables(pairs)
    table = np.zeros((tokens, TOKEN_COLUMNS), np.int32)
    table[:, SIZE] = np.diff(offsets)
    table[:, SHORTER] = shorter
    halves = np.concatenate([np.repeat(np.arange(256, dtype=np.int32)[:, None], 2, axis=1), pairs])
    for step in range(SPINE):
        table[:, LEFT + step] = halves[table[:, LEFT + step - 1], 0] if step else halves[:, 0]
        table[:, RIGHT + step] = halves[table[:, RIGHT + step - 1], 1] if step else halves[:, 1]
    scanner = tokenizer.pretokenizer.tables_for(np.empty(0, np.uint8), np.zeros(1, np.int64))
    arrays = [
        *scanner, ID_OF_BYTE, root, edges, character_root, character_edges, table, merges,
        merge_filter,
    ]  # fmt: skip
    vocabulary = Vocabulary(*_together(arrays), True)  # type: ignore[arg-type, call-arg]
    proper = bool(tokens_are_proper(data, offsets, vocabulary))
    cache = np.zeros(8 * _CACHE_SETS, np.uint64)
    if proper:
        remember_tokens(data, offsets, cache)
    return vocabulary._replace(proper=proper), cache
