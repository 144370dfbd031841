"""Tokens as a person reads them, and the longest ones of a vocabulary, where boilerplate shows first."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import numpy as np

from tokenizer.formats import Tokenizer


def readable(token: bytes) -> str:
    """A token's text; bytes that are no whole character as ``<E4><BD>``."""
    return token.decode("utf-8", _SPELLED)


def _spell(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"<{byte:02X}>" for byte in error.object[error.start : error.end]), error.end


_SPELLED = "gristmill.spelled"
codecs.register_error(_SPELLED, _spell)


def described(tokenizer: Tokenizer, ranks: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
    """Some regular tokens: ``id``, ``text`` as ``readable`` gives it, and ``bytes``, their number."""
    regular = tokenizer.merges.tokens()
    ids = np.arange(len(regular)) if tokenizer.ids is None else tokenizer.ids
    return [
        {"id": int(ids[rank]), "text": readable(regular[rank]), "bytes": len(regular[rank])} for rank in map(int, ranks)
    ]


def longest_tokens(tokenizer: Tokenizer, count: int = 20) -> list[dict[str, Any]]:
    """The longest regular tokens, as ``described`` has them, equal lengths in the order in which they were learned.

    Of those that only repeat one character (a vocabulary holds runs of spaces of nearly every length) the longest is
    listed and the others left out.
    """
    regular = tokenizer.merges.tokens()
    chosen: list[int] = []
    repeated: set[str] = set()
    for rank in sorted(range(len(regular)), key=lambda rank: (-len(regular[rank]), rank)):
        if len(chosen) == count:
            break
        characters = set(readable(regular[rank]))
        if len(characters) == 1:
            if characters <= repeated:
                continue
            repeated |= characters
        chosen.append(rank)
    return described(tokenizer, chosen)
