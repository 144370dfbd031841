"""From counts to a whole tokenizer: new, or on top of one that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow.compute as pc

from tokenizer import merges
from tokenizer.checkpoints import Checkpoint
from tokenizer.extension import extended
from tokenizer.forbidden import permission
from tokenizer.formats import Tokenizer
from tokenizer.pretokenizers import Pretokenizer
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS
from tokenizer.training import CountBatches


def check_base(base: Tokenizer, pretokenizer: Pretokenizer, vocabulary: int) -> None:
    """Refuses a tokenizer that cannot be extended to ``vocabulary`` tokens with counts of ``pretokenizer``.

    Raises:
        ValueError: it has another pre-tokenizer, or more tokens.
    """
    if base.pretokenizer.fingerprint != pretokenizer.fingerprint:
        raise ValueError(
            f"the tokenizer to extend has the pre-tokenizer {base.pretokenizer.name!r} and not {pretokenizer.name!r}: "
            "count with the same one"
        )
    known = base.merges.vocabulary_size
    if vocabulary < known:
        raise ValueError(
            f"vocabulary {vocabulary:,} is below the {known:,} tokens of the tokenizer to extend: ask for more"
        )


def learn(
    counts: CountBatches,
    pretokenizer: Pretokenizer,
    vocabulary: int,
    *,
    special_tokens: Mapping[str, str] = DEFAULT_SPECIAL_TOKENS,
    model_vocabulary: int | None = None,
    min_frequency: int = 1,
    max_token_length: int | None = None,
    forbidden: Sequence[str] = (),
    base: Tokenizer | None = None,
    strict: bool = False,
    progress: Callable[[int, int], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Tokenizer:
    """Learns a tokenizer of ``vocabulary`` regular tokens; the other arguments are those of the config's section.

    Args:
        counts: counts of ``pretokenizer``.
        base: a tokenizer to extend; see ``extension.extended``.
        checkpoint: where the training goes on from, and what it leaves.

    Raises:
        ValueError: see ``merges.train``, ``forbidden.permission`` and ``extension.extended``.
    """
    if base is not None:
        check_base(base, pretokenizer, vocabulary)
    known = merges.NO_MERGES if base is None else base.merges
    if checkpoint is not None and len(checkpoint.merges.pairs) > len(known.pairs):
        known = checkpoint.merges
    learned = merges.train(
        counts,
        vocabulary,
        progress,
        minimum_count=min_frequency,
        longest=max_token_length,
        may_make=permission(forbidden, _written_out(counts, special_tokens.values())),
        base=known,
        strict=strict,
        checkpoint=checkpoint,
    )
    if base is not None:
        return extended(base, learned, special_tokens, model_vocabulary or 0)
    return Tokenizer(pretokenizer, learned, dict(special_tokens), model_vocabulary or 0)


def _written_out(counts: CountBatches, texts: Iterable[str]) -> list[str]:
    """Those of some texts that stand inside a piece, where merges could make a token of the same text.

    Other libraries know one id for a text: a special token must not be a regular one too. Asking about every merge
    costs time, so only what can happen is asked about.
    """
    missing = set(texts)
    for batch in counts.batches():
        if not missing:
            break
        missing -= {text for text in missing if pc.any(pc.match_substring(batch["piece"], text)).as_py()}
    return [text for text in texts if text not in missing]
