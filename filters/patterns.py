"""Regular expressions over ASCII as one automaton: the numbers of many countries are looked for in one walk.

What is read: literals, escapes, ``\\d``, classes such as ``[A-Z0-9]``, groups, alternatives, ``?``, ``{n}`` and
``{m,n}``. Nothing repeats without a limit, so a walk ends after a bounded number of characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_PATTERNS = 64  # one bit each
_DIGITS = frozenset(range(ord("0"), ord("9") + 1))
_MATCH = frozenset({-1})  # taken by no character


class Automaton(NamedTuple):
    """A deterministic automaton.

    Attributes:
        classes: uint8 [128], the class of each ASCII character; 0 for those of no pattern.
        steps: int16 [states, classes]: the state behind a character; 0 is the end of all hope, 1 the beginning.
        accepts: uint64 [states]: bit p is set where pattern p matches what was read.
    """

    classes: np.ndarray
    steps: np.ndarray
    accepts: np.ndarray


def compile_patterns(patterns: Sequence[str]) -> Automaton:
    """Makes one automaton of patterns, by subsets of Thompson's.

    Raises:
        ValueError: more patterns than there are bits, or one that uses what is not read.
    """
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"{len(patterns)} patterns; at most {MOST_PATTERNS} fit one automaton")
    program = _Program()
    matches = [program.add(_MATCH, ()) for _ in patterns]
    start = [program.assemble(_parse(pattern), end) for pattern, end in zip(patterns, matches)]
    taken = sorted({point for accepted, _ in program.code for point in accepted if point >= 0})
    memberships: dict[tuple[bool, ...], int] = {}
    classes = np.zeros(128, np.uint8)
    for point in taken:
        key = tuple(point in accepted for accepted, _ in program.code)
        classes[point] = memberships.setdefault(key, len(memberships) + 1)
    one_of_each = {int(classes[point]): point for point in taken}
    first = program.opened(start)
    numbers: dict[frozenset[int], int] = {frozenset(): 0, first: 1}
    order = [frozenset[int](), first]
    steps: list[list[int]] = []
    while len(steps) < len(order):
        row = [0] * (len(memberships) + 1)
        for kind, point in one_of_each.items():
            moved = [code for at in order[len(steps)] if point in program.code[at][0] for code in program.code[at][1]]
            following = program.opened(moved)
            if following not in numbers:
                numbers[following] = len(order)
                order.append(following)
            row[kind] = numbers[following]
        steps.append(row)
    accepts = [sum(1 << number for number, end in enumerate(matches) if end in state) for state in order]
    return Automaton(classes, np.array(steps, np.int16), np.array(accepts, np.uint64))


_Node = tuple[str, list["_Node"], frozenset[int], int, int]  # kind, parts, characters, least and most repetitions


class _Program:
    """Instructions: the characters each takes and those behind; no characters, and it passes on without taking one."""

    def __init__(self) -> None:
        self.code: list[tuple[frozenset[int], tuple[int, ...]]] = []

    def add(self, characters: frozenset[int], behind: tuple[int, ...]) -> int:
        self.code.append((characters, behind))
        return len(self.code) - 1

    def assemble(self, node: _Node, behind: int) -> int:
        kind, parts, characters, least, most = node
        if kind == "one":
            return self.add(characters, (behind,))
        if kind == "either":
            return self.add(frozenset(), tuple(self.assemble(part, behind) for part in parts))
        if kind == "repeat":
            for _ in range(most - least):
                behind = self.add(frozenset(), (self.assemble(parts[0], behind), behind))
            parts = parts * least
        for part in reversed(parts):
            behind = self.assemble(part, behind)
        return behind

    def opened(self, starts: Sequence[int]) -> frozenset[int]:
        """The instructions that take a character, or match, reached from some without taking one."""
        found, waiting = set(), list(starts)
        seen: set[int] = set()
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            characters, behind = self.code[at]
            if characters:
                found.add(at)
            else:
                waiting += behind
        return frozenset(found)


def _parse(pattern: str) -> _Node:
    node, position = _alternatives(pattern, 0)
    if position < len(pattern):
        raise ValueError(f"pattern {pattern!r}: an unopened group at {position}")
    return node


def _alternatives(pattern: str, position: int) -> tuple[_Node, int]:
    options: list[_Node] = []
    parts: list[_Node] = []
    while position < len(pattern) and pattern[position] != ")":
        if pattern[position] == "|":
            options.append(("row", parts, frozenset(), 1, 1))
            parts = []
            position += 1
            continue
        node, position = _atom(pattern, position)
        node, position = _repeated(node, pattern, position)
        parts.append(node)
    options.append(("row", parts, frozenset(), 1, 1))
    return (options[0] if len(options) == 1 else ("either", options, frozenset(), 1, 1)), position


def _repeated(node: _Node, pattern: str, position: int) -> tuple[_Node, int]:
    if pattern[position : position + 1] == "?":
        return ("repeat", [node], frozenset(), 0, 1), position + 1
    if pattern[position : position + 1] == "{":
        bounds, _, _ = pattern[position + 1 :].partition("}")
        least, _, most = bounds.partition(",")
        return ("repeat", [node], frozenset(), int(least), int(most or least)), position + len(bounds) + 2
    return node, position


def _atom(pattern: str, position: int) -> tuple[_Node, int]:
    character = pattern[position]
    if character == "(":
        node, position = _alternatives(pattern, position + 1)
        if pattern[position : position + 1] != ")":
            raise ValueError(f"pattern {pattern!r}: an unclosed group")
        return node, position + 1
    if character == "[":
        end = pattern.index("]", position)
        return ("one", [], _class(pattern[position + 1 : end]), 1, 1), end + 1
    if character == "\\":
        points = _DIGITS if pattern[position + 1] == "d" else frozenset({ord(pattern[position + 1])})
        return ("one", [], points, 1, 1), position + 2
    if character in "*+.^$?{" or not character.isascii():
        raise ValueError(f"pattern {pattern!r}: {character!r} at {position} is not read")
    return ("one", [], frozenset({ord(character)}), 1, 1), position + 1


def _class(inside: str) -> frozenset[int]:
    """The characters between brackets; a hyphen stands first or last where it is meant itself."""
    points: set[int] = set()
    inside = inside.replace("\\d", "0-9")
    position = 0
    while position < len(inside):
        if inside[position + 1 : position + 2] == "-" and position + 2 < len(inside):
            points |= set(range(ord(inside[position]), ord(inside[position + 2]) + 1))
            position += 3
        else:
            points.add(ord(inside[position]))
            position += 1
    return frozenset(points)
