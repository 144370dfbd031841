"""Properties of every Unicode code point as flat tables, frozen so that a Python upgrade never changes an output.

``code_points.npz`` was written by ``python -m text.code_points`` under a Python whose ``unicodedata.unidata_version``
is stored inside. Kernels take the tables as arguments: a table in a numba global would be copied into every kernel.
"""

from __future__ import annotations

import functools
import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

LETTER = np.uint16(1 << 0)  # categories L*
MARK = np.uint16(1 << 1)  # M*
NUMBER = np.uint16(1 << 2)  # N*
DIGIT = np.uint16(1 << 3)  # Nd
PUNCTUATION = np.uint16(1 << 4)  # P*
SYMBOL = np.uint16(1 << 5)  # S*
SPACE = np.uint16(1 << 6)  # str.isspace
UPPER = np.uint16(1 << 7)  # str.isupper
LOWER = np.uint16(1 << 8)  # str.islower
UNSEGMENTED = np.uint16(1 << 9)  # scripts written without spaces: each letter counts as a word of its own
HAN = np.uint16(1 << 10)
WORD = np.uint16(LETTER | MARK | NUMBER)

_TABLES = Path(__file__).with_name("code_points.npz")
# Han, kana, bopomofo, Yi, Thai, Lao, Myanmar, Khmer, Tai scripts. Hangul is written with spaces and stays segmented.
_UNSEGMENTED_NAMES = (
    "CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "BOPOMOFO",
    "YI SYLLABLE", "THAI", "LAO", "MYANMAR", "KHMER", "TAI LE", "NEW TAI LUE", "TAI THAM", "TAI VIET",
)  # fmt: skip
_HAN_NAMES = ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH")


class CodePoints(NamedTuple):
    """``flags`` uint16 [0x110000], this module's constants or-ed; ``fold`` uint32 [0x110000], the simple lower case."""

    flags: np.ndarray
    fold: np.ndarray


@functools.cache
def code_points() -> CodePoints:
    """The frozen tables, loaded once a process."""
    with np.load(_TABLES) as tables:
        return CodePoints(tables["flags"], np.arange(0x110000, dtype=np.uint32) + tables["fold_shift"])


def build() -> CodePoints:
    """Builds the tables from the running Python's ``unicodedata`` (a second or two)."""
    flags = np.zeros(0x110000, np.uint16)
    fold = np.arange(0x110000, dtype=np.uint32)
    by_major = {"L": LETTER, "M": MARK, "N": NUMBER, "P": PUNCTUATION, "S": SYMBOL}
    for point in range(0x110000):
        character = chr(point)
        category = unicodedata.category(character)
        flag = by_major.get(category[0], np.uint16(0))
        if category == "Nd":
            flag |= DIGIT
        if character.isspace():
            flag |= SPACE
        if character.isupper():
            flag |= UPPER
        if character.islower():
            flag |= LOWER
        if flag & WORD:
            name = unicodedata.name(character, "")
            if name.startswith(_UNSEGMENTED_NAMES):
                flag |= UNSEGMENTED
            if name.startswith(_HAN_NAMES):
                flag |= HAN
        flags[point] = flag
        lowered = character.lower()
        if len(lowered) == 1:
            fold[point] = ord(lowered)
    return CodePoints(flags, fold)


if __name__ == "__main__":
    tables = build()
    fold_shift = tables.fold - np.arange(0x110000, dtype=np.uint32)  # mostly zero, so it compresses to a few kilobytes
    np.savez_compressed(
        _TABLES, flags=tables.flags, fold_shift=fold_shift, unicode_version=np.array(unicodedata.unidata_version)
    )
    print(f"{_TABLES}: Unicode {unicodedata.unidata_version}, Python {sys.version.split()[0]}")
