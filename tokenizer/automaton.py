"""Turns the regular expressions of a pre-tokenizer into the tables that ``pattern_kernels`` walks.

An expression becomes a list of instructions (Thompson, "Regular expression search algorithm", 1968); the ordered set of
instructions that may come next is a state of an automaton, and an instruction that matches drops all behind it, which
keeps the first alternative ahead of later ones as a backtracking engine does. A piece ends at the last match before the
automaton dies.

Several expressions in a chain, each applied inside the pieces of those before, run side by side: a piece ends where any
of them ends one, and those behind it start again. All but the last must decide without looking ahead, as runs of a
class do (``[class]+``, ``\\p{N}{1,3}``); text between their matches is one piece.

The scan never goes back. Whether a piece starts at a character depends on the state before it, on it and, where the
piece could also go on, on whether a longer match is coming: mostly the next character tells. Where it does not, the
kernel walks on to see; an expression that makes it walk far from every character (``a|a*b``) costs as much as in an
engine that goes back, which none of the presets does.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.class_kernels import APART, KINDS, LOOK_AHEAD, TOGETHER
from tokenizer.pattern_syntax import (
    FirstOf,
    InOrder,
    Node,
    NotBefore,
    OneOf,
    UnsupportedPattern,
    can_be_empty,
    parse,
    sets_of,
)
from tokenizer.scanner_kernels import BY_PATTERN, ScannerTables
from tokenizer.unicode_classes import POINTS

END = 0  # the kind of what lies behind a piece
STATES = 64  # six bits of the tables' entries

# Instructions: the kinds they take as bits, and the instructions behind. MATCH has none.
_TAKE, _NOT_BEFORE, _SPLIT, _MATCH = range(4)
State = tuple[int, ...]  # instructions, the preferred ones first


def compile_patterns(patterns: Sequence[str]) -> ScannerTables:
    """The tables of a chain of regular expressions, each cutting the pieces of those before ("isolated" splits).

    Raises:
        UnsupportedPattern: an expression or the chain does not fit these tables; says which and why.
    """
    trees = [parse(pattern) for pattern in patterns]
    for pattern, tree in zip(patterns, trees):
        if can_be_empty(tree):
            raise UnsupportedPattern(f"{pattern!r} also matches the empty text")
    kinds, kind_sets = _kinds([members for tree in trees for members in sets_of(tree)])
    steps = [_Automaton(tree, kind_sets, int(kinds.max())) for tree in trees]
    for pattern, step in zip(patterns[:-1], steps):
        if not step.add_text_between():
            raise UnsupportedPattern(f"{pattern!r} looks ahead, which only the last expression of a chain may")
    if not steps[-1].covers_every_text():
        raise UnsupportedPattern(f"{patterns[-1]!r} does not match every text")
    return _Chain(steps, int(kinds.max())).tables(kinds)


def _kinds(sets: list[np.ndarray]) -> tuple[np.ndarray, dict[int, int]]:
    """The kind of each code point, uint8 [0x110000], from 1 on, and the kinds in each set (by its id) as bits."""
    changes = np.zeros(POINTS, bool)
    for members in sets:
        changes[1:] |= members[1:] != members[:-1]
    starts = np.concatenate([[0], np.flatnonzero(changes)])  # of runs of code points that are in the same sets
    memberships = np.stack([members[starts] for members in sets], axis=1)
    _, first, inverse = np.unique(memberships, axis=0, return_index=True, return_inverse=True)
    if len(first) >= KINDS:
        raise UnsupportedPattern(f"its classes tell {len(first)} kinds of characters apart, of at most {KINDS - 1}")
    # Numbering in order of first occurrence keeps the tables the same however the sets were spelled.
    kinds_of_runs = (np.argsort(np.argsort(first)) + 1).astype(np.uint8)[inverse.reshape(-1)]
    kinds = np.repeat(kinds_of_runs, np.diff(np.append(starts, POINTS)))
    bits = {id(members): _bits(kinds_of_runs[members[starts]]) for members in sets}
    return kinds, bits


def _bits(kinds: np.ndarray) -> int:
    return sum(1 << kind for kind in set(kinds.tolist()))


class _Automaton:
    """One expression; states are made as they are asked for."""

    def __init__(self, tree: Node, kind_sets: dict[int, int], kinds: int) -> None:
        self.program: list[tuple[int, int, tuple[int, ...]]] = [(_MATCH, 0, ())]
        self.kind_sets = kind_sets
        self.kinds = kinds
        self.initial = self.opened([self.assemble(tree, 0)])
        self.after = functools.cache(self._after)

    def add(self, operation: int, bits: int, behind: tuple[int, ...]) -> int:
        self.program.append((operation, bits, behind))
        return len(self.program) - 1

    def assemble(self, node: Node, behind: int) -> int:
        """Instructions for ``node`` and then ``behind``; returns where they start."""
        if isinstance(node, OneOf):
            return self.add(_TAKE, self.kind_sets[id(node.members)], (behind,))
        if isinstance(node, NotBefore):
            return self.add(_NOT_BEFORE, self.kind_sets[id(node.members)], (behind,))
        if isinstance(node, InOrder):
            return functools.reduce(lambda start, part: self.assemble(part, start), reversed(node.parts), behind)
        if isinstance(node, FirstOf):
            return self.add(_SPLIT, 0, tuple(self.assemble(part, behind) for part in node.parts))
        if can_be_empty(node.part):
            raise UnsupportedPattern("something that may be empty is repeated")
        start = behind
        if node.high is None:
            loop = self.add(_SPLIT, 0, ())
            self.program[loop] = (_SPLIT, 0, (self.assemble(node.part, loop), behind))
            start = loop
        else:
            for _ in range(node.high - node.low):
                start = self.add(_SPLIT, 0, (self.assemble(node.part, start), behind))
        for _ in range(node.low):
            start = self.assemble(node.part, start)
        return start

    def opened(self, starts: Sequence[int]) -> State:
        """The instructions to try next, in order; what lies behind an unconditional match never is."""
        found: dict[int, None] = {}
        waiting = list(reversed(starts))
        while waiting:
            at = waiting.pop()
            operation, _, behind = self.program[at]
            if operation == _SPLIT:
                waiting += reversed(behind)
                continue
            found.setdefault(at)
            if operation == _MATCH:
                break
        return tuple(found)

    def _after(self, state: State, kind: int) -> tuple[bool, State]:
        """Whether a match ends before a character of that kind, and the state behind it (empty: none goes on)."""
        taken: list[int] = []
        waiting = list(reversed(state))
        matched = False
        while waiting and not matched:
            at = waiting.pop()
            operation, bits, behind = self.program[at]
            if operation == _MATCH:
                matched = True
            elif operation == _TAKE:
                if bits >> kind & 1:
                    taken.append(behind[0])
            elif not bits >> kind & 1:  # the end is of no set
                waiting += reversed(self.opened(behind))
        return matched, self.opened(taken)

    def every_kind(self) -> range:
        return range(END, self.kinds + 1)

    def add_text_between(self) -> bool:
        """Makes the text that nothing matches a piece too; False where that would need looking ahead."""
        first = sum(1 << kind for kind in range(1, self.kinds + 1) if self.after(self.initial, kind)[1])
        other = ~first & ((1 << self.kinds + 1) - 2)
        loop = self.add(_SPLIT, 0, ())
        self.program[loop] = (_SPLIT, 0, (self.add(_TAKE, other, (loop,)), 0))
        between = self.add(_TAKE, other, (loop,))
        self.initial = (*self.initial, between)
        seen, waiting = set(), [self.after(self.initial, kind)[1] for kind in self.every_kind()]
        while waiting:
            state = waiting.pop()
            if state and state not in seen:
                seen.add(state)
                found = [self.after(state, kind) for kind in self.every_kind()]
                if not all(matched for matched, _ in found):
                    return False
                waiting += [following for _, following in found]
        return True

    def covers_every_text(self) -> bool:
        """Whether some match starts at every character of every text."""
        seen, waiting = set(), [self.after(self.initial, kind)[1] for kind in range(1, self.kinds + 1)]
        while waiting:
            state = waiting.pop()
            if not state:
                return False
            if state not in seen:
                seen.add(state)
                unmatched = [self.after(state, kind) for kind in self.every_kind()]
                waiting += [following for matched, following in unmatched if not matched]
        return True


@dataclass
class _Chain:
    """Automata side by side; a state of the chain is a state of each, () before the text."""

    steps: list[_Automaton]
    kinds: int

    def after(self, state: tuple[State, ...], kind: int) -> tuple[bool, tuple[State, ...], tuple[State, ...]]:
        """Whether a piece may end before a character of ``kind``; the state if it goes on (or ()); the state if not."""
        if not state:
            return True, (), tuple(step.after(step.initial, kind)[1] for step in self.steps)
        behind = [step.after(now, kind)[1] for step, now in zip(self.steps, state)]
        anew = [step.after(step.initial, kind)[1] for step in self.steps]
        ending = next((i for i, following in enumerate(behind[:-1]) if not following), None)
        matched = self.steps[-1].after(state[-1], kind if ending is None else END)[0]
        if ending is not None:
            return matched, (), (*behind[:ending], *anew[ending:])
        return matched, tuple(behind) if behind[-1] else (), (*behind[:-1], anew[-1])

    def verdict(self, state: tuple[State, ...], middle: int, right: int) -> tuple[int, tuple[State, ...]]:
        """Whether a piece starts at a character of kind ``middle`` before one of kind ``right``, and the state then."""
        may_end, going_on, anew = self.after(state, middle)
        if not going_on:
            return APART, anew
        if not may_end:
            return TOGETHER, going_on
        may_end_later, further, _ = self.after(going_on, right)
        if may_end_later:
            return TOGETHER, going_on
        if not further:
            return APART, anew
        if all(self.after(further, kind)[0] for kind in range(END, self.kinds + 1)):
            return TOGETHER, going_on
        return LOOK_AHEAD, ()

    def tables(self, kinds: np.ndarray) -> ScannerTables:
        """All that is reachable, numbered in the order of reaching it."""
        number: dict[tuple[State, ...], int] = {(): 0}
        order: list[tuple[State, ...]] = [()]
        verdicts: list[np.ndarray] = []
        steps: list[np.ndarray] = []
        restarts: list[np.ndarray] = []

        def numbered(state: tuple[State, ...]) -> int:
            if state not in number:
                if len(order) == STATES:
                    raise UnsupportedPattern(f"it needs more than {STATES} states")
                number[state] = len(order)
                order.append(state)
            return number[state]

        while len(verdicts) < len(order):
            state = order[len(verdicts)]
            verdict = np.full((KINDS, KINDS), APART, np.uint8)
            step, restart = np.zeros(KINDS, np.uint8), np.zeros(KINDS, np.uint8)
            for middle in range(END, self.kinds + 1):
                may_end, going_on, anew = self.after(state, middle)
                step[middle] = may_end | (numbered(going_on) << 1 if going_on else 0)
                if middle == END:
                    continue
                restart[middle] = numbered(anew) if may_end else 0
                for right in range(END, self.kinds + 1):
                    value, following = self.verdict(state, middle, right)
                    reached = may_end or value == TOGETHER  # never by a scan otherwise: the end was seen coming
                    verdict[middle, right] = value << 6 | (numbered(following) if following and reached else 0)
            verdicts.append(verdict)
            steps.append(step)
            restarts.append(restart)
        classes = np.zeros(KINDS + 1, np.uint8)
        classes[KINDS] = BY_PATTERN
        # An entry is part of the index of the next as it is, so the verdict in it must not matter there.
        entries = np.zeros((KINDS * KINDS, 4, STATES), np.uint8)
        entries[:, :, : len(order)] = np.stack(verdicts, axis=-1).reshape(KINDS * KINDS, 1, len(order))
        return ScannerTables(kinds, entries.reshape(-1), np.concatenate([classes, *steps, *restarts]))
