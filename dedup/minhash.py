"""MinHash signatures: what is kept of each document so that copies are found without its text.

A signature holds the hash of the exact bytes, the hash of the folded words, and k MinHash values over the shingles.
Two documents of Jaccard similarity J agree in a MinHash value with probability J (Broder 1997).

The first values of a signature do not depend on how many there are: one of 128 values begins with that of 112 of the
same seed, so that any part of what is stored can be asked (``dedup.banding``) and compared.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dedup import minhash_kernels
from dedup.limits import MOST_VALUES, MOST_WORDS
from text.arrow_buffers import text_buffers
from text.hashing import hash_texts, keyed_hash
from text.words import word_table

_LANES = 32  # multipliers are padded to whole unrolled vectors: a scalar remainder would cost more than the padding
_URL_SEED = 0x6164647265737321


@dataclass(frozen=True)
class MinHashSettings:
    """What signatures depend on. They are comparable under equal ``ngram`` and ``seed``, in the values both have.

    Attributes:
        ngram: words in a shingle, 1 to 65,536.
        permutations: MinHash values in a signature, 1 to 65,536.
        seed: chooses the hash family, 0 to 2^63 - 1.

    Raises:
        ValueError: a value is impossible.
    """

    ngram: int = 5
    permutations: int = 112
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least, most in [("ngram", 1, MOST_WORDS), ("permutations", 1, MOST_VALUES), ("seed", 0, 2**63 - 1)]:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"{name} = {value!r}: give a whole number from {least} to {most}")


class Signatures(NamedTuple):
    """Signatures of n documents, row by row.

    Attributes:
        content: uint64 [n], hash of the exact UTF-8 bytes.
        normalised: uint64 [n], hash of the sequence of folded words.
        words: uint32 [n], number of words.
        text_bytes: uint64 [n], bytes of UTF-8.
        minima: uint32 [n, permutations], the MinHash values; all 2^32 - 1 for a document without words.
    """

    content: np.ndarray
    normalised: np.ndarray
    words: np.ndarray
    text_bytes: np.ndarray
    minima: np.ndarray


def signatures(texts: pa.Array | pa.ChunkedArray, settings: MinHashSettings) -> Signatures:
    """Signs documents in one pass over their bytes; one thread, no lock on the interpreter.

    A document with fewer than ``ngram`` words has one shingle of all its words.

    Args:
        texts: ``string`` or ``large_string`` [n], valid UTF-8; nulls read as empty.
        settings: see ``MinHashSettings``.
    """
    data, offsets = text_buffers(texts)
    multipliers = _multipliers(settings.permutations, settings.seed)
    content, normalised, words, minima = minhash_kernels.signatures(
        data, offsets, word_table(), settings.ngram, settings.permutations, np.uint64(settings.seed), multipliers
    )
    return Signatures(content, normalised, words, np.diff(offsets).astype(np.uint64), minima)


def url_hashes(urls: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Hashes addresses, byte for byte: ``string`` [n] to uint64 [n]; 0 for a null or empty one, and for no other."""
    data, offsets = text_buffers(urls)
    hashes = hash_texts(data, offsets, np.uint64(_URL_SEED))
    return np.where(np.diff(offsets) == 0, np.uint64(0), np.maximum(hashes, np.uint64(1)))


@functools.cache
def _multipliers(permutations: int, seed: int) -> np.ndarray:
    """uint32 multipliers of the permutations, padded; the first ones are the same however many there are.

    Random bits, but bit b of number i is that of i itself, flipped at random by the bits of i below it (the scrambling
    of Owen 1995): so any first 2^m of them are all different in their lowest m bits.
    """
    padded = -(-permutations // _LANES) * _LANES
    number = np.arange(padded, dtype=np.uint64)
    multipliers = np.zeros(padded, np.uint64)
    for bit in range(32):
        place = np.uint64(bit)
        below = number & np.uint64((1 << bit) - 1)
        flips = keyed_hash(below | np.uint64(bit + 1) << np.uint64(32), seed)
        multipliers |= ((number >> place ^ flips) & np.uint64(1)) << place
    result = multipliers.astype(np.uint32)
    result.flags.writeable = False
    return result
