"""How Hugging Face's ``tokenizer.json`` spells a chain of splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def isolated_splits(patterns: Sequence[str], *, digits: bool = False) -> dict[str, Any]:
    """The ``pre_tokenizer`` object for regular expressions, each cutting the pieces of those before, and then bytes."""
    steps: list[dict[str, Any]] = [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        for pattern in patterns
    ]
    if digits:
        steps.append({"type": "Digits", "individual_digits": True})
    return {"type": "Sequence", "pretokenizers": [*steps, byte_level()]}


def byte_level(*, use_regex: bool = False) -> dict[str, Any]:
    """The step from text to bytes, with GPT-2's own pattern before it or without."""
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def normal_form(description: Any) -> list[Any]:
    """A ``pre_tokenizer`` object as a list of what decides its pieces, so that equal chains compare equal.

    Defaults are filled in, ``trim_offsets`` (which moves offsets, not pieces) is left out, and keeping only what a
    pattern matches ("Removed", inverted), as some files spell a pattern that matches everything, is "Isolated".
    """
    if not isinstance(description, dict):
        return [description]
    kind = description.get("type")
    if kind == "Sequence":
        return [step for part in description.get("pretokenizers", []) for step in normal_form(part)]
    if kind == "ByteLevel":
        return [(kind, description.get("add_prefix_space", True), description.get("use_regex", True))]
    if kind == "Split":
        pattern = description.get("pattern")
        behaviour = (description.get("behavior"), bool(description.get("invert")))
        isolated = behaviour in (("Isolated", False), ("Removed", True))
        return [(kind, pattern, ("Isolated", False) if isolated else behaviour)]
    if kind == "Digits":
        return [(kind, description.get("individual_digits", False))]
    return [description]
