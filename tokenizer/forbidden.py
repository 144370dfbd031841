"""Tokens that must never be made, by their text or by an expression found in it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable


def check_forbidden(entries: Iterable[str]) -> None:
    """Raises ``ValueError`` for an empty entry, or an expression that is none."""
    for entry in entries:
        _expression(entry)


def _expression(entry: str) -> re.Pattern[str] | None:
    if not entry:
        raise ValueError("an empty text is no token: leave it out")
    if len(entry) < 3 or entry[0] != "/" or entry[-1] != "/":
        return None
    try:
        return re.compile(entry[1:-1])
    except re.error as error:
        raise ValueError(f"{entry} is no regular expression ({error}): mend it, or leave out its slashes") from error


def permission(entries: Iterable[str], texts: Iterable[str] = ()) -> Callable[[bytes], bool] | None:
    """Whether a token may be made, for ``merges.train``; None where everything may.

    Args:
        entries: texts of tokens; or expressions between slashes, searched in the text of a token, in which bytes that
            are no whole character read as U+FFFD.
        texts: further texts of tokens, whatever they look like.

    Raises:
        ValueError: see ``check_forbidden``.
    """
    forbidden, expressions = {text.encode() for text in texts}, []
    for entry in entries:
        expression = _expression(entry)
        if expression is None:
            forbidden.add(entry.encode())
        else:
            expressions.append(expression)
    if not forbidden and not expressions:
        return None

    def may_make(token: bytes) -> bool:
        if token in forbidden:
            return False
        text = token.decode("utf-8", "replace")
        return not any(expression.search(text) for expression in expressions)

    return may_make


def read_forbidden(content: bytes) -> list[str]:
    """The entries of a file in UTF-8, one a line, whichever system ended the lines; empty lines are skipped.

    Raises:
        ValueError: a line is not UTF-8.
    """
    entries = []
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        try:
            entries.append(line.decode())
        except UnicodeDecodeError:
            raise ValueError(f"line {number} is not UTF-8: save the file as UTF-8") from None
    return [entry for entry in entries if entry]
