"""Words, their hashes and lines in plain Python: what the kernels must equal."""

from __future__ import annotations

from text.code_points import UNSEGMENTED, WORD, code_points
from text.word_kernels import WORD_FACTOR, WORD_SEED

MASK = 2**64 - 1


def mix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def words_of(text: str) -> list[str]:
    """Runs of letters, marks and numbers, folded; characters of scripts without spaces alone."""
    flags, fold = code_points()
    words, run = [], ""
    for character in text + " ":
        flag = flags[ord(character)]
        folded = chr(fold[ord(character)])
        if flag & WORD and not flag & UNSEGMENTED:
            run += folded
            continue
        if run:
            words.append(run)
            run = ""
        if flag & WORD:
            words.append(folded)
    return words


def word_hash(word: str) -> int:
    data = word.encode()
    value = int(WORD_SEED)
    for start in range(0, len(data), 8):
        value = (value ^ int.from_bytes(data[start : start + 8], "little")) * int(WORD_FACTOR) & MASK
    return mix(value)


def without(text: str, dropped: set[int]) -> str:
    """Blank lines behind a dropped line go with it; those before it too where nothing follows."""
    kept: list[str] = []
    skipping = False
    for number, line in enumerate(text.split("\n")):
        skipping = number in dropped or (skipping and not line.strip())
        if not skipping:
            kept.append(line)
    while skipping and kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)
