"""Which numbers may be ids of tokens, and how they lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

HIGHEST_ID = (1 << 24) - 1  # far above every published vocabulary, and a table of that many rows still fits


def check_ids(
    regular: int, ids: np.ndarray | None, special_tokens: Mapping[str, str], special_ids: Mapping[str, int]
) -> None:
    """Checks that every token has an id of its own.

    Args:
        regular: number of regular tokens.
        ids: integers [regular], or None where ids are 0 to ``regular`` - 1.
        special_tokens: name → text.
        special_ids: name → id.

    Raises:
        ValueError: a special token has no id, an id no special token, an id is no whole number from 0 to 2²⁴ - 1, or
            two tokens have the same.
    """
    if set(special_ids) != set(special_tokens):
        raise ValueError(
            f"special_ids are of {', '.join(special_ids)}, special_tokens of {', '.join(special_tokens)}: give each "
            "special token an id, or none"
        )
    if ids is not None and len(ids) != regular:
        raise ValueError(f"{len(ids):,} ids for {regular:,} regular tokens: give one for each")
    of_special = np.array(list(special_ids.values()))
    for numbers in (np.arange(regular) if ids is None else np.asarray(ids), of_special):
        if numbers.dtype.kind not in "iu":
            raise ValueError(f"ids such as {numbers[-1]!r} are no whole numbers from 0 to {HIGHEST_ID:,}")
        bad = numbers[(numbers < 0) | (numbers > HIGHEST_ID)]
        if len(bad):
            raise ValueError(f"id {bad[0]} is not from 0 to {HIGHEST_ID:,}: number the tokens anew")
    of_regular = np.arange(regular, dtype=np.int64) if ids is None else np.asarray(ids, np.int64)
    found, times = np.unique(np.concatenate([of_regular, of_special]), return_counts=True)
    if len(found) < regular + len(special_ids):
        twice = int(found[np.argmax(times > 1)])
        named = [f"special token {name!r}" for name, number in special_ids.items() if number == twice]
        among = ", ".join([*named, *["a regular token"] * (int(times.max()) - len(named))][:2])
        raise ValueError(f"id {twice} stands for two tokens ({among}): number them apart")


def follow_directly(ids: Collection[int], special_ids: Collection[int]) -> bool:
    """Whether the special tokens have the numbers that follow the count of regular ones, without a gap."""
    return sorted(special_ids) == list(range(len(ids), len(ids) + len(special_ids)))
