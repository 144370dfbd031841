"""How well scores tell good documents from others: at a threshold, over all of them, and as probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

BINS = 10  # of the calibration


class Evaluation(NamedTuple):
    """Counts of held-out documents, and how the scores do on them.

    ``precision``, ``recall`` and ``f1`` are those at ``minimum``, precision NaN when nothing passes; ``best_f1`` is the
    largest of all thresholds, and ``best_minimum`` the highest that reaches it. The others need no threshold.
    """

    positives: int
    negatives: int
    minimum: float
    precision: float
    recall: float
    f1: float
    roc_auc: float
    average_precision: float
    best_f1: float
    best_minimum: float
    brier: float
    calibration_error: float


class Curve(NamedTuple):
    """What each threshold gives, from the highest to the lowest, one a distinct score; all float64 [thresholds].

    ``passed_good`` and ``passed_other``: documents that score at least the threshold.
    """

    thresholds: np.ndarray
    passed_good: np.ndarray
    passed_other: np.ndarray


class Bin(NamedTuple):
    """Documents that score from ``low`` to below ``high`` (the last: to 1): their mean score, and the share of good
    ones among them with its 95 % interval (Wilson, 1927); None where there are none.
    """

    low: float
    high: float
    documents: int
    mean_score: float | None
    good: float | None
    good_low: float | None
    good_high: float | None


def evaluate(positive: np.ndarray, negative: np.ndarray, minimum: float) -> Evaluation:
    """Judges scores [p] of good documents and [n] of others.

    The area under the ROC curve is the probability that a good document scores higher than another one, ties counting
    half (Hanley and McNeil, 1982). Average precision is the sum of the precision at each threshold times the recall it
    adds. The Brier score is the mean squared distance of a score from 1 or 0, the calibration error the mean distance
    of mean score and share of good documents over ``BINS`` bins of equal width, by their documents (Naeini et al.,
    2015). Precision and what follows it depend on how many of both kinds there are.

    Raises:
        ValueError: one side is empty.
    """
    found = curve(positive, negative)
    passed, wrong = int(_at_least(positive, minimum)), int(_at_least(negative, minimum))
    precision = found.passed_good / (found.passed_good + found.passed_other)
    recall = found.passed_good / len(positive)
    f1 = 2 * found.passed_good / (len(positive) + found.passed_good + found.passed_other)
    best = int(f1.argmax())
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    squares = np.square(1 - positive.astype(np.float64)).sum() + np.square(negative.astype(np.float64)).sum()
    documents = len(positive) + len(negative)
    gaps = [
        each.documents * abs(each.mean_score - each.good)
        for each in calibration(positive, negative)
        if each.mean_score is not None and each.good is not None
    ]
    return Evaluation(
        positives=len(positive),
        negatives=len(negative),
        minimum=minimum,
        precision=passed / (passed + wrong) if passed + wrong else float("nan"),
        recall=passed / len(positive),
        f1=2 * passed / (len(positive) + passed + wrong),
        roc_auc=float(below.mean() / 2 / len(negative)),
        average_precision=float((precision * np.diff(recall, prepend=0)).sum()),
        best_f1=float(f1[best]),
        best_minimum=float(found.thresholds[best]),
        brier=float(squares / documents),
        calibration_error=sum(gaps) / documents,
    )


def curve(positive: np.ndarray, negative: np.ndarray) -> Curve:
    """What passes at each threshold; raises as ``evaluate``."""
    if not len(positive) or not len(negative):
        raise ValueError("quality evaluation needs documents on both sides")
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    passed = [len(scores) - np.searchsorted(np.sort(scores), thresholds, "left") for scores in (positive, negative)]
    return Curve(thresholds.astype(np.float64), passed[0].astype(np.float64), passed[1].astype(np.float64))


def calibration(positive: np.ndarray, negative: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Whether documents with a score of s are good ones in a share of s: bins of equal width over 0 to 1."""
    good, other = histogram(positive, bins), histogram(negative, bins)
    sums = np.zeros(bins)
    for scores in (positive, negative):
        np.add.at(sums, _bin_of(scores, bins), scores.astype(np.float64))
    rows = []
    for i in range(bins):
        documents = int(good[i] + other[i])
        mean, share = (sums[i] / documents, good[i] / documents) if documents else (None, None)
        low, high = _wilson(int(good[i]), documents) if documents else (None, None)
        rows.append(Bin(i / bins, (i + 1) / bins, documents, mean, None if share is None else float(share), low, high))
    return rows


def histogram(scores: np.ndarray, bins: int, sizes: np.ndarray | None = None) -> np.ndarray:
    """Documents by score, or what their sizes add up to: int64 [bins] of equal width over 0 to 1, the last with 1."""
    counts = np.zeros(bins, np.int64)
    np.add.at(counts, _bin_of(scores, bins), 1 if sizes is None else sizes.astype(np.int64))
    return counts


def by_label(truth: np.ndarray, probabilities: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Judges a classification: each document is taken for its most probable label.

    Args:
        truth: int64 [n], the index of the label that is right.
        probabilities: float [n, labels].
        labels: their names.

    Returns:
        ``documents``, ``accuracy``, ``macro_f1`` (the mean over labels that occur), ``confusion`` (rows: what is right,
        columns: what it was taken for) and ``labels``: for each ``documents``, ``precision``, ``recall``, ``f1`` and
        ``roc_auc`` against all others; None where there is nothing to divide by.

    Raises:
        ValueError: no documents.
    """
    if not len(truth):
        raise ValueError("quality evaluation needs documents")
    count = len(labels)
    taken = probabilities.argmax(axis=1)
    confusion = np.bincount(truth * count + taken, minlength=count * count).reshape(count, count)
    rows = []
    for i, label in enumerate(labels):
        right, named, found = int(confusion[i, i]), int(confusion[:, i].sum()), int(confusion[i].sum())
        scores, of_label = probabilities[:, i], truth == i
        both = 0 < found < len(truth)
        rows.append(
            {
                "label": label,
                "documents": found,
                "precision": right / named if named else None,
                "recall": right / found if found else None,
                "f1": 2 * right / (named + found) if named + found else None,
                "roc_auc": evaluate(scores[of_label], scores[~of_label], 0.5).roc_auc if both else None,
            }
        )
    return {
        "documents": len(truth),
        "accuracy": float(np.trace(confusion) / len(truth)),
        "macro_f1": float(np.mean([row["f1"] for row in rows if row["documents"]])),
        "confusion": confusion.tolist(),
        "labels": rows,
    }


def _at_least(scores: np.ndarray, minimum: float) -> int:
    """Scores that reach a threshold, compared in their own type as ``filters.presets.decide`` does."""
    return int((scores >= scores.dtype.type(minimum)).sum())


def _bin_of(scores: np.ndarray, bins: int) -> np.ndarray:
    return np.clip((scores.astype(np.float64) * bins).astype(np.int64), 0, bins - 1)


def _wilson(successes: int, trials: int) -> tuple[float, float]:
    z = 1.959963984540054
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return float(max(0.0, (centre - spread) / scale)), float(min(1.0, (centre + spread) / scale))
