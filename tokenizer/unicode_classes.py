"""The character classes that regular expressions name, frozen: neither Python's nor an engine's version moves a cut.

``unicode_classes.npz`` was written by ``python -m tokenizer.unicode_classes``, which asks `tokenizers` (0.23.3) about
every code point: ``\\p{..}`` and ``\\s`` as its regex engine (Oniguruma, Unicode 16.0) has them, ``numeric`` as its
Digits step does (Rust's ``char::is_numeric``: categories Nd, Nl and No of Unicode 17.0). The tests ask again, so a
version of `tokenizers` that cuts another way is noticed.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

POINTS = 0x110000
SURROGATES = slice(0xD800, 0xE000)  # in no text, so in no class
_FILE = Path(__file__).with_name("unicode_classes.npz")

# Class by name, in the order of the file's bits, and how `tokenizers` is asked for it.
REGEX_CLASSES = {"L": r"\p{L}", "M": r"\p{M}", "N": r"\p{N}", "P": r"\p{P}", "S": r"\p{S}", "space": r"\s"}
NAMES = (*REGEX_CLASSES, "numeric")


@functools.cache
def unicode_class(name: str) -> np.ndarray:
    """The members of a class of ``NAMES``: bool [0x110000], read-only.

    Raises:
        ValueError: there is no class of that name.
    """
    if name not in NAMES:
        raise ValueError(f"character class {name!r} is unknown: this reader knows {', '.join(NAMES)}")
    members = (_bits() >> NAMES.index(name) & 1).astype(bool)
    members.flags.writeable = False
    return members


@functools.cache
def _bits() -> np.ndarray:
    with np.load(_FILE) as file:
        return file["bits"]


def points(ranges: str) -> np.ndarray:
    """Reads ``"41-5A B5"`` (hexadecimal) as a set of code points: bool [0x110000]."""
    members = np.zeros(POINTS, bool)
    for part in ranges.split():
        low, _, high = part.partition("-")
        members[int(low, 16) : int(high or low, 16) + 1] = True
    return members


def spelled(members: np.ndarray) -> str:
    """A set of code points as ``points`` reads it."""
    return " ".join(f"{low:X}-{high:X}" if high > low else f"{low:X}" for low, high in _runs(members))


def _runs(members: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], members.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), (edges[1::2] - 1).tolist())


def ask_tokenizers() -> np.ndarray:
    """The bits of every code point, uint8 [0x110000], as the installed `tokenizers` has them (some ten seconds)."""
    from tokenizers import Regex, pre_tokenizers

    characters = [chr(point) for point in range(POINTS) if not SURROGATES.start <= point < SURROGATES.stop]
    bits = np.zeros(POINTS, np.uint8)
    steps = [pre_tokenizers.Split(Regex(regex), "removed") for regex in REGEX_CLASSES.values()]
    for i, step in enumerate(steps):
        left = {character for piece, _ in step.pre_tokenize_str("".join(characters)) for character in piece}
        bits[[ord(character) for character in characters if character not in left]] |= 1 << i
    runs = pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str("".join(characters))
    digits = "".join(piece for piece, _ in runs[1::2])  # every second run, as U+0000 is no digit
    bits[[ord(character) for character in digits]] |= 1 << len(steps)
    return bits


if __name__ == "__main__":
    import tokenizers

    np.savez_compressed(_FILE, bits=ask_tokenizers(), tokenizers_version=np.array(tokenizers.__version__))
    print(f"{_FILE}: from tokenizers {tokenizers.__version__}")
