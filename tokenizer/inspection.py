"""What a tokenizer does to text: compression and fertility by language, its longest tokens, those it never uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from text.arrow_buffers import text_buffers
from text.code_points import code_points
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.inspection_kernels import count_characters, count_words
from tokenizer.token_texts import described, longest_tokens

_AMOUNTS = ("documents", "bytes", "tokens", "words")

# First and last code point of what is written in Chinese, Japanese and Korean, as Unicode's blocks name it.
CJK_BLOCKS = {
    "Han, unified ideographs": (0x4E00, 0x9FFF),
    "Han, extension A": (0x3400, 0x4DBF),
    "Hiragana": (0x3041, 0x309F),
    "Katakana": (0x30A0, 0x30FF),
    "Hangul syllables": (0xAC00, 0xD7A3),
}


class Inspection:
    """What a tokenizer does to text that comes batch by batch; holds sums by group, never the text or its tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._encoder = Encoder(tokenizer)
        self._seen = np.zeros(tokenizer.tokens, bool)
        self._occurrences = np.zeros(0x110000, np.int64)
        self._all = np.zeros(len(_AMOUNTS), np.int64)
        self._by: dict[str, dict[str, np.ndarray]] = {}

    @property
    def bytes(self) -> int:
        """Bytes of text so far."""
        return int(self._all[_AMOUNTS.index("bytes")])

    def add(
        self, texts: pa.Array | pa.ChunkedArray, groups: Mapping[str, pa.Array | pa.ChunkedArray] | None = None
    ) -> None:
        """Looks at some documents.

        Args:
            texts: ``string`` or ``large_string`` [documents].
            groups: by name, such as ``"language"`` and ``"domain"``, what each document belongs to; null counts as
                ``"unknown"``.
        """
        encoded = self._encoder.encode(texts)
        data, offsets = text_buffers(texts)
        words = count_words(data, offsets, code_points().flags)
        amounts = np.stack([np.ones_like(words), np.diff(offsets), np.diff(encoded.offsets), words])
        self._seen[encoded.tokens] = True
        self._occurrences += count_characters(data, offsets)
        self._all += amounts.sum(axis=1)
        for name, of in (groups or {}).items():
            _add_by_group(self._by.setdefault(name, {}), of, amounts)

    def found(self, longest: int = 20, unused: int = 20) -> dict[str, Any]:
        """What was seen so far: see ``look``."""
        tokenizer = self._encoder.tokenizer
        absent = _absent(tokenizer, self._seen)
        return {
            "hash": tokenizer.hash,
            "vocabulary": tokenizer.merges.vocabulary_size,
            "model_vocabulary": tokenizer.model_vocabulary,
            "all": _row("all", self._all),
            "by": {name: self.rows(name) for name in self._by},
            "longest": longest_tokens(tokenizer, longest),
            "unused": len(absent),
            "first_unused": described(
                tokenizer, np.concatenate([absent[absent >= 256], absent[absent < 256]])[:unused]
            ),
            "cjk": _cjk_rows(tokenizer, self._occurrences),
        }

    def rows(self, name: str) -> list[dict[str, Any]]:
        """One row a group, most bytes first: see ``compression``."""
        rows = [_row(group, amounts) for group, amounts in self._by.get(name, {}).items()]
        return sorted(rows, key=lambda row: (-row["bytes"], row["group"]))


def look(
    tokenizer: Tokenizer,
    texts: pa.Array | pa.ChunkedArray,
    groups: Mapping[str, pa.Array | pa.ChunkedArray],
    longest: int = 20,
    unused: int = 20,
) -> dict[str, Any]:
    """Everything there is to see of a tokenizer on some text.

    Args:
        tokenizer: to look into.
        texts: ``string`` or ``large_string`` [documents].
        groups: by name, such as ``"language"`` and ``"domain"``, what each document belongs to.
        longest, unused: tokens to list.

    Returns:
        ``hash``, ``vocabulary`` (regular tokens), ``model_vocabulary``, ``all`` (one row as ``compression`` gives it),
        ``by`` (its rows for each of ``groups``), ``longest``, ``unused`` (number of regular tokens that do not occur in
        the text), ``first_unused`` (some of them as ``longest`` has them, those learned first before the others, bytes
        last) and ``cjk``, see the functions of these names.
    """
    inspection = Inspection(tokenizer)
    inspection.add(texts, groups)
    return inspection.found(longest, unused)


