"""The automaton of several regular expressions accepts what Python's engine matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.patterns import MOST_PATTERNS, Automaton, compile_patterns

PATTERNS = ["a|ab|abc", "[A-C]\\d{2}", "(a|b){1,3}-?c", "x(y(z)?)?", "\\+\\(", "a{2}b{0,2}", "[-c]|c-"]


def accepted(automaton: Automaton, text: str) -> set[int]:
    state = 1
    for character in text:
        state = automaton.steps[state, automaton.classes[ord(character)]]
    return {row for row in range(MOST_PATTERNS) if int(automaton.accepts[state]) >> row & 1} if text else set()


@given(st.text(st.sampled_from("abcABCxyz09-+(!"), max_size=8))
def test_accepts_what_python_matches(text):
    whole = {row for row, pattern in enumerate(PATTERNS) if text and re.fullmatch(pattern, text)}
    assert accepted(compile_patterns(PATTERNS), text) == whole


@pytest.mark.parametrize("pattern", ["a*", "a+", ".", "(a", "a)", "^a", "é"])
def test_what_is_not_read_is_refused(pattern):
    with pytest.raises(ValueError, match="pattern"):
        compile_patterns([pattern])


def test_more_patterns_than_bits():
    with pytest.raises(ValueError, match="65 patterns; at most 64"):
        compile_patterns(["a"] * 65)
