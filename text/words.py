"""What counts as a word where texts are compared: in deduplication and in decontamination.

A word is a maximal run of letters, marks and numbers, case-folded; a character of a script that is written without
spaces (Han, kana, Thai, ...) is a word by itself. Everything else separates words and is ignored.
"""

from __future__ import annotations

import functools

import numpy as np

from text import word_kernels
from text.code_points import UNSEGMENTED, WORD, code_points


@functools.cache
def word_table() -> np.ndarray:
    """What the kernels read per code point.

    Returns:
        uint32 [0x110000]: the folded code point, or-ed with ``IN_WORD`` or ``ALONE``; 0 for a separator.
    """
    flags, fold = code_points()
    alone = (flags & WORD != 0) & (flags & UNSEGMENTED != 0)
    in_word = (flags & WORD != 0) & ~alone
    table = np.zeros(len(flags), np.uint32)
    table[in_word] = fold[in_word] | word_kernels.IN_WORD
    table[alone] = fold[alone] | word_kernels.ALONE
    table.flags.writeable = False
    return table