def compression(
    encoder: Encoder, texts: pa.Array | pa.ChunkedArray, groups: pa.Array | pa.ChunkedArray
) -> list[dict[str, Any]]:
    """Bytes per token and fertility by group.

    Args:
        encoder: of the tokenizer to look at.
        texts: ``string`` or ``large_string`` [documents].
        groups: the language (or domain, or source) of each document; null counts as ``"unknown"``.

    Returns:
        One row a group, most bytes first: ``group``, ``documents``, ``bytes``, ``tokens``, ``words``,
        ``bytes_per_token`` and ``fertility`` (tokens a word; a word is a run of letters and numbers, or one character
        of a script written without spaces).
    """
    inspection = Inspection(encoder.tokenizer)
    inspection.add(texts, {"group": groups})
    return inspection.rows("group")


def _add_by_group(sums: dict[str, np.ndarray], groups: pa.Array | pa.ChunkedArray, amounts: np.ndarray) -> None:
    """Adds ``amounts``, int64 [amounts, documents], to the sums of the documents' groups."""
    if isinstance(groups, pa.ChunkedArray):
        groups = pa.concat_arrays(groups.chunks) if groups.num_chunks else pa.array([], pa.string())
    names = groups.cast(pa.string()).fill_null("unknown").dictionary_encode()
    totals = np.zeros((len(names.dictionary), len(amounts)), np.int64)
    np.add.at(totals, names.indices.to_numpy(zero_copy_only=False), amounts.T)
    for name, total in zip(names.dictionary.to_pylist(), totals, strict=True):
        sums[name] = sums.get(name, 0) + total


def _row(name: str, amounts: np.ndarray) -> dict[str, Any]:
    row = dict(zip(_AMOUNTS, amounts.tolist(), strict=True))
    return {
        "group": name,
        **row,
        "bytes_per_token": row["bytes"] / max(row["tokens"], 1),
        "fertility": row["tokens"] / max(row["words"], 1),
    }


def unused_tokens(tokenizer: Tokenizer, tokens: np.ndarray) -> np.ndarray:
    """Ids, ascending, of the regular tokens that do not occur in ``tokens`` (uint32)."""
    seen = np.zeros(max(tokenizer.tokens, int(tokens.max(initial=0)) + 1), bool)
    seen[tokens] = True
    absent = _absent(tokenizer, seen)
    return absent if tokenizer.ids is None else np.sort(tokenizer.ids[absent])


def _absent(tokenizer: Tokenizer, seen: np.ndarray) -> np.ndarray:
    """Ranks, ascending, of the regular tokens that were not seen; ``seen`` is bool [ids]."""
    ids = np.arange(tokenizer.merges.vocabulary_size) if tokenizer.ids is None else tokenizer.ids
    return np.flatnonzero(~seen[ids])


def cjk_coverage(tokenizer: Tokenizer, texts: pa.Array | pa.ChunkedArray) -> list[dict[str, Any]]:
    """How much of Chinese, Japanese and Korean has tokens of its own, rather than bytes.

    Args:
        tokenizer: to look into.
        texts: ``string`` or ``large_string`` [documents].

    Returns:
        One row a block of ``CJK_BLOCKS``: ``block``, ``characters`` in it, ``tokens``, how many of them are a token;
        ``in_text``, occurrences in the text, and ``covered``, how many of these are of characters that are a token.
    """
    return _cjk_rows(tokenizer, count_characters(*text_buffers(texts)))


def _cjk_rows(tokenizer: Tokenizer, occurrences: np.ndarray) -> list[dict[str, Any]]:
    is_token = np.zeros(0x110000, bool)
    for token in tokenizer.merges.tokens():
        if 2 <= len(token) <= 4:
            character = token.decode("utf-8", "ignore")
            if len(character) == 1 and len(character.encode()) == len(token):
                is_token[ord(character)] = True
    rows = []
    for block, (first, last) in CJK_BLOCKS.items():
        here = slice(first, last + 1)
        rows.append(
            {
                "block": block,
                "characters": last + 1 - first,
                "tokens": int(is_token[here].sum()),
                "in_text": int(occurrences[here].sum()),
                "covered": int(occurrences[here][is_token[here]].sum()),
            }
        )
    return rows
