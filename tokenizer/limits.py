"""How large a vocabulary the encoder's tables hold; asked before and while one is learned, not only when it is used."""

from __future__ import annotations

# In bits, so that an edge or a merge is one uint64 and one load: a merge holds three ranks, an edge of the trie two
# nodes, a code point and a flag. A token's bytes make at most as many nodes.
RANK_BITS = 21
NODE_BITS = 23
MOST_TOKENS = (1 << RANK_BITS) - 1
MOST_BYTES = (1 << NODE_BITS) - 1


def check_size(tokens: int, size: int) -> None:
    """Refuses vocabularies of more tokens, or more bytes of them, than the encoder holds.

    Raises:
        ValueError: names both, and what makes them fewer.
    """
    if tokens > MOST_TOKENS:
        raise ValueError(f"vocabulary of {tokens:,} tokens: the encoder holds {MOST_TOKENS:,}; ask for fewer")
    if size > MOST_BYTES:
        raise ValueError(
            f"vocabulary: {tokens:,} tokens have {size:,} bytes together, and the encoder holds {MOST_BYTES:,}; ask "
            "for fewer, or for shorter ones with max_token_length"
        )
