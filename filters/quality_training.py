"""Training a fastText classifier of documents: reproducible, its classes balanced, a part of the texts held out."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from filters.quality import POSITIVE, QualityModel
from filters.samples import line_samples
from text.hashing import below, hash_texts

Texts: TypeAlias = Iterable[pa.Array | pa.ChunkedArray] | pa.Array | pa.ChunkedArray

# With one thread fastText 0.9.3 sets a tenth of its input vectors and leaves the rest as the memory was: it learns from
# NaN, or differently each time. A new process, told to take every large block fresh from the system, gets zeros.
_FRESH_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(128 << 10), "MALLOC_PERTURB_": "0"}
_LARGE = 1 << 20
_BATCH = 1024  # held-out documents scored at once
# Few documents are read often: until that many lines or bytes were seen, and 100 times at the most.
_LINES_SEEN, _BYTES_SEEN = 100_000, 200_000_000
_LEAST_EPOCHS, _MOST_EPOCHS = 5, 100
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


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a model is trained with.

    ``dimension`` of the vectors; ``word_ngrams``, the longest run of words with a vector of its own;
    ``min_characters`` and ``max_characters`` of the runs of characters within a word that have one, 0 for none (text
    written without spaces needs them, since a whole sentence is one word to fastText); ``epochs`` over the documents,
    None for 5, and more when there is little text; ``learning_rate`` at the start, from where it falls to 0;
    ``minimum_count``, occurrences a word needs; ``buckets``, vectors that all runs share; ``sample_bytes`` read of a
    document, None for all; ``held_out``, the share of the documents that is not learned from; ``seed`` of the vectors
    at the start and of the choice of what is held out.
    """

    dimension: int = 64
    word_ngrams: int = 2
    min_characters: int = 0
    max_characters: int = 0
    epochs: int | None = None
    learning_rate: float = 0.5
    minimum_count: int = 1
    buckets: int = 1 << 18
    sample_bytes: int | None = None
    held_out: float = 0.1
    seed: int = 0


@dataclasses.dataclass
class ClassCounts:
    """Of one class: documents with text, split into those trained on and held out, blank ones beside, bytes of text as
    it is read, and the SHA-256 of all its lines in order.
    """

    trained: int = 0
    held_out: int = 0
    blank: int = 0
    bytes: int = 0
    sha256: str = ""


class Trained(NamedTuple):
    """A model and what it was made of.

    ``epochs`` as they were; ``training_sha256`` of the text that fastText read; ``probabilities`` float32 [held out,
    labels of the model] and ``truth`` int64 [held out], the index of each document's label.
    """

    model: QualityModel
    settings: Settings
    epochs: int
    classes: dict[str, ClassCounts]
    training_sha256: str
    model_sha256: str
    probabilities: np.ndarray
    truth: np.ndarray

    def report(self) -> dict[str, Any]:
        """All but the documents, as JSON; the same texts and settings give the same."""
        return {
            "model": {
                "file": Path(self.model.model.path).name,
                "sha256": self.model_sha256,
                "labels": self.model.labels,
                "fasttext": _fasttext_version(),
            },
            "settings": dataclasses.asdict(self.settings) | {"epochs": self.epochs},
            "classes": {name: dataclasses.asdict(counts) for name, counts in self.classes.items()},
            "training_sha256": self.training_sha256,
        }


def train(classes: Mapping[str, Texts], path: str | Path, settings: Settings | None = None) -> Trained:
    """Trains a classifier with one label a class and writes it to ``path``.

    One thread and a fixed seed: the same texts give the same file. The classes are balanced by repeating the documents
    of the smaller ones, in turn, and they alternate, for fastText learns in the order of its input. What is held out
    goes by a hash of the text, so that equal documents lie on the same side, in whatever class they stand. Texts are
    read once, a batch at a time, and wait on disk.

    Args:
        classes: documents by class, ``string`` or ``large_string``; of two classes one is mostly ``positive``.
        path: the model to write (``.bin``); it appears whole or not at all.
        settings: see there.

    Raises:
        ValueError: fewer than two classes, a name that cannot be a label, or a class without documents to learn from.
        ImportError: fastText cannot train here; says what to install.
        RuntimeError: fastText failed; says how.
    """
    settings = settings or Settings()
    _check(classes, settings)
    _require_fasttext()
    with tempfile.TemporaryDirectory() as folder:
        counts = {}
        for number, (name, texts) in enumerate(classes.items()):
            with (
                open(_lines_of(folder, number, "train"), "wb") as learned,
                open(_lines_of(folder, number, "held"), "wb") as held,
            ):
                counts[name] = _spool(texts, settings, learned, held)
            if not counts[name].trained:
                raise ValueError(f"quality model: no {name} documents with text to learn from; every class needs some")
        training_file = os.path.join(folder, "all")
        rounds = max(each.trained for each in counts.values())
        training_sha256 = _alternate(folder, list(counts), rounds, training_file)
        epochs = settings.epochs or _epochs(len(counts) * rounds, os.path.getsize(training_file))
        _run_fasttext(training_file, path, settings, epochs)
        model = QualityModel(path, POSITIVE if POSITIVE in counts else next(iter(counts)))
        parts, truth = [np.empty((0, len(model.labels)), np.float32)], []
        for number, name in enumerate(counts):
            for lines in _batches(_lines_of(folder, number, "held")):
                parts.append(model.probabilities(pa.array(lines, pa.large_string())))
                truth += [model.labels.index(name)] * len(lines)
    model.sample_bytes = settings.sample_bytes  # what was held out had been cut already
    with open(path, "rb") as file:
        model_sha256 = hashlib.sha256(file.read()).hexdigest()
    return Trained(
        model, settings, epochs, counts, training_sha256, model_sha256, np.concatenate(parts), np.array(truth, np.int64)
    )


