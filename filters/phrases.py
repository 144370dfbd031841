"""Many phrases found in one walk over the text: an Aho-Corasick automaton as flat tables for the kernels.

Source: Aho and Corasick, "Efficient string matching: an aid to bibliographic search" (1975).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class PhraseTables(NamedTuple):
    """An automaton over bytes in which ASCII letters match in either case.

    ``byte_class`` uint8 [256]: the column of a byte; 0 for bytes in no phrase.
    ``following`` uint16 [states, classes]: the state after a byte of that class; state 0 is the start.
    ``matched`` uint16 [states, groups]: how many phrases of each group end in that state.
    ``matching`` bool [states]: whether any phrase ends there.
    """

    byte_class: np.ndarray
    following: np.ndarray
    matched: np.ndarray
    matching: np.ndarray


def phrase_tables(groups: Sequence[Sequence[str]]) -> PhraseTables:
    """Builds the automaton of all phrases; a hit counts for the group (by position) its phrase is in."""
    phrases = [(phrase.lower().encode(), group) for group, members in enumerate(groups) for phrase in members]
    alphabet = sorted({byte for phrase, _ in phrases for byte in phrase})
    byte_class = np.zeros(256, np.uint8)
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

    following = np.zeros((len(children), len(alphabet) + 1), np.uint16)
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
    return PhraseTables(byte_class, following, counts, np.asarray(counts.any(axis=1)))
