"""Text on which tokenizers have been slow: pieces as long as the text, and bytes without sense."""

from __future__ import annotations

import numpy as np

# A unit that is repeated, or one of the descriptions below.
HARD_TEXTS = [
    "ا",
    "a",
    "🙂",
    "中",
    " ",
    "7",
    "ab",
    "كتاب",
    "\u3000 ",
    "\u0301",
    "=-",
    "की",
    "กา",
    "random bytes as text",
    "mixed CJK",
    "letters of ab",
]


def hard_text(kind: str, size: int) -> str:
    """Text of one of ``HARD_TEXTS``, of ``size`` bytes or just below; the same each time."""
    random = np.random.default_rng(7)
    if kind == "random bytes as text":  # as Latin-1, half of which has two bytes
        return random.integers(0, 256, size // 3 * 2, np.uint8).tobytes().decode("latin-1")
    if kind == "mixed CJK":
        return "".join(map(chr, random.integers(0x4E00, 0x9FA5, size // 3).tolist()))
    if kind == "letters of ab":
        return "".join(np.array(["a", "b"])[random.integers(0, 2, size)].tolist())
    return kind * (size // len(kind.encode()))
