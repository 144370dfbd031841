"""A tokenizer on top of another one: its merges and ids stay, and what is learned further gets ids behind them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tokenizer.formats import Tokenizer
from tokenizer.merges import Merges


def extended(base: Tokenizer, merges: Merges, special_tokens: Mapping[str, str], model_vocabulary: int) -> Tokenizer:
    """``base`` with further merges.

    Args:
        base: keeps the ids of all its tokens, the special ones included.
        merges: those of ``base`` and, behind them, further ones.
        special_tokens: name → text; those that ``base`` lacks are added at the end.
        model_vocabulary: see ``Tokenizer``.

    Raises:
        ValueError: a special token of ``base`` has another text here, or the vocabulary of the model is too small.
    """
    for name, text in special_tokens.items():
        if base.special_tokens.get(name, text) != text:
            raise ValueError(
                f"special_tokens.{name} is {text!r} and {base.special_tokens[name]!r} in the tokenizer to extend, "
                "whose tokens stay: leave it out"
            )
    texts = set(base.special_tokens.values())
    new_special = {
        name: text for name, text in special_tokens.items() if name not in base.special_tokens and text not in texts
    }
    known = base.merges.vocabulary_size
    if merges.vocabulary_size == known and not new_special:
        ids = base.ids
    else:
        own = np.arange(known, dtype=np.uint32) if base.ids is None else base.ids
        further = np.arange(merges.vocabulary_size - known, dtype=np.uint32) + np.uint32(base.tokens)
        ids = np.concatenate([own, further])
        if np.array_equal(ids, np.arange(len(ids))):
            ids = None
    first = base.tokens + merges.vocabulary_size - known
    special_ids = dict(base.special_ids) | {name: first + i for i, name in enumerate(new_special)}
    return Tokenizer(
        base.pretokenizer, merges, dict(base.special_tokens) | new_special, model_vocabulary, ids, special_ids
    )
