"""Reading fastText classifiers (``.bin`` and compressed ``.ftz``) and predicting with them, without fastText itself.

Sources: Joulin et al., "Bag of Tricks for Efficient Text Classification", arXiv 1607.01759; Joulin et al.,
"FastText.zip", arXiv 1612.03651; the file layout is that of version 12 of facebookresearch/fastText.

Prediction reads Arrow buffers and releases the GIL. The scores are plain probabilities; fastText's own are up to 1e-5
higher, because it adds that before it takes a logarithm. A "</s>" in the text is a word like any other, where fastText
stops reading.
"""

from __future__ import annotations

import dataclasses
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from filters.fasttext_kernels import build_word_table, predict_rows

T = TypeVar("T")
MAGIC = 793712314
VERSIONS = (11, 12)
HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VERSUS_ALL = 1, 2, 3, 4
SUPERVISED = 3
_MOST_BUCKETS, _MOST_WORD_NGRAMS = 1 << 28, 255  # more than anyone trains with: a damaged file
_LOSSES = (HIERARCHICAL_SOFTMAX, NEGATIVE_SAMPLING, SOFTMAX, ONE_VERSUS_ALL)
END_OF_LINE = b"</s>"


class ModelError(ValueError):
    """What is wrong with a model's file, in one line that names it."""


class Tables(NamedTuple):
    """The model as the kernel reads it.

    ``shape`` int64 [8]: dim, minn, maxn, bucket, word n-grams, words, loss, row of the end-of-line token or -1.
    ``word_slots`` int32 [a power of two]: an open-addressing table of entries, -1 if empty.
    ``entry_bytes`` uint8 and ``entry_offsets`` int64 [entries + 1]: the dictionary's strings.
    ``ngram_rows`` int32 [bucket], the row of a hashed n-gram or -1; empty when row = words + hash.
    ``rows`` float32 [rows, dim]; ``output`` float32 [labels, dim] (hierarchical softmax: inner nodes).
    ``left`` and ``right`` int32 [2 * labels - 1]: the tree of the hierarchical softmax; empty otherwise.
    """

    shape: np.ndarray
    word_slots: np.ndarray
    entry_bytes: np.ndarray
    entry_offsets: np.ndarray
    ngram_rows: np.ndarray
    rows: np.ndarray
    output: np.ndarray
    left: np.ndarray
    right: np.ndarray


