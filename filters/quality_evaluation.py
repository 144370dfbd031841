"""How well scores tell good documents from others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Evaluation(NamedTuple):
    """Counts of held-out documents, and how the scores do on them. ``precision`` is NaN when nothing passes."""

    positives: int
    negatives: int
    precision: float
    recall: float
    roc_auc: float


def evaluate(positive: np.ndarray, negative: np.ndarray, minimum: float) -> Evaluation:
    """Judges scores [p] of good documents and [n] of others, at a threshold and over all of them.

    The area under the ROC curve is the probability that a good document scores higher than another one, ties counting
    half (Hanley and McNeil, 1982).

    Raises:
        ValueError: one side is empty.
    """
    if not len(positive) or not len(negative):
        raise ValueError("quality evaluation needs documents on both sides")
    passed, wrong = int((positive >= minimum).sum()), int((negative >= minimum).sum())
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return Evaluation(
        len(positive),
        len(negative),
        passed / (passed + wrong) if passed + wrong else float("nan"),
        passed / len(positive),
        float(below.mean() / 2 / len(negative)),
    )
