"""The memory that one thread of an encoder keeps of the pieces it has seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from text.raw_memory import together
from tokenizer.word_cache_kernels import FIELDS, HEAD, WordCache, key_masks

_KEY_MASKS = key_masks()


class CacheSize(NamedTuple):
    """How much a thread remembers, 18 MB as it stands; powers of two. It decides the time only, never the tokens."""

    word_sets: int = 1 << 17  # 64 bytes each: the tokens themselves and the words a text keeps using
    slot_lines: int = 1 << 15  # 64 bytes each: where the longer pieces are
    ring_words: int = 1 << 20  # 8 bytes each: the longer pieces, the oldest overwritten


class Memory:
    """What one thread remembers. ``addresses`` is for the kernels and good as long as this object lives."""

    def __init__(self, words: np.ndarray, size: CacheSize) -> None:
        """Starts with short pieces only: ``words`` uint64 [8 * word_sets]."""
        for field, value in zip(size._fields, size):
            if value < 2 or value & (value - 1):
                raise ValueError(f"cache.{field} {value} is not a power of two above 1")
        self.words, self._slots = together([words, np.zeros(8 * size.slot_lines, np.uint64)])
        self._ring = np.empty(size.ring_words, np.uint64)  # the system gives it pages as it is used
        self._state = np.zeros(len(FIELDS), np.int64)
        self._state[HEAD] = 2 * size.ring_words  # so that an empty slot is older than the oldest record
        self.addresses = WordCache(
            words=self.words.ctypes.data,
            words_shift=_shift(size.word_sets),
            slots=self._slots.ctypes.data,
            slots_shift=_shift(size.slot_lines),
            ring=self._ring.ctypes.data,
            ring_words=size.ring_words,
            state=self._state.ctypes.data,
            key_masks=_KEY_MASKS.ctypes.data,
        )

    @property
    def bytes(self) -> int:
        """Its size; it never grows."""
        return self.words.nbytes + self._slots.nbytes + self._ring.nbytes + self._state.nbytes

    def work(self) -> dict[str, int]:
        """What has been done so far; see ``word_cache_kernels.FIELDS``."""
        return dict(zip(FIELDS, self._state.tolist()))


def _shift(places: int) -> int:
    """The shift that leaves of a 64-bit hash the number of one of ``places``, a power of two above 1."""
    return 65 - places.bit_length()
