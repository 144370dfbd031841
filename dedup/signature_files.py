"""The layout of signature files, and whether one may be compared with another.

Signatures are kept for years and for many corpora, so a file says in its schema what it was made with.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from dedup.minhash import MinHashSettings, Signatures

METADATA_KEY = b"gristmill.minhash"
# Raise it when a change of the word table, a hash or a kernel changes any value: old signatures are then refused.
FORMAT = 2


class SettingsMismatch(ValueError):
    """Signatures that were made with other settings than those asked for."""


def schema(settings: MinHashSettings) -> pa.Schema:
    """The schema of a signature file: ``key``, ``url``, the fields of ``Signatures``; the settings in its metadata."""
    columns = [
        ("key", pa.uint64()),
        ("content", pa.uint64()),
        ("normalised", pa.uint64()),
        ("url", pa.uint64()),
        ("words", pa.uint32()),
        ("text_bytes", pa.uint64()),
        ("minima", pa.list_(pa.field("element", pa.uint32(), nullable=False), settings.permutations)),
    ]
    return pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in columns],
        {METADATA_KEY: json.dumps({"format": FORMAT, **asdict(settings)}).encode()},
    )


def check_schema(found: pa.Schema, settings: MinHashSettings) -> int:
    """Refuses a signature file that cannot be compared with signatures of these settings.

    Args:
        found: the schema of the file.
        settings: of the other side; ``permutations`` is how many values are needed at least.

    Returns:
        How many values the file stores.

    Raises:
        SettingsMismatch: names the settings of both sides.
    """
    stored = (found.metadata or {}).get(METADATA_KEY)
    if stored is None:
        raise SettingsMismatch("no MinHash signatures: the schema of this file names no settings; sign the dump again")
    wanted = {"format": FORMAT, **asdict(settings)}
    made = json.loads(stored)
    differing = [name for name in wanted if name != "permutations" and made.get(name) != wanted[name]]
    sides = [f"{name} {made.get(name)} there, {wanted[name]} asked for" for name in differing]
    if not differing and made["permutations"] < settings.permutations:
        sides = [f"{made['permutations']} values a document there, bands × rows = {settings.permutations} asked for"]
    if sides:
        raise SettingsMismatch(
            f"signatures made with other settings ({'; '.join(sides)}): set dedup back to what they were made with, "
            "or delete them and sign the dump again"
        )
    for field in schema(settings):
        if found.get_field_index(field.name) < 0:
            raise SettingsMismatch(f"the signature file has no column {field.name}: it has {', '.join(found.names)}")
    return int(made["permutations"])


def to_record_batch(
    keys: np.ndarray, urls: np.ndarray, signed: Signatures, settings: MinHashSettings
) -> pa.RecordBatch:
    """Puts signatures beside keys and hashes of addresses (uint64 [n]) in the layout of ``schema``; copies nothing.

    Raises:
        ValueError: the number of keys, addresses or values is not that of the signatures and settings.
    """
    rows = len(signed.content)
    shapes = {
        "keys": (len(keys), rows),
        "addresses": (len(urls), rows),
        "MinHash values": (signed.minima.shape[1], settings.permutations),
    }
    for what, (has, wants) in shapes.items():
        if has != wants:
            raise ValueError(f"{has} {what} where {wants} belong: give the settings the signatures were made with")
    layout = schema(settings)
    columns = {"key": keys, "url": urls, **signed._asdict()}
    values = pa.array(np.ascontiguousarray(columns.pop("minima")).reshape(-1), pa.uint32())
    minima = pa.FixedSizeListArray.from_arrays(values, type=layout.field("minima").type)
    flat = [pa.array(columns[field.name], field.type) for field in layout if field.name in columns]
    return pa.RecordBatch.from_arrays([*flat, minima], schema=layout)


def matrix(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """A ``minima`` column as a matrix uint32 [n, list size], a view where the column is one chunk."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    size = column.type.list_size
    return np.asarray(column.flatten()).reshape(-1, size)
