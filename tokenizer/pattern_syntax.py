"""Reads the regular expressions of pre-tokenizers: those in use need little of the language.

What is read: literals and escapes, classes (``[^\\r\\n\\p{L}]``, ranges, ``\\p{..}``, ``\\s``, ``\\S``), groups,
``(?i:..)`` around literals, alternatives, greedy ``? * + {m,n}``, and ``(?!X)`` with a single class X. Everything else
is refused by name, so that nothing is ever read in another sense than the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.unicode_classes import POINTS, points, unicode_class

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}
_META = frozenset("\\^$.|?*+()[]{}")
# Characters besides its two cases that match an ASCII letter under (?i:..), and pairs that also match one ligature.
_FOLDED_TOO = {"s": "\u017f", "k": "\u212a"}
_LIGATURES = ("ss", "st", "ff", "fi", "fl")
_REPEAT_LIMIT = 32


class UnsupportedPattern(ValueError):
    """The regular expression is valid, or may be, but is not one that this reader turns into tables."""


@dataclass(frozen=True, eq=False)
class OneOf:
    """One character of a set: bool [0x110000]."""

    members: np.ndarray


@dataclass(frozen=True, eq=False)
class NotBefore:
    """Nothing, where the next character is not of a set or there is none: ``(?!X)``."""

    members: np.ndarray


@dataclass(frozen=True)
class InOrder:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class FirstOf:
    """The first alternative that matches."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """As often as possible, ``low`` to ``high`` times (None: without limit)."""

    part: Node
    low: int
    high: int | None


Node = OneOf | NotBefore | InOrder | FirstOf | Repeat


def parse(pattern: str) -> Node:
    """The syntax tree of a regular expression.

    Raises:
        UnsupportedPattern: it uses what this reader does not; names the place.
    """
    reader = _Reader(pattern)
    node = reader.alternatives(ignore_case=False)
    if reader.position < len(pattern):
        raise reader.refusal("an unopened group")
    return node


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0

    def refusal(self, what: str) -> UnsupportedPattern:
        return UnsupportedPattern(f"{what} at character {self.position} of {self.pattern!r}")

    def peek(self, ahead: int = 1) -> str:
        return self.pattern[self.position : self.position + ahead]

    def take(self, expected: str) -> bool:
        if self.pattern.startswith(expected, self.position):
            self.position += len(expected)
            return True
        return False

    def next(self) -> str:
        character = self.peek()
        if not character:
            raise self.refusal("an early end")
        self.position += 1
        return character

    def alternatives(self, ignore_case: bool) -> Node:
        parts = [self.sequence(ignore_case)]
        while self.take("|"):
            parts.append(self.sequence(ignore_case))
        return parts[0] if len(parts) == 1 else FirstOf(tuple(parts))

    def sequence(self, ignore_case: bool) -> Node:
        if ignore_case:
            return self.folded_literals()
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else InOrder(tuple(parts))

    def folded_literals(self) -> Node:
        """A run of literals whose case is ignored."""
        parts: list[Node] = []
        text = ""
        while self.peek() not in ("", "|", ")"):
            character = self.next()
            bracketed = character == "["
            letters = "".join(iter(self.next, "]")) if bracketed else character
            if not letters or any(letter in _META or not " " <= letter <= "~" for letter in letters) or "-" in letters:
                raise self.refusal(f"{character!r} inside (?i:..)")
            spellings = {spelling for letter in letters for spelling in (letter.lower(), letter.upper())}
            spellings |= {_FOLDED_TOO[letter] for letter in letters.lower() if letter in _FOLDED_TOO}
            parts.append(OneOf(_set_of(spellings)))
            text += "\0" if bracketed else character.lower()
            if any(pair in text for pair in _LIGATURES) or ("\0" in text and len(text.replace("'", "")) > 1):
                raise self.refusal("letters that also match a ligature inside (?i:..)")
        return InOrder(tuple(parts))

    def repeated(self, node: Node) -> Node:
        low = 1
        high: int | None = None
        if self.take("?"):
            low, high = 0, 1
        elif self.take("*"):
            low = 0
        elif self.take("{"):
            bounds, closed, _ = self.pattern[self.position :].partition("}")
            first, comma, last = bounds.partition(",")
            if not closed or not first.isascii() or not first.isdigit() or not (last.isdigit() or not last):
                raise self.refusal(f"'{{{bounds}'")
            self.position += len(bounds) + 1
            low = int(first)
            high = int(last) if last else None if comma else low
            if max(low, high or 0) > _REPEAT_LIMIT or (high is not None and high < low) or high == 0:
                raise self.refusal(f"{{{bounds}}}")
        elif not self.take("+"):
            return node
        if self.peek() in ("?", "*", "+", "{"):
            raise self.refusal("a lazy, possessive or double quantifier")
        if isinstance(node, NotBefore):
            raise self.refusal("a repeated look-ahead")
        return Repeat(node, low, high)

    def atom(self) -> Node:
        if self.take("(?:"):
            return self.group(ignore_case=False)
        if self.take("(?i:"):
            return self.group(ignore_case=True)
        if self.take("(?!"):
            node = self.atom()
            if not isinstance(node, OneOf) or not self.take(")"):
                raise self.refusal("a look-ahead at more than one class")
            return NotBefore(node.members)
        if self.peek(2) == "(?":
            raise self.refusal(self.peek(4))
        if self.take("("):
            return self.group(ignore_case=False)
        if self.take("["):
            return OneOf(self.bracket())
        if self.take("\\"):
            return OneOf(self.escape())
        character = self.next()
        if character in _META:
            raise self.refusal(repr(character))
        return OneOf(_set_of({character}))

    def group(self, ignore_case: bool) -> Node:
        node = self.alternatives(ignore_case)
        if not self.take(")"):
            raise self.refusal("an unclosed group")
        return node

    def escape(self) -> np.ndarray:
        """The set behind a backslash; one character makes a set of one."""
        character = self.next()
        if character in _ESCAPES:
            return _set_of({_ESCAPES[character]})
        if character in "sS":
            space = unicode_class("space")
            return space if character == "s" else ~space
        if character in "xpP" and self.take("{"):
            name, closed, _ = self.pattern[self.position :].partition("}")
            self.position += len(name) + 1
            if not closed:
                raise self.refusal("an unclosed brace")
            if character == "x":
                try:
                    return points(name)
                except (ValueError, IndexError):
                    raise self.refusal(f"\\x{{{name}}}") from None
            try:
                members = unicode_class(name) if len(name) == 1 else None
            except ValueError:
                members = None
            if members is None:
                raise self.refusal(f"\\{character}{{{name}}}")
            return members if character == "p" else ~members
        if character.isascii() and character.isalnum():
            raise self.refusal(f"\\{character}")
        return _set_of({character})

    def bracket(self) -> np.ndarray:
        """The set between ``[`` and ``]``."""
        inverted = self.take("^")
        members = np.zeros(POINTS, bool)
        first = True
        while first or not self.take("]"):
            first = False
            if self.peek() in ("[", "]") or self.peek(2) == "&&":
                raise self.refusal(f"{self.peek(2)!r} inside a class")  # nested classes and intersections
            low = self.escape() if self.take("\\") else _set_of({self.next()})
            if self.peek() == "-" and self.peek(2) not in ("-]", "-"):
                self.position += 1
                if self.peek() == "[":
                    raise self.refusal("'[' inside a class")
                high = self.escape() if self.take("\\") else _set_of({self.next()})
                ends = [np.flatnonzero(bound) for bound in (low, high)]
                if any(len(bound) != 1 for bound in ends) or ends[0][0] > ends[1][0]:
                    raise self.refusal("a range without two characters in order")
                members[ends[0][0] : ends[1][0] + 1] = True
            else:
                members |= low
        return ~members if inverted else members


def _set_of(characters: set[str]) -> np.ndarray:
    members = np.zeros(POINTS, bool)
    members[[ord(character) for character in characters]] = True
    return members


def sets_of(node: Node) -> list[np.ndarray]:
    """Every set of characters that a syntax tree looks at."""
    if isinstance(node, (OneOf, NotBefore)):
        return [node.members]
    parts = (node.part,) if isinstance(node, Repeat) else node.parts
    return [members for part in parts for members in sets_of(part)]


def can_be_empty(node: Node) -> bool:
    """Whether a syntax tree matches the empty text somewhere."""
    if isinstance(node, OneOf):
        return False
    if isinstance(node, NotBefore):
        return True
    if isinstance(node, Repeat):
        return node.low == 0 or can_be_empty(node.part)
    if isinstance(node, InOrder):
        return all(can_be_empty(part) for part in node.parts)
    return any(can_be_empty(part) for part in node.parts)
