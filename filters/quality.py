"""What a fastText classifier says of documents: how much they resemble its good examples, or what class they are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import fasttext_model
from filters.names import unknown
from filters.samples import line_samples

POSITIVE, NEGATIVE = "positive", "negative"


class Judgement(NamedTuple):
    """Of n documents: ``scores`` float32 [n], the probability of the model's label, 0 where it knows nothing of the
    text; ``labels`` string [n], the most probable label, null where it knows nothing.
    """

    scores: np.ndarray
    labels: pa.StringArray


class QualityModel:
    """A fastText classifier with the label whose probability is the score."""

    def __init__(self, path: str | Path, label: str | None = POSITIVE, sample_bytes: int | None = None) -> None:
        """Reads the model.

        Args:
            path: a supervised fastText model.
            label: the label of good documents, with or without ``__label__``; None, where no score is wanted, for the
                model's first.
            sample_bytes: how much of a document is read (see ``line_samples``); None for all.

        Raises:
            ValueError: no fastText classifier at that path, or a label that it does not have (names those it has).
        """
        self.model = fasttext_model.load(path)
        self.label = 0 if label is None else _index(str(path), self.model.labels, label)
        self.sample_bytes = sample_bytes

    @property
    def labels(self) -> list[str]:
        """The model's labels, in the order of its file."""
        return self.model.labels

    def probabilities(self, texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """The probability of each label, float32 [n, labels]; all 0 where the model knows nothing of the text."""
        return self.model.probabilities(*line_samples(texts, self.sample_bytes))

    def score(self, texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """The probability of the label for each document, float32 [n]; 0 where the model knows nothing of the text."""
        return self.probabilities(texts)[:, self.label].copy()

    def judge(self, texts: pa.Array | pa.ChunkedArray) -> Judgement:
        """Score and most probable label of each document; of equals the label that comes first in the model."""
        probabilities = self.probabilities(texts)
        known = probabilities.any(axis=1)
        best = pa.array(probabilities.argmax(axis=1), pa.int64(), mask=~known)
        return Judgement(probabilities[:, self.label].copy(), pa.array(self.labels, pa.string()).take(best))


def check_label(path: str | Path, label: str) -> None:
    """Reads no more of a model than its labels, and refuses one that it lacks; raises as ``QualityModel``."""
    _index(str(path), fasttext_model.labels(path), label)


def _index(path: str, labels: list[str], label: str) -> int:
    wanted = label.removeprefix("__label__")
    if wanted not in labels:
        have = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
        raise ValueError(f"quality model {path!r} has the labels {have}: {unknown('label', wanted, labels)}")
    return labels.index(wanted)
