"""Pre-tokenizers that are chains of splits over character classes, and the tables that run a whole chain in one pass.

The chain is that of DeepSeek LLM (arXiv 2401.02954, section 2.1: newlines, punctuation and CJK isolated, digits one by
one), each step applied inside the pieces of those before:

1. ``[\\r\\n]``   2. ``\\s?`` + letters   3. ``\\s?`` + punctuation   4. ``\\s+$``   5. a run of the isolated class
6. digits one by one   7. bytes

The same sets of code points make the tables the scanner reads and the `tokenizers` pre-tokenizer that Hugging Face
libraries load, so the two cannot drift apart.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenizer.class_kernels import (
    APART,
    CASED,
    ISOLATED,
    KINDS,
    LOOK_AHEAD,
    NEWLINE,
    NUMBER,
    PUNCTUATION,
    SPACE,
    TOGETHER,
)
from tokenizer.on_tables import OnTables
from tokenizer.scanner_kernels import BY_CLASSES, ScannerTables
from tokenizer.spelling import isolated_splits
from tokenizer.unicode_classes import POINTS, points, unicode_class


@dataclass(frozen=True, eq=False)
class ClassSplits(OnTables):
    """A named chain over three sets of code points, written as ``unicode_classes.points`` reads them.

    Attributes:
        name: of the preset.
        letters, punctuation, isolated: the classes of steps 2, 3 and 5.
        spelled: the same sets as classes of the regular expressions that ``to_tokenizers`` gives.
        trailing_space: whether step 4 is in the chain.
    """

    name: str
    letters: str
    punctuation: str
    isolated: str
    spelled: tuple[str, str, str]
    trailing_space: bool = True

    @functools.cached_property
    def tables(self) -> ScannerTables:
        """What the scanner reads."""
        letters, punctuation, isolated = points(self.letters), points(self.punctuation), points(self.isolated)
        return scanner_tables(letters, punctuation, isolated, self.trailing_space)

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 of what decides the pieces: equal fingerprints cut every text alike, whatever their names."""
        digest = hashlib.sha256(b"gristmill seven steps 1")
        if not self.trailing_space:
            digest.update(b" without step 4")
        digest.update(self.tables.classes[self.tables.kinds].tobytes())
        return digest.hexdigest()

    def to_tokenizers(self) -> dict[str, Any]:
        """The same pre-tokenizer as the ``pre_tokenizer`` object of a Hugging Face ``tokenizer.json``."""
        letters, punctuation, isolated = self.spelled
        trailing = [r"\s+$"] if self.trailing_space else []
        patterns = ["[\r\n]", rf"\s?{letters}+", rf"\s?{punctuation}+", *trailing, isolated + "+"]
        return isolated_splits(patterns, digits=True)

    def __reduce__(self) -> tuple[type[ClassSplits], tuple[Any, ...]]:
        """Pickles without the tables."""
        return ClassSplits, (
            self.name, self.letters, self.punctuation, self.isolated, self.spelled, self.trailing_space,
        )  # fmt: skip


def scanner_tables(
    letters: np.ndarray, punctuation: np.ndarray, isolated: np.ndarray, trailing_space: bool = True
) -> ScannerTables:
    """The tables of a chain; see ``ClassSplits``."""
    if not trailing_space and (punctuation & unicode_class("space")).any():
        raise ValueError("punctuation holds white space: the scanner runs such a chain only with step 4")
    bits = np.zeros(POINTS, np.uint8)
    numbers, spaces = unicode_class("numeric"), unicode_class("space")
    sets = {CASED: letters, PUNCTUATION: punctuation, ISOLATED: isolated, NUMBER: numbers, SPACE: spaces}
    for bit, members in sets.items():
        bits[members] |= bit
    bits[[ord("\r"), ord("\n")]] = NEWLINE
    used = [NEWLINE, *(value for value in np.unique(bits).tolist() if value != NEWLINE)]
    if len(used) > KINDS:
        raise ValueError(f"these sets overlap in {len(used)} ways: the scanner tells {KINDS} kinds of characters apart")
    kind_of_class = np.zeros(256, np.uint8)
    kind_of_class[used] = np.arange(len(used))
    classes = np.zeros(KINDS + 1, np.uint8)
    classes[: len(used)] = used
    classes[KINDS] = BY_CLASSES
    return ScannerTables(kind_of_class[bits], window_table(classes[:KINDS], trailing_space), classes)


def window_table(classes: np.ndarray, trailing_space: bool = True) -> np.ndarray:
    """uint8 [4096]: whether a piece starts at the middle one of three neighbours of given kinds."""
    table = np.full(4096, TOGETHER, np.uint8)
    for left, middle, right in itertools.product(range(KINDS), repeat=3):
        bits = [int(classes[kind]) for kind in (left, middle, right)]
        table[left << 8 | middle << 4 | right] = _verdict(bits[0], bits[1], bits[2], trailing_space)
    return table


def _verdict(left: int, middle: int, right: int, trailing_space: bool) -> int:
    if (
        (left | middle) & (NEWLINE | NUMBER)  # steps 1 and 6
        or (left & CASED and not middle & CASED)  # step 2
        or (not left & CASED and middle & CASED and not left & SPACE)
        or (left & PUNCTUATION and not middle & PUNCTUATION)  # step 3
        or (not left & PUNCTUATION and middle & PUNCTUATION and not left & SPACE)
        or (left ^ middle) & ISOLATED  # step 5
    ):
        return APART
    if not middle & SPACE:
        return TOGETHER
    if right & CASED:
        return APART  # white space goes with the word behind it
    if right & PUNCTUATION and not middle & PUNCTUATION:
        return LOOK_AHEAD if right & SPACE else APART
    if left & SPACE or not trailing_space:
        return TOGETHER
    if right & NEWLINE or (middle & PUNCTUATION and not right & PUNCTUATION):
        return APART  # step 4: the end of what steps 1-3 left together
    return LOOK_AHEAD if right & SPACE else TOGETHER


def by_code_points(name: str, letters: str, punctuation: str, isolated: str) -> ClassSplits:
    """A chain whose regular expressions spell the code points of its classes out."""
    as_regex = (_bracketed(letters), _bracketed(punctuation), _bracketed(isolated))
    return ClassSplits(name, letters, punctuation, isolated, as_regex)


def _bracketed(ranges: str) -> str:
    """Code points in the notation of ``points`` as a class of a regular expression."""
    bounds = (part.upper().split("-") for part in ranges.split())
    return "[" + "".join("-".join(f"\\x{{{point}}}" for point in bound) for bound in bounds) + "]"
