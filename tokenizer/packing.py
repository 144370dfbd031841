"""What a context length does to documents: how many are cut, and what packing them whole would cost.

A training run that reads one stream of tokens cuts the document that stands at the end of each context. Best-fit
packing (Ding et al. 2024, "Fewer Truncations Improve Language Modeling") puts whole documents together instead and
fills up with padding; documents longer than a context are cut into contexts and a rest in either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer import packing_kernels


@dataclass(frozen=True)
class PackingPlan:
    """How documents fill contexts of one length.

    Attributes:
        context: tokens in a context.
        documents, tokens: what is packed.
        longer: documents longer than a context, which nothing keeps whole.
        stream_contexts: contexts of the stream, the last one begun included.
        stream_cut: documents that a border of the stream runs through.
        packed_contexts: contexts that best-fit packing fills.
        padded: share of the packed contexts' tokens that is padding.
        cropped: share of all tokens lost if longer documents end with their first context instead of being cut up.
    """

    context: int
    documents: int
    tokens: int
    longer: int
    stream_contexts: int
    stream_cut: int
    packed_contexts: int
    padded: float
    cropped: float


def packing_plan(lengths: np.ndarray, context: int) -> PackingPlan:
    """Plans the packing of documents in the order of the stream.

    Best-fit decreasing: the longest document first, each into the fullest context that holds it. O(n log context).

    Args:
        lengths: integer [documents], tokens of each, in order.
        context: tokens in a context, 1 to 2^24.

    Raises:
        ValueError: an impossible context, or a negative length.
    """
    if not 1 <= context <= 1 << 24:
        raise ValueError(f"context = {context}: give a number of tokens from 1 to {1 << 24}")
    lengths = np.ascontiguousarray(lengths, np.int64)
    if len(lengths) and lengths.min() < 0:
        raise ValueError(f"a document of {lengths.min()} tokens: lengths are 0 or more")
    tokens = int(lengths.sum())
    ends = np.cumsum(lengths)
    # A border lies inside a document where it is past its first token and before its end.
    borders_before = (ends - 1) // context - (ends - lengths) // context
    cut = (lengths > 0) & (borders_before > 0)
    whole = int((lengths // context).sum())
    by_length = np.bincount(lengths % context, minlength=context)
    by_length[0] = 0  # documents that fill whole contexts, and empty ones
    packed = whole + int(packing_kernels.best_fit(by_length.astype(np.int64), context))
    return PackingPlan(
        context=context,
        documents=len(lengths),
        tokens=tokens,
        longer=int((lengths > context).sum()),
        stream_contexts=-(-tokens // context),
        stream_cut=int(cut.sum()),
        packed_contexts=packed,
        padded=1 - tokens / (packed * context) if packed else 0.0,
        cropped=int(np.maximum(lengths - context, 0).sum()) / tokens if tokens else 0.0,
    )
