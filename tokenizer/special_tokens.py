"""Special tokens: named control tokens with ids behind the regular ones, never matched in ordinary text."""

from __future__ import annotations

from collections.abc import Mapping

# Field names say what a token is for; the strings are how it looks when decoded. 15 of them, as DeepSeek LLM has.
DEFAULT_SPECIAL_TOKENS: dict[str, str] = {
    "begin": "<|begin_of_text|>",
    "end": "<|end_of_text|>",
    "pad": "<|pad|>",
    "fim_prefix": "<|fim_prefix|>",
    "fim_suffix": "<|fim_suffix|>",
    "fim_middle": "<|fim_middle|>",
    "system": "<|system|>",
    "user": "<|user|>",
    "assistant": "<|assistant|>",
    "tool": "<|tool|>",
    "end_of_turn": "<|end_of_turn|>",
    "reserved_0": "<|reserved_0|>",
    "reserved_1": "<|reserved_1|>",
    "reserved_2": "<|reserved_2|>",
    "reserved_3": "<|reserved_3|>",
}

# 100,015 tokens become DeepSeek's 102,400 rows; a multiple of this keeps every matrix product on whole tiles.
VOCABULARY_MULTIPLE = 4096


def check_special_tokens(special_tokens: Mapping[str, str]) -> None:
    """Raises ``ValueError`` for empty or repeated strings, or when ``end`` is missing, which separates documents."""
    if "end" not in special_tokens:
        have = ", ".join(special_tokens) or "none"
        raise ValueError(
            f"special_tokens has no 'end' (only {have}), which separates documents: name one; for a tokenizer from "
            "elsewhere, put its eos_token into the tokenizer_config.json beside it"
        )
    seen: dict[str, str] = {}
    for name, text in special_tokens.items():
        if not text:
            raise ValueError(f"special_tokens.{name} is empty: give it a string such as '<|{name}|>'")
        if text in seen:
            raise ValueError(
                f"special_tokens.{name} repeats {text!r} of {seen[text]!r}: each needs a string of its own"
            )
        seen[text] = name


def padded_vocabulary(tokens: int, multiple: int = VOCABULARY_MULTIPLE) -> int:
    """Rows of the model's embedding for ``tokens`` tokens: rounded up to a multiple (100,015 becomes 102,400)."""
    if multiple < 1:
        raise ValueError(f"vocabulary multiple {multiple} is below 1: use 1 for no padding")
    return -(-tokens // multiple) * multiple
