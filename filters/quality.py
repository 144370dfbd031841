"""How much a document resembles the good examples that a fastText classifier was trained on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters import fasttext_model
from filters.names import unknown
from filters.samples import line_samples

POSITIVE, NEGATIVE = "positive", "negative"
# With one thread fastText 0.9.3 sets a tenth of its input vectors and leaves the rest as the memory was: it learns from
# NaN, or differently each time. A new process, told to take every large block fresh from the system, gets zeros.
_FRESH_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(128 << 10), "MALLOC_PERTURB_": "0"}
_LARGE = 1 << 20
_TRAIN = """
import json, sys
import fasttext_pybind
settings = json.load(sys.stdin)
output = settings.pop("model")
arguments = fasttext_pybind.args()
for key, value in settings.items():
    setattr(arguments, key, value)
arguments.model = fasttext_pybind.model_name.supervised
arguments.loss = fasttext_pybind.loss_name.softmax
model = fasttext_pybind.fasttext()
fasttext_pybind.train(model, arguments)
model.saveModel(output)
"""


class QualityModel:
    """Scores documents with the probability of one label of a fastText classifier."""

    def __init__(self, path: str | Path, label: str = POSITIVE, sample_bytes: int | None = None) -> None:
        """Reads the model.

        Args:
            path: a supervised fastText model.
            label: the label of good documents, with or without ``__label__``.
            sample_bytes: how much of a document is read (see ``line_samples``); None for all.

        Raises:
            ValueError: no fastText classifier at that path, or a label that it does not have (names those it has).
        """
        self.model = fasttext_model.load(path)
        wanted = label.removeprefix("__label__")
        if wanted not in self.model.labels:
            have = ", ".join(self.model.labels[:20]) + (", ..." if len(self.model.labels) > 20 else "")
            raise ValueError(
                f"quality model {str(path)!r} has the labels {have}: {unknown('label', wanted, self.model.labels)}"
            )
        self.label = self.model.labels.index(wanted)
        self.sample_bytes = sample_bytes

    def score(self, texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """The probability of the label for each document, float32 [n]; 0 where the model knows nothing of the text."""
        return self.model.probabilities(*line_samples(texts, self.sample_bytes))[:, self.label].copy()


def train(
    positive: Iterable[pa.Array | pa.ChunkedArray] | pa.Array | pa.ChunkedArray,
    negative: Iterable[pa.Array | pa.ChunkedArray] | pa.Array | pa.ChunkedArray,
    path: str | Path,
    *,
    dimension: int = 64,
    word_ngrams: int = 2,
    epochs: int | None = None,
    learning_rate: float = 0.5,
    minimum_count: int = 1,
    buckets: int = 1 << 18,
    sample_bytes: int | None = None,
    seed: int = 0,
) -> QualityModel:
    """Trains a classifier of two labels, ``positive`` and ``negative``, and writes it to ``path``.

    One thread and a fixed seed: the same texts give the same file. The classes are balanced by repeating the documents
    of the smaller one, in turn, and the two alternate, for fastText learns in the order of its input.

    Args:
        positive: good documents, ``string`` or ``large_string``.
        negative: other documents.
        path: the model to write (``.bin``); it appears whole or not at all.
        dimension: of the vectors.
        word_ngrams: longest run of words with a vector of its own.
        epochs: passes over the documents; None takes 5, and more when there are fewer than 20,000 documents.
        learning_rate: at the start; it falls to 0.
        minimum_count: occurrences a word needs.
        buckets: vectors that the runs of words share; at least 1 MB of them.
        sample_bytes: how much of a document is read; None for all.
        seed: of the vectors at the start.

    Raises:
        ValueError: a class without documents.
        ImportError: fastText cannot train here; says what to install.
        RuntimeError: fastText failed; says how.
    """
    lines = {POSITIVE: _lines(positive, sample_bytes), NEGATIVE: _lines(negative, sample_bytes)}
    for label, documents in lines.items():
        if not documents:
            raise ValueError(f"quality model: no {label} documents with text; both classes need some")
    if epochs is None:
        documents_in_pass = 2 * max(len(documents) for documents in lines.values())
        epochs = min(max(5, 100_000 // documents_in_pass), 100)
    _require_fasttext()
    handle, training_file = tempfile.mkstemp(suffix=".txt")
    unfinished = f"{path}.partial"
    try:
        with os.fdopen(handle, "wb") as file:
            for i in range(max(len(documents) for documents in lines.values())):
                for label, documents in lines.items():
                    file.write(b"__label__" + label.encode() + b" " + documents[i % len(documents)] + b"\n")
        settings = {
            "input": training_file, "output": "", "model": unfinished, "lr": learning_rate, "dim": dimension,
            "epoch": epochs, "minCount": minimum_count, "wordNgrams": word_ngrams,
            "bucket": max(buckets, _LARGE // (4 * dimension)), "minn": 0, "maxn": 0, "thread": 1, "seed": seed,
            "verbose": 0,
        }  # fmt: skip
        command = [sys.executable, "-c", _TRAIN]
        ended = subprocess.run(
            command, input=json.dumps(settings), text=True, capture_output=True, env=os.environ | _FRESH_MEMORY
        )
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"fastText could not train the quality model: {reason}")
        os.replace(unfinished, path)
    finally:
        os.unlink(training_file)
        if os.path.exists(unfinished):
            os.unlink(unfinished)
    return QualityModel(path, POSITIVE, sample_bytes)


def _lines(
    texts: Iterable[pa.Array | pa.ChunkedArray] | pa.Array | pa.ChunkedArray, sample_bytes: int | None
) -> list[bytes]:
    """Each document as one line of bytes, blank ones left out."""
    chunks = [texts] if isinstance(texts, (pa.Array, pa.ChunkedArray)) else texts
    lines: list[bytes] = []
    for chunk in chunks:
        data, offsets = line_samples(chunk, sample_bytes)
        content = data.tobytes()
        lines += [content[begin:end] for begin, end in pairwise(offsets)]
    # A word that looks like a label would become one.
    return [line.replace(b"__label__", b"__label_") for line in lines if line.strip()]


def _require_fasttext() -> None:
    try:
        import fasttext_pybind
    except ImportError as error:
        raise ImportError("training a quality model needs fastText: pip install fasttext") from error
    if not hasattr(fasttext_pybind, "train"):
        raise ImportError(
            "the fastText that is installed can only predict (fasttext-predict, under the same name): "
            "pip install --force-reinstall --no-deps fasttext"
        )
