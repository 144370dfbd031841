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

# First and last code point of what is written in Chinese, Japanese and Korean, as Unicode's blocks name it.
CJK_BLOCKS = {
    "Han, unified ideographs": (0x4E00, 0x9FFF),
    "Han, extension A": (0x3400, 0x4DBF),
    "Hiragana": (0x3041, 0x309F),
    "Katakana": (0x30A0, 0x30FF),
    "Hangul syllables": (0xAC00, 0xD7A3),
}


def look(
    tokenizer: Tokenizer,
    texts: pa.Array | pa.ChunkedArray,
    groups: Mapping[str, pa.Array | pa.ChunkedArray],
    longest: int = 20,
) -> dict[str, Any]:
    """Everything there is to see of a tokenizer on some text.

    Args:
        tokenizer: to look into.
        texts: ``string`` or ``large_string`` [documents].
        groups: by name, such as ``"language"`` and ``"domain"``, what each document belongs to.
        longest: tokens to list.

    Returns:
        ``hash``, ``vocabulary`` (regular tokens), ``model_vocabulary``, ``all`` (one row as ``compression`` gives it),
        ``by`` (its rows for each of ``groups``), ``longest``, ``unused`` (number of regular tokens that do not occur in
        the text) and ``cjk``, see the functions of these names.
    """
    encoder = Encoder(tokenizer)
    sizes, tokens = _sizes(encoder, texts)
    return {
        "hash": tokenizer.hash,
        "vocabulary": tokenizer.merges.vocabulary_size,
        "model_vocabulary": tokenizer.model_vocabulary,
        "all": _row("all", sizes, np.ones(len(sizes["bytes"]), bool)),
        "by": {name: _by_group(sizes, of) for name, of in groups.items()},
        "longest": longest_tokens(tokenizer, longest),
        "unused": len(unused_tokens(tokenizer, tokens)),
        "cjk": cjk_coverage(tokenizer, texts),
    }


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
    return _by_group(_sizes(encoder, texts)[0], groups)


def _sizes(encoder: Encoder, texts: pa.Array | pa.ChunkedArray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Bytes, tokens and words of each document, int64 each; and all tokens."""
    encoded = encoder.encode(texts)
    data, offsets = text_buffers(texts)
    sizes = {
        "bytes": np.diff(offsets),
        "tokens": np.diff(encoded.offsets),
        "words": count_words(data, offsets, code_points().flags),
    }
    return sizes, encoded.tokens


def _by_group(sizes: Mapping[str, np.ndarray], groups: pa.Array | pa.ChunkedArray) -> list[dict[str, Any]]:
    if isinstance(groups, pa.ChunkedArray):
        groups = pa.concat_arrays(groups.chunks) if groups.num_chunks else pa.array([], pa.string())
    names = groups.cast(pa.string()).fill_null("unknown").dictionary_encode()
    index = names.indices.to_numpy(zero_copy_only=False)
    rows = [_row(name, sizes, index == i) for i, name in enumerate(names.dictionary.to_pylist())]
    return sorted(rows, key=lambda row: (-row["bytes"], row["group"]))


def _row(name: str, sizes: Mapping[str, np.ndarray], inside: np.ndarray) -> dict[str, Any]:
    amounts = {key: int(values[inside].sum()) for key, values in sizes.items()}
    return {
        "group": name,
        "documents": int(np.count_nonzero(inside)),
        **amounts,
        "bytes_per_token": amounts["bytes"] / max(amounts["tokens"], 1),
        "fertility": amounts["tokens"] / max(amounts["words"], 1),
    }


def longest_tokens(tokenizer: Tokenizer, count: int = 20) -> list[dict[str, Any]]:
    """The longest regular tokens: ``id``, ``text`` (bytes that are not UTF-8 shown as �) and ``bytes``."""
    regular = tokenizer.merges.tokens()
    ids = np.arange(len(regular)) if tokenizer.ids is None else tokenizer.ids
    order = sorted(range(len(regular)), key=lambda rank: (-len(regular[rank]), rank))[:count]
    return [
        {"id": int(ids[rank]), "text": regular[rank].decode("utf-8", "replace"), "bytes": len(regular[rank])}
        for rank in order
    ]


def unused_tokens(tokenizer: Tokenizer, tokens: np.ndarray) -> np.ndarray:
    """Ids, ascending, of the regular tokens that do not occur in ``tokens`` (uint32)."""
    seen = np.zeros(max(tokenizer.tokens, int(tokens.max(initial=0)) + 1), bool)
    seen[tokens] = True
    ids = np.arange(tokenizer.merges.vocabulary_size) if tokenizer.ids is None else np.sort(tokenizer.ids)
    return ids[~seen[ids]]


def cjk_coverage(tokenizer: Tokenizer, texts: pa.Array | pa.ChunkedArray) -> list[dict[str, Any]]:
    """How much of Chinese, Japanese and Korean has tokens of its own, rather than bytes.

    Args:
        tokenizer: to look into.
        texts: ``string`` or ``large_string`` [documents].

    Returns:
        One row a block of ``CJK_BLOCKS``: ``block``, ``characters`` in it, ``tokens``, how many of them are a token;
        ``in_text``, occurrences in the text, and ``covered``, how many of these are of characters that are a token.
    """
    is_token = np.zeros(0x110000, bool)
    for token in tokenizer.merges.tokens():
        if 2 <= len(token) <= 4:
            character = token.decode("utf-8", "ignore")
            if len(character) == 1 and len(character.encode()) == len(token):
                is_token[ord(character)] = True
    data, offsets = text_buffers(texts)
    occurrences = count_characters(data, offsets)
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
