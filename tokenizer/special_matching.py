"""Encoding text in which special tokens are written out and meant, such as chat templates or prompts.

Crawled text never goes this way: there `<|end_of_text|>` is something that somebody wrote.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from tokenizer.encoder import Encoded, Encoder


def encode_matching(encoder: Encoder, texts: pa.Array) -> Encoded:
    """Encodes a text column and matches special tokens in it, as `tokenizers` does by default.

    Leftmost first, of those that start together the longest. What lies between them is encoded apart. Documents pass
    through Python one by one: for prompts, not for corpora.

    Args:
        texts: ``string`` or ``large_string`` [documents]; nulls encode as empty.

    Returns:
        As ``Encoder.encode``.
    """
    tokenizer = encoder.tokenizer
    ids = {text: tokenizer.special_ids[name] for name, text in tokenizer.special_tokens.items()}
    longest_first = sorted(ids, key=len, reverse=True)
    pattern = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")
    # split() gives text, match, text, ..., text: every second part is a special token.
    parts = [pattern.split(text or "") for text in texts.to_pylist()]
    plain = encoder.encode(pa.array([text for split in parts for text in split[::2]], pa.large_string()))
    special = np.array([ids[text] for split in parts for text in split[1::2]], np.uint32)

    plain_parts = np.array([len(split) // 2 + 1 for split in parts], np.int64)
    document_of_plain = np.repeat(np.arange(len(parts)), plain_parts)
    # The special tokens follow all plain parts as parts of their own; sorting by place interleaves them.
    places = [2 * np.arange(len(split) // 2 + 1) for split in parts]
    special_places = [2 * np.arange(len(split) // 2) + 1 for split in parts]
    documents = np.concatenate([document_of_plain, np.repeat(np.arange(len(parts)), plain_parts - 1)])
    order = np.lexsort((np.concatenate([*places, *special_places, np.empty(0, np.int64)]), documents))
    tokens = np.concatenate([plain.tokens, special])
    offsets = np.concatenate([plain.offsets, plain.offsets[-1] + np.arange(1, len(special) + 1)])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(tokens)).take(pa.array(order))
    ends = np.concatenate([[0], np.cumsum(2 * plain_parts - 1)])
    return Encoded(lists.flatten().to_numpy(), lists.offsets.to_numpy()[ends])
