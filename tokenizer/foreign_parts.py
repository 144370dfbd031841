"""Parts of a ``tokenizer.json`` that would give other ids in Hugging Face's libraries than here: named and refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

# DeepSeek's files mark control tokens such as <｜User｜> and <｜fim▁hole｜> as not special, so Hugging Face's libraries
# match them in any text. Here they are special tokens like all others: text never makes them.
_CONTROL_TOKEN = re.compile(r"<([|｜])[^<>\s]+\1>")
_MATCHING = ("lstrip", "rstrip", "single_word")


def check_parts(document: Mapping[str, Any]) -> None:
    """Refuses what changes text or ids beside the pre-tokenizer, the merges and the added tokens.

    Raises:
        ValueError: names the part, its value and the remedy.
    """
    model = document["model"]
    if model.get("type", "BPE") != "BPE":
        raise ValueError(f"model.type {model['type']!r} is not supported: only byte-level BPE is")
    normalizer = document.get("normalizer")
    unsupported = {
        "normalizer": normalizer if _steps(normalizer, "normalizers") else None,
        "model.dropout": model.get("dropout"),
        "model.continuing_subword_prefix": model.get("continuing_subword_prefix"),
        "model.end_of_word_suffix": model.get("end_of_word_suffix"),
        "model.byte_fallback": model.get("byte_fallback"),
        "model.ignore_merges": model.get("ignore_merges"),
        "truncation": document.get("truncation"),
        "padding": document.get("padding"),
    }
    for key, value in unsupported.items():
        if value:
            raise ValueError(f"{key} {value!r} is not supported: only plain byte-level BPE without it is")
    for step in _steps(document.get("post_processor"), "processors"):
        if not _adds_nothing(step):
            raise ValueError(
                f"post_processor {step.get('type')!r} adds tokens around a text: set it to null; the begin and end of "
                "documents are settings of whatever encodes them"
            )


def _steps(part: Mapping[str, Any] | None, members: str) -> list[Mapping[str, Any]]:
    """A part as a flat list; sequences without members, which some files have in place of null, are no steps."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    return [step for member in part[members] for step in _steps(member, members)]


def _adds_nothing(step: Mapping[str, Any]) -> bool:
    """Whether a post-processor leaves the ids of one text alone. ByteLevel moves offsets only."""
    if step["type"] == "TemplateProcessing":
        return [list(piece) for piece in step["single"]] == [["Sequence"]]
    return bool(step["type"] == "ByteLevel")


def added_tokens(document: Mapping[str, Any], bytes_as_characters: Collection[str]) -> dict[str, int]:
    """The added tokens, text → id.

    Args:
        document: of a ``tokenizer.json``.
        bytes_as_characters: the characters that stand for bytes. As added tokens they are bytes, never text: the caller
            takes them out again.

    Raises:
        ValueError: one would be matched in text, or with the blanks around it.
    """
    added: dict[str, int] = {}
    for token in document.get("added_tokens") or []:
        text = token["content"]
        if not (token.get("special") or text in bytes_as_characters or _CONTROL_TOKEN.fullmatch(text)):
            raise ValueError(
                f"added_tokens {text!r} is not special, so Hugging Face's libraries match it in text, which this "
                "reader does not: set its special to true if it is a control token, that text shall never make"
            )
        for key in _MATCHING:
            if token.get(key):
                raise ValueError(f"added_tokens {text!r} has {key}, which is not supported: set it to false")
        added[text] = token["id"]
    return added


def check_numbers(document: Mapping[str, Any]) -> None:
    """Refuses ids of added tokens that Hugging Face's libraries do not keep.

    They take the id that ``model.vocab`` has for the text, or else number from the size of ``model.vocab`` on.

    Raises:
        ValueError: names the token and both ids.
    """
    known: dict[str, int] = dict(document["model"]["vocab"])
    following = len(known)
    for token in document.get("added_tokens") or []:
        text, token_id = token["content"], token["id"]
        if text not in known:
            known[text] = following
            following += 1
        if token_id != known[text]:
            raise ValueError(
                f"added_tokens {text!r} has id {token_id}, but {known[text]} in Hugging Face's libraries: put it into "
                "model.vocab with the id that is meant"
            )
