"""The score from which a wanted share of the documents stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_NORMAL_95 = 1.959963984540054


class Cut(NamedTuple):
    """``minimum`` is the score from which documents stay, as float32 writes it in the fewest digits.

    ``kept``: the share of the documents, or of their bytes, that scores at least that in the sample.
    ``error``: the standard error of that share in the corpus, if the sample is a random one of its documents.
    ``low`` and ``high``: the cuts for a share larger and smaller by 1.96 standard errors.
    ``documents`` in the sample and those ``kept_documents``; ``tied`` score exactly the minimum.
    """

    minimum: float
    kept: float
    error: float
    low: float
    high: float
    documents: int
    kept_documents: int
    tied: int


def find_cut(scores: np.ndarray, keep: float, sizes: np.ndarray | None = None) -> Cut:
    """Finds the score at which the share that stays is nearest to what is wanted; of two as near the higher.

    At least the documents with the highest score stay. The error is that of a ratio: the root of the sum over the
    documents of ``size² (stays − share)²``, over the sum of the sizes (Cochran, Sampling Techniques, 1977, 2.11), which
    for documents is the binomial one.

    Args:
        scores: float32 [n].
        keep: the share wanted, above 0 and at most 1.
        sizes: bytes of each document, for a share of the text; None for a share of the documents.

    Raises:
        ValueError: no documents, no text in them, a NaN among the scores or an impossible share.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"a share of {keep:g} cannot be kept; take above 0 and at most 1")
    if not len(scores):
        raise ValueError("there are no documents to find a threshold from")
    if np.isnan(scores).any():
        raise ValueError("some scores are no numbers")
    weights = np.ones(len(scores)) if sizes is None else sizes.astype(np.float64)
    total = weights.sum()
    if not total:
        raise ValueError("the documents hold no text")
    cuts, place = np.unique(-scores.astype(np.float32), return_inverse=True)  # the highest score first
    kept = np.cumsum(np.bincount(place, weights, len(cuts))) / total
    best = _nearest(kept, keep)
    stays = place <= best
    share = float(kept[best])
    error = float(np.sqrt(np.square(weights * (stays - share)).sum()) / total)
    looser, stricter = (_nearest(kept, share + sign * _NORMAL_95 * error) for sign in (1, -1))
    return Cut(
        minimum=shortest(-cuts[best]),
        kept=share,
        error=error,
        low=shortest(-cuts[looser]),
        high=shortest(-cuts[stricter]),
        documents=len(scores),
        kept_documents=int(stays.sum()),
        tied=int((place == best).sum()),
    )


def shortest(score: np.float32) -> float:
    """A float32 score as the shortest decimal number that means it."""
    return float(str(np.float32(score) + np.float32(0)))  # no -0.0


def _nearest(kept: np.ndarray, share: float) -> int:
    """Index of the cut that keeps nearest to a share, the strictest of those as near; ``kept`` ascends."""
    return int(np.abs(kept - share).argmin())