def _check(classes: Mapping[str, Texts], settings: Settings) -> None:
    if len(classes) < 2:
        raise ValueError(f"quality model: {len(classes)} class; there must be two or more to tell apart")
    for name in classes:
        if not name or name.split() != [name] or not name.isprintable():
            raise ValueError(f"quality model: {name!r} cannot be a label; take a name without spaces")
    if not 0 <= settings.held_out < 1:
        raise ValueError(f"quality model: a share of {settings.held_out:g} cannot be held out; take 0 to below 1")
    if not 0 <= settings.min_characters <= settings.max_characters or (
        settings.max_characters and not settings.min_characters
    ):
        raise ValueError(
            f"quality model: runs of {settings.min_characters} to {settings.max_characters} characters cannot be; "
            "give both, such as 1 and 3, or neither"
        )


def _epochs(lines: int, size: int) -> int:
    wanted = min(_LINES_SEEN // lines, _BYTES_SEEN // size, _MOST_EPOCHS)
    return max(wanted, _LEAST_EPOCHS)


def _lines_of(folder: str, number: int, side: str) -> str:
    return os.path.join(folder, f"{side}-{number}")


def _spool(texts: Texts, settings: Settings, learned: IO[bytes], held: IO[bytes]) -> ClassCounts:
    """Writes each document as one line to one of two files, blank ones to neither."""
    counts, digest = ClassCounts(), hashlib.sha256()
    for chunk in [texts] if isinstance(texts, (pa.Array, pa.ChunkedArray)) else texts:
        data, offsets = line_samples(chunk, settings.sample_bytes)
        aside = below(hash_texts(data, offsets, settings.seed), settings.held_out)
        content = data.tobytes()
        for (begin, end), is_held in zip(pairwise(offsets.tolist()), aside.tolist()):
            line = content[begin:end].strip()
            if not line:
                counts.blank += 1
                continue
            # A word that looks like a label would become one, and one that looks like a line's end would end it.
            line = line.replace(b"__label__", b"__label_").replace(b"</s>", b"</s") + b"\n"
            digest.update(line)
            counts.bytes += len(line) - 1
            if is_held:
                counts.held_out += 1
                held.write(line)
            else:
                counts.trained += 1
                learned.write(line)
    counts.sha256 = digest.hexdigest()
    return counts


def _alternate(folder: str, names: list[str], rounds: int, path: str) -> str:
    """Writes the training file, a line of each class in turn; returns its SHA-256."""
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(open(path, "wb"))
        files = [stack.enter_context(open(_lines_of(folder, number, "train"), "rb")) for number in range(len(names))]
        labels = [b"__label__" + name.encode() + b" " for name in names]
        for _ in range(rounds):
            for label, file in zip(labels, files):
                line = file.readline()
                if not line:
                    file.seek(0)
                    line = file.readline()
                output.write(label + line)
                digest.update(label + line)
    return digest.hexdigest()


def _batches(path: str) -> Iterator[list[str]]:
    with open(path, "rb") as file:
        while lines := [line.decode() for line in islice(file, _BATCH)]:
            yield lines


def _run_fasttext(training_file: str, path: str | Path, settings: Settings, epochs: int) -> None:
    unfinished = f"{path}.partial"
    arguments = {
        "input": training_file, "output": "", "model": unfinished, "lr": settings.learning_rate,
        "dim": settings.dimension, "epoch": epochs, "minCount": settings.minimum_count,
        "wordNgrams": settings.word_ngrams, "bucket": max(settings.buckets, _LARGE // (4 * settings.dimension)),
        "minn": settings.min_characters, "maxn": settings.max_characters, "thread": 1, "seed": settings.seed,
        "verbose": 0,
    }  # fmt: skip
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _TRAIN], input=json.dumps(arguments), text=True, capture_output=True,
            env=os.environ | _FRESH_MEMORY,
        )  # fmt: skip
        if ended.returncode:
            reason = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise RuntimeError(f"fastText could not train the quality model: {reason}")
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)


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


def _fasttext_version() -> str:
    try:
        return version("fasttext")
    except PackageNotFoundError:
        return "unknown"
