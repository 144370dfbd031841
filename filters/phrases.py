"""Many phrases found in one walk over the text: an Aho-Corasick automaton as flat tables for the kernels.

Source: Aho and Corasick, "Efficient string matching: an aid to bibliographic search" (1975).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CLASSES = np.uint64(64)  # columns of a state; more than the different bytes of all phrases
MATCH = np.uint64(1 << 31)  # added to a state in which a phrase ends


class PhraseTables(NamedTuple):
    """An automaton over bytes in which ASCII letters match in either case.

    A state is named by the place of its row in ``following``, a multiple of CLASSES, plus MATCH if a phrase ends in it.

    ``byte_class`` uint64 [256]: the column of a byte; 0 for bytes in no phrase.
    ``following`` uint32 [states * CLASSES]: the state after a byte of that class; state 0 is the start.
    ``matched`` uint16 [states, groups]: how many phrases of each group end in that state.
    """

    byte_class: np.ndarray
    following: np.ndarray
    matched: np.ndarray


def phrase_tables(groups: Sequence[Sequence[str]]) -> PhraseTables:
    """Builds the automaton of all phrases; a hit counts for the group (by position) its phrase is in."""
    phrases = [(phrase.lower().encode(), group) for group, members in enumerate(groups) for phrase in members]
    alphabet = sorted({byte for phrase, _ in phrases for byte in phrase})
    if len(alphabet) >= CLASSES:
        raise ValueError(f"the phrases use {len(alphabet)} different bytes; at most {int(CLASSES) - 1} fit")
    byte_class = np.zeros(256, np.uint64)
    for column, byte in enumerate(alphabet, start=1):
        byte_class[byte] = column
        if ord("a") <= byte <= ord("z"):
            byte_class[byte - 32] = column

    children: list[dict[int, int]] = [{}]
    matched: list[list[int]] = [[0] * len(groups)]
    for phrase, group in phrases:
        state = 0
        for byte in phrase:
            column = int(byte_class[byte])
            if column not in children[state]:
                children[state][column] = len(children)
                children.append({})
                matched.append([0] * len(groups))
            state = children[state][column]
        matched[state][group] += 1

    following = np.zeros((len(children), int(CLASSES)), np.uint32)
    fallback = [0] * len(children)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        for column in range(1, len(alphabet) + 1):
            beside = int(following[fallback[state], column]) if state else 0
            child = children[state].get(column)
            if child is None:
                following[state, column] = beside
                continue
            following[state, column] = child
            fallback[child] = beside
            matched[child] = [own + other for own, other in zip(matched[child], matched[beside], strict=True)]
            queue.append(child)
    counts = np.array(matched, np.uint16)
    names = np.arange(len(children), dtype=np.uint32) * np.uint32(CLASSES)
    names[counts.any(axis=1)] += np.uint32(MATCH)
    return PhraseTables(byte_class, names[following].reshape(-1), counts)