@dataclasses.dataclass(frozen=True)
class FastTextModel:
    """A classifier: its labels, in the file's order, without the prefix ``__label__``, and its tables."""

    path: str
    labels: list[str]
    tables: Tables

    def probabilities(self, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Classifies documents.

        Args:
            data: uint8 [bytes] and
            offsets: int64 [n + 1], one document a slice; a line feed counts as a space.

        Returns:
            float32 [n, labels]; all 0 for a document in which the model knows nothing.
        """
        return predict_rows(data, offsets, self.tables, len(self.labels))


def load(path: str | Path) -> FastTextModel:
    """Reads a supervised fastText model.

    Raises:
        ModelError: the file does not exist, is no fastText model, is cut short or is no classifier; says which.
    """
    return _read(path, _parse)


def labels(path: str | Path) -> list[str]:
    """The labels of a supervised fastText model, in the file's order, its matrices unread; raises as ``load``."""
    return _read(path, lambda where, version, content: _labels(_beginning(where, version, _Reader(content))))


def _read(path: str | Path, parse: Callable[[str, int, mmap.mmap], T]) -> T:
    if not Path(path).is_file():
        raise ModelError(f"fastText model {str(path)!r}: no such file")
    with open(path, "rb") as file:
        header = file.read(8)
        if len(header) < 8 or struct.unpack("<i", header[:4])[0] != MAGIC:
            raise ModelError(
                f"{str(path)!r} is not a fastText model (its first bytes are {header[:4]!r}); give a .bin or .ftz file"
            )
        version = struct.unpack("<i", header[4:])[0]
        if version not in VERSIONS:
            raise ModelError(f"fastText model {str(path)!r} has version {version}; versions 11 and 12 can be read")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return parse(str(path), version, content)
    except ModelError:
        raise
    except (struct.error, IndexError, ValueError, OverflowError, MemoryError) as error:
        raise ModelError(f"fastText model {str(path)!r} is cut short or damaged ({error}); copy it again") from error


class _Reader:
    """Takes values off a file from its 9th byte on."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content, self.position = content, 8

    def values(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from("<" + layout, self.content, self.position)
        self.position += struct.calcsize("<" + layout)
        return found

    def array(self, dtype: type[np.generic], count: int) -> np.ndarray:
        size = count * np.dtype(dtype).itemsize
        if count < 0 or self.position + size > len(self.content):
            raise IndexError(f"{size} bytes expected at byte {self.position} of {len(self.content)}")
        found = np.frombuffer(self.content, np.uint8, size, self.position)
        self.position += size
        if found.ctypes.data % np.dtype(dtype).itemsize:  # names of odd length come before the matrices
            found = found.copy()
        return found.view(dtype)

    def string(self) -> bytes:
        end = self.content.find(b"\0", self.position)
        if end < 0:
            raise IndexError("a dictionary entry does not end")
        found = self.content[self.position : end]
        self.position = end + 1
        return found


class _Beginning(NamedTuple):
    """What a model's file says before its matrices."""

    dim: int
    word_ngrams: int
    loss: int
    bucket: int
    minn: int
    maxn: int
    words: int
    pruned: int
    entries: list[bytes]
    counts: list[int]


def _beginning(path: str, version: int, reader: _Reader) -> _Beginning:
    dim, _, _, _, _, word_ngrams, loss, kind, bucket, minn, maxn, _ = reader.values("12i")
    reader.values("d")
    if kind != SUPERVISED:
        raise ModelError(f"fastText model {path!r} holds word vectors, no classifier; train it with supervised labels")
    if loss not in _LOSSES:
        raise IndexError(f"there is no loss {loss}")
    if version == 11:
        maxn = 0
    size, words, known_labels = reader.values("3i")
    _, pruned = reader.values("2q")
    if not 0 <= words < size == words + known_labels:
        raise IndexError(f"{words} words and {known_labels} labels do not make {size} entries")
    if not (0 <= bucket <= _MOST_BUCKETS and word_ngrams <= _MOST_WORD_NGRAMS and dim > 0):
        raise IndexError(f"dimension {dim}, {bucket} buckets and runs of {word_ngrams} words cannot be")
    entries, counts = [], []
    for _ in range(size):
        entries.append(reader.string())
        counts.append(reader.values("qb")[0])
    return _Beginning(dim, word_ngrams, loss, bucket, minn, maxn, words, pruned, entries, counts)


def _labels(beginning: _Beginning) -> list[str]:
    return [
        entry.decode("utf-8", "replace").removeprefix("__label__") for entry in beginning.entries[beginning.words :]
    ]


def _parse(path: str, version: int, content: mmap.mmap) -> FastTextModel:
    reader = _Reader(content)
    beginning = _beginning(path, version, reader)
    dim, word_ngrams, loss, bucket, minn, maxn, words, pruned, entries, counts = beginning
    ngram_rows = np.empty(0, np.int32)
    if pruned >= 0:
        pairs = reader.array(np.int32, 2 * pruned).reshape(-1, 2)
        if pruned and not (pairs.min() >= 0 and pairs[:, 0].max() < bucket):
            raise IndexError("n-grams lie outside their buckets")
        ngram_rows = np.full(max(bucket, 1), -1, np.int32)
        ngram_rows[pairs[:, 0]] = pairs[:, 1] + words

    (quantized,) = reader.values("?")
    rows = _quantized(reader) if quantized else _dense(reader)
    (output_quantized,) = reader.values("?")
    output = _quantized(reader) if quantized and output_quantized else _dense(reader)

    left, right = np.empty(0, np.int32), np.empty(0, np.int32)
    if loss == HIERARCHICAL_SOFTMAX:
        left, right = _huffman(counts[words:])
    entry_offsets = np.zeros(len(entries) + 1, np.int64)
    np.cumsum([len(entry) for entry in entries], out=entry_offsets[1:])
    entry_bytes = np.frombuffer(b"".join(entries), np.uint8)
    labels = _labels(beginning)
    slots = build_word_table(entry_bytes, entry_offsets)
    end_of_line = entries.index(END_OF_LINE) if END_OF_LINE in entries[:words] else -1
    shape = np.array([dim, minn, maxn, bucket, word_ngrams, words, loss, end_of_line], np.int64)
    least_rows = int(ngram_rows.max()) + 1 if pruned >= 0 else words + bucket
    least_output = len(labels) - (loss == HIERARCHICAL_SOFTMAX)
    if (
        rows.shape[1] != dim
        or output.shape[1] != dim
        or len(rows) < max(words, least_rows)
        or len(output) < least_output
    ):
        raise IndexError(f"matrices of {rows.shape} and {output.shape} do not fit {words} words of dimension {dim}")
    if not np.isfinite(output).all():
        raise IndexError("its weights are no numbers, so its training failed")
    return FastTextModel(
        path, labels, Tables(shape, slots, entry_bytes, entry_offsets, ngram_rows, rows, output, left, right)
    )


def _dense(reader: _Reader) -> np.ndarray:
    rows, columns = reader.values("2q")
    return reader.array(np.float32, rows * columns).reshape(rows, columns)


def _quantized(reader: _Reader) -> np.ndarray:
    """A product-quantized matrix, written out as float32."""
    (has_norms,) = reader.values("?")
    rows, columns = reader.values("2q")
    (code_size,) = reader.values("i")
    codes = reader.array(np.uint8, code_size).reshape(rows, -1)
    decoded = _decode(codes, *_centroids(reader))[:, :columns]
    if has_norms:
        norm_codes = reader.array(np.uint8, rows).reshape(rows, 1)
        decoded = decoded * _decode(norm_codes, *_centroids(reader))
    return np.ascontiguousarray(decoded)


def _centroids(reader: _Reader) -> tuple[np.ndarray, int, int, int]:
    dim, parts, width, last_width = reader.values("4i")
    return reader.array(np.float32, dim * 256), parts, width, last_width


def _decode(codes: np.ndarray, centroids: np.ndarray, parts: int, width: int, last_width: int) -> np.ndarray:
    """float32 [rows, dim] from uint8 [rows, parts]."""
    columns = []
    for part in range(parts):
        table = centroids[part * 256 * width :]
        own = last_width if part == parts - 1 else width
        columns.append(table[: 256 * own].reshape(256, own)[codes[:, part]])
    return np.concatenate(columns, axis=1)


def _huffman(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The children of each node, int32 [2 * labels - 1]; leaves, which come first, have -1."""
    leaves = len(counts)
    weights = np.array(counts + [10**15] * (leaves - 1), np.int64)
    left = np.full(len(weights), -1, np.int32)
    right = np.full(len(weights), -1, np.int32)
    leaf, node = leaves - 1, leaves
    for inner in range(leaves, len(weights)):
        children = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        left[inner], right[inner] = children
        weights[inner] = weights[children[0]] + weights[children[1]]
    return left, right
