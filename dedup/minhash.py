"""MinHash signatures: what is kept of each document so that copies are found without its text.

A signature holds the hash of the exact bytes, the hash of the folded words, k = bands * rows MinHash values over the
shingles, and one hash per band of values. Two documents of Jaccard similarity J agree in a MinHash value with
probability J (Broder 1997) and in at least one whole band with probability 1 - (1 - J^rows)^bands (Leskovec,
Rajaraman, Ullman: Mining of Massive Datasets, 3.4). The defaults are FineWeb's: 5 words, 14 bands of 8.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dedup import minhash_kernels
from dedup.shingles import word_table
from text.arrow_buffers import text_buffers
from text.hashing import keyed_hash

METADATA_KEY = b"gristmill.minhash"
# Raise it when a change of the word table, a hash or a kernel changes any value: old signatures are then refused.
FORMAT = 1
_LANES = 32  # multipliers are padded to whole unrolled vectors: a scalar remainder would cost more than the padding


class SettingsMismatch(ValueError):
    """Signatures that were made with other settings than those asked for."""


@dataclass(frozen=True)
class MinHashSettings:
    """How documents are signed. Signatures are comparable only under equal settings.

    Attributes:
        ngram: words in a shingle, at least 1.
        bands: bands of a signature, at least 1.
        rows: MinHash values in a band, at least 1; bands * rows at most 65,536.
        seed: chooses the hash family, 0 to 2^63 - 1.

    Raises:
        ValueError: a value is impossible.
    """

    ngram: int = 5
    bands: int = 14
    rows: int = 8
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least, most in [
            ("ngram", 1, 65_536),
            ("bands", 1, 65_536),
            ("rows", 1, 65_536),
            ("seed", 0, 2**63 - 1),
        ]:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"{name} = {value!r}: give a whole number from {least} to {most}")
        if self.permutations > 65_536:
            raise ValueError(f"bands * rows = {self.bands} * {self.rows} = {self.permutations}: 65536 is the most")

    @property
    def permutations(self) -> int:
        """MinHash values in a signature."""
        return self.bands * self.rows

    def match_probability(self, jaccard: float) -> float:
        """Probability that two documents of this similarity [0, 1] share a band, and so become a candidate pair."""
        return float(1 - (1 - jaccard**self.rows) ** self.bands)

    @classmethod
    def for_threshold(
        cls, threshold: float, permutations: int = 128, ngram: int = 5, seed: int = 1, miss_weight: float = 0.5
    ) -> MinHashSettings:
        """Chooses bands and rows for a Jaccard threshold.

        Minimises ``(1 - miss_weight) * false positive area + miss_weight * false negative area`` of the match
        probability on the two sides of the threshold, as datasketch's ``MinHashLSH`` does.

        Raises:
            ValueError: the threshold lies outside (0, 1), the weight outside [0, 1], or permutations below 1.
        """
        if not 0 < threshold < 1:
            raise ValueError(f"threshold = {threshold:g}: give a number between 0 and 1")
        if not 0 <= miss_weight <= 1:
            raise ValueError(f"miss_weight = {miss_weight:g}: give a number from 0 to 1")
        if permutations < 1:
            raise ValueError(f"permutations = {permutations}: give at least 1")
        step = 0.001  # midpoint rule, datasketch's step
        below = np.arange(step / 2, threshold, step)
        above = np.arange(threshold + step / 2, 1, step)
        best = (np.inf, 1, 1)
        for bands in range(1, permutations + 1):
            for rows in range(1, permutations // bands + 1):
                wrong = float(np.sum(1 - (1 - below**rows) ** bands)) * step
                missed = float(np.sum((1 - above**rows) ** bands)) * step
                best = min(best, ((1 - miss_weight) * wrong + miss_weight * missed, bands, rows))
        return cls(ngram, best[1], best[2], seed)


class Signatures(NamedTuple):
    """Signatures of n documents, row by row.

    Attributes:
        content: uint64 [n], hash of the exact UTF-8 bytes.
        normalised: uint64 [n], hash of the sequence of folded words.
        words: uint32 [n], number of words.
        bands: uint64 [n, bands], hash of each band; the band's number is part of it, so bands never mix. A document
            without words takes them from its content hash: it meets only documents of the same bytes.
        minima: uint32 [n, bands * rows], the MinHash values.
    """

    content: np.ndarray
    normalised: np.ndarray
    words: np.ndarray
    bands: np.ndarray
    minima: np.ndarray


def signatures(texts: pa.Array | pa.ChunkedArray, settings: MinHashSettings) -> Signatures:
    """Signs documents in one pass over their bytes; one thread, no lock on the interpreter.

    A document with fewer than ``ngram`` words has one shingle of all its words.

    Args:
        texts: ``string`` or ``large_string`` [n], valid UTF-8; nulls read as empty.
        settings: see ``MinHashSettings``.
    """
    data, offsets = text_buffers(texts)
    return Signatures(
        *minhash_kernels.signatures(
            data,
            offsets,
            word_table(),
            settings.ngram,
            settings.bands,
            settings.rows,
            np.uint64(settings.seed),
            _multipliers(settings.permutations, settings.seed),
        )
    )


@functools.cache
def _multipliers(permutations: int, seed: int) -> np.ndarray:
    """uint32 multipliers of the permutations, padded: random, and all different in their lowest bits."""
    padded = -(-permutations // _LANES) * _LANES
    low_bits = max(1, (padded - 1).bit_length())
    noise = keyed_hash(np.arange(padded, dtype=np.uint64), seed)
    rank = np.argsort(keyed_hash(np.arange(1 << low_bits, dtype=np.uint64), seed ^ 1), kind="stable")[:padded]
    high = (noise >> np.uint64(32)).astype(np.uint32) & ~np.uint32((1 << low_bits) - 1)
    multipliers = high | rank.astype(np.uint32)
    multipliers.flags.writeable = False
    return multipliers


def schema(settings: MinHashSettings) -> pa.Schema:
    """The schema of a signature file: ``key`` and the fields of ``Signatures``, the settings in its metadata."""
    return pa.schema(
        [
            pa.field("key", pa.uint64(), nullable=False),
            pa.field("content", pa.uint64(), nullable=False),
            pa.field("normalised", pa.uint64(), nullable=False),
            pa.field("words", pa.uint32(), nullable=False),
            pa.field("bands", pa.list_(_item(pa.uint64()), settings.bands), nullable=False),
            pa.field("minima", pa.list_(_item(pa.uint32()), settings.permutations), nullable=False),
        ],
        {METADATA_KEY: json.dumps({"format": FORMAT, **asdict(settings)}).encode()},
    )


def _item(kind: pa.DataType) -> pa.Field:
    return pa.field("element", kind, nullable=False)


def check_schema(found: pa.Schema, settings: MinHashSettings) -> None:
    """Refuses a signature file whose settings are not these.

    Raises:
        SettingsMismatch: names the settings of both sides.
    """
    stored = (found.metadata or {}).get(METADATA_KEY)
    if stored is None:
        raise SettingsMismatch("no MinHash signatures: the schema of this file names no settings; sign the dump again")
    wanted = {"format": FORMAT, **asdict(settings)}
    made = json.loads(stored)
    if made != wanted:
        differing = [name for name in [*wanted, *made] if made.get(name) != wanted.get(name)]
        sides = "; ".join(
            f"{name} {made.get(name)} there, {wanted.get(name)} asked for" for name in dict.fromkeys(differing)
        )
        raise SettingsMismatch(
            f"signatures made with other settings ({sides}): set dedup back to what they were made with, "
            "or delete them and sign the dump again"
        )
    expected = schema(settings)
    for field in expected:
        if found.get_field_index(field.name) < 0:
            raise SettingsMismatch(f"the signature file has no column {field.name}: it has {', '.join(found.names)}")


def to_record_batch(keys: np.ndarray, signed: Signatures, settings: MinHashSettings) -> pa.RecordBatch:
    """Puts signatures beside their documents' keys (uint64 [n]) in the layout of ``schema``, without copying.

    Raises:
        ValueError: the number of keys, bands or values is not that of the signatures and settings.
    """
    rows = len(signed.content)
    shapes = {
        "keys": (len(keys), rows),
        "bands": (signed.bands.shape[1], settings.bands),
        "MinHash values": (signed.minima.shape[1], settings.permutations),
    }
    for what, (has, wants) in shapes.items():
        if has != wants:
            raise ValueError(f"{has} {what} where {wants} belong: give the settings the signatures were made with")
    layout = schema(settings)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(keys, pa.uint64()),
            pa.array(signed.content, pa.uint64()),
            pa.array(signed.normalised, pa.uint64()),
            pa.array(signed.words, pa.uint32()),
            _fixed_size_list(signed.bands, layout.field("bands").type),
            _fixed_size_list(signed.minima, layout.field("minima").type),
        ],
        schema=layout,
    )


def _fixed_size_list(matrix: np.ndarray, kind: pa.DataType) -> pa.Array:
    values = pa.array(np.ascontiguousarray(matrix).reshape(-1), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


def matrix(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A ``bands`` or ``minima`` column as a matrix [n, list size], a view where the column is one chunk."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    size = column.type.list_size
    return np.asarray(column.flatten()).reshape(-1, size)
