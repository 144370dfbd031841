"""Vocabularies as tiktoken's ranks: a line a token, its bytes in base64 and its rank, which is its id too.

tiktoken knows no merges. It joins the two neighbours whose bytes together have the lowest rank, so the merge that makes
a token is what its own bytes come to under the ranks before it. Where that is two tokens for every token, ranks and
merges say the same of every text: while no merge has crossed the ends of a token, inside them the same happens as in
the token alone, so no other pair than its own can ever make it.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Mapping

import numpy as np

from tokenizer.formats import Tokenizer
from tokenizer.merges import BYTE_OF_ID, Merges
from tokenizer.pretokenizers import Pretokenizer
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS


def to_ranks(tokenizer: Tokenizer) -> bytes:
    """The file of ranks. Special tokens and the pre-tokenizer are no part of it.

    Raises:
        ValueError: the ids are not in the order of the merges, or a token is made by a merge that ranks do not find.
    """
    tokens = tokenizer.merges.tokens()
    ids = list(range(len(tokens))) if tokenizer.ids is None else tokenizer.ids.tolist()
    if ids[256:] != sorted(ids[256:]) or sorted(ids) != list(range(len(ids))):
        raise ValueError("the ids do not follow the order of the merges, and ranks are both: nothing to write")
    ranks = dict(zip(tokens, ids, strict=True))
    for token, (left, right) in zip(tokens[256:], tokenizer.merges.pairs.tolist(), strict=True):
        found = _parts(token, ranks)
        if found != [tokens[left], tokens[right]]:
            raise ValueError(
                f"token {ranks[token]} {token!r} is merged of {tokens[left]!r} and {tokens[right]!r}, but by ranks of "
                f"{' and '.join(map(repr, found))}: tiktoken would give other ids; keep tokenizer.json"
            )
    lines = (
        base64.b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda item: item[1])
    )
    return b"".join(lines)


def from_ranks(
    content: bytes,
    pretokenizer: Pretokenizer,
    special_tokens: Mapping[str, str] | None = None,
    special_ids: Mapping[str, int] | None = None,
) -> Tokenizer:
    """A tokenizer from a file of ranks.

    Args:
        content: the file's bytes.
        pretokenizer: the one that the ranks were made with; the file does not say.
        special_tokens: name → text; the default ones when None.
        special_ids: name → id; behind the ranks, in order, when None.

    Raises:
        ValueError: a line is no token and rank, a byte or a rank is missing, or a token is not made of two others.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            spelled, rank = line.split()
            token = base64.b64decode(spelled, validate=True)
            ranks[token] = int(rank)
        except (ValueError, binascii.Error):
            raise ValueError(f"line {number}: {line[:40]!r} is no token in base64 and its rank") from None
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise ValueError(f"no token for byte {missing[0]:#04x}: every byte must be reachable")
    by_rank = sorted(ranks, key=ranks.__getitem__)
    if [ranks[token] for token in by_rank] != list(range(len(by_rank))):
        raise ValueError(f"the ranks of {len(by_rank):,} tokens are not 0 to {len(by_rank) - 1:,}, each once")
    merged = [token for token in by_rank if len(token) > 1]
    order = {bytes([byte]): i for i, byte in enumerate(BYTE_OF_ID.tolist())} | {
        t: 256 + i for i, t in enumerate(merged)
    }
    pairs = np.empty((len(merged), 2), np.int32)
    for row, token in enumerate(merged):
        parts = _parts(token, ranks)
        if len(parts) != 2:
            raise ValueError(
                f"token {ranks[token]} {token!r} comes to {len(parts)} tokens under the ranks before it, not to two: "
                "no merge makes it"
            )
        pairs[row] = [order[part] for part in parts]
    ids = np.array([ranks[token] for token in order], np.uint32)
    return Tokenizer(
        pretokenizer,
        Merges(pairs, np.zeros(len(pairs), np.int64)),
        dict(special_tokens or DEFAULT_SPECIAL_TOKENS),
        0,
        None if np.array_equal(ids, np.arange(len(ids))) else ids,
        dict(special_ids or {}),
    )


def _parts(token: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    """What a token's bytes come to under the ranks below its own."""
    own = ranks[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        joined = [ranks.get(left + right, own) for left, right in itertools.pairwise(parts)]
        lowest = min(joined)
        if lowest >= own:
            break
        at = joined.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
