"""Pre-tokenizers by name: which characters may share a piece, and therefore a token."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np

from tokenizer.deepseek_classes import deepseek_coder, deepseek_llm, deepseek_llm_mended
from tokenizer.patterns import PUBLISHED, UserPattern
from tokenizer.scanner_kernels import ScannerTables
from tokenizer.spelling import normal_form


class Pretokenizer(Protocol):
    """Cuts text into pieces; ``ClassSplits``, ``Patterns`` and ``UserPattern`` do."""

    @property
    def name(self) -> str:
        """What the config calls it."""

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of what decides the pieces."""

    @property
    def slow_because(self) -> str:
        """Why `tokenizers` has to run it; empty where tables do."""

    @property
    def tables(self) -> ScannerTables | None:
        """What ``scanner_kernels`` reads, where it is the same for every text."""

    def tables_for(self, data: np.ndarray, offsets: np.ndarray) -> ScannerTables:
        """What ``scanner_kernels`` reads to cut these documents (uint8 [bytes], int64 [documents + 1])."""

    def to_tokenizers(self) -> dict[str, Any]:
        """The same pre-tokenizer as the ``pre_tokenizer`` object of a Hugging Face ``tokenizer.json``."""


PRETOKENIZERS: dict[str, Pretokenizer] = {
    preset.name: preset for preset in (deepseek_llm(), deepseek_llm_mended(), deepseek_coder(), *PUBLISHED)
}


def pretokenizer(choice: str | Mapping[str, str]) -> Pretokenizer:
    """The preset of that name, or the pre-tokenizer of ``{"regex": pattern}``.

    Raises:
        ValueError: the name is unknown (names the nearest one), or the regular expression is not valid.
    """
    if not isinstance(choice, str):
        if set(choice) != {"regex"} or not isinstance(choice["regex"], str):
            raise ValueError(f"pretokenizer {dict(choice)!r} is no choice: give a name or {{regex: PATTERN}}")
        return UserPattern(choice["regex"])
    if choice in PRETOKENIZERS:
        return PRETOKENIZERS[choice]
    near = get_close_matches(choice, PRETOKENIZERS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(PRETOKENIZERS)} or {{regex: PATTERN}}"
    raise ValueError(f"pretokenizer {choice!r} is unknown: {hint}")


def from_tokenizers(description: dict[str, Any] | None) -> Pretokenizer:
    """The pre-tokenizer that a ``tokenizer.json``'s ``pre_tokenizer`` object spells.

    A preset where one has the same steps; a ``UserPattern`` for any other single regular expression before bytes.

    Raises:
        ValueError: it is neither.
    """
    steps = normal_form(description)
    for preset in PRETOKENIZERS.values():
        if normal_form(preset.to_tokenizers()) == steps:
            return preset
    match steps:
        case [("Split", {"Regex": pattern}, ("Isolated", False)), ("ByteLevel", False, False)]:
            return UserPattern(pattern)
    kind = "none" if description is None else str(description.get("type"))
    raise ValueError(
        f"pre_tokenizer ({kind}) is none that this reader runs ({', '.join(PRETOKENIZERS)}, or one regular expression "
        "before bytes): train a tokenizer with one of these, or re-export with one of them"
    )
