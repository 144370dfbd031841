"""Signature files: their layout, and which of them may be compared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dedup.minhash import MinHashSettings, signatures
from dedup.signature_files import METADATA_KEY, SettingsMismatch, check_schema, matrix, schema, to_record_batch


def test_signature_files_come_back_as_written(snapshots, tmp_path):
    urls = np.arange(len(snapshots.keys), dtype=np.uint64)
    batch = to_record_batch(snapshots.keys, urls, snapshots.signed, snapshots.settings)
    assert batch.schema.equals(schema(snapshots.settings), check_metadata=True)
    pq.write_table(pa.Table.from_batches([batch]), tmp_path / "part.parquet", compression="zstd", row_group_size=100)
    table = pq.read_table(tmp_path / "part.parquet")
    assert check_schema(table.schema, snapshots.settings) == 112
    assert np.array_equal(table["key"].to_numpy(), snapshots.keys) and np.array_equal(table["url"].to_numpy(), urls)
    for name in ("content", "normalised", "words", "text_bytes"):
        assert np.array_equal(table[name].to_numpy(), getattr(snapshots.signed, name))
    wanted, column = snapshots.signed.minima, table["minima"]
    for each in (column, column.chunk(0), batch.column("minima")):
        assert np.array_equal(matrix(each), wanted[: len(each)])
    assert np.array_equal(matrix(column.slice(7, 11)), wanted[7:18])
    assert matrix(column.slice(0, 0)).shape == (0, 112)


def test_signatures_made_otherwise_are_refused_with_both_sides_named():
    made = MinHashSettings(5, 112)
    with pytest.raises(SettingsMismatch, match=r"ngram 5 there, 3 asked for; seed 1 there, 2 asked for"):
        check_schema(schema(made), MinHashSettings(3, 260, 2))
    with pytest.raises(SettingsMismatch, match=r"112 values a document there, bands × rows = 260 asked for"):
        check_schema(schema(made), MinHashSettings(5, 260))
    with pytest.raises(SettingsMismatch, match="no MinHash signatures"):
        check_schema(pa.schema([("key", pa.uint64())]), made)
    with pytest.raises(SettingsMismatch, match="no column minima"):
        check_schema(schema(made).remove(6), made)
    older = schema(made).with_metadata({METADATA_KEY: schema(made).metadata[METADATA_KEY].replace(b"2", b"1", 1)})
    with pytest.raises(SettingsMismatch, match=r"format 1 there, 2 asked for"):
        check_schema(older, made)


def test_more_values_than_are_asked_for_serve():
    assert check_schema(schema(MinHashSettings(permutations=128)), MinHashSettings(permutations=112)) == 128


def test_signatures_and_settings_must_fit():
    signed = signatures(pa.array(["a b c", "d"]), MinHashSettings())
    two = np.arange(2, dtype=np.uint64)
    with pytest.raises(ValueError, match="112 MinHash values where 260 belong"):
        to_record_batch(two, two, signed, MinHashSettings(5, 260))
    with pytest.raises(ValueError, match="3 keys where 2 belong"):
        to_record_batch(np.arange(3, dtype=np.uint64), two, signed, MinHashSettings())
    with pytest.raises(ValueError, match="1 addresses where 2 belong"):
        to_record_batch(two, two[:1], signed, MinHashSettings())
