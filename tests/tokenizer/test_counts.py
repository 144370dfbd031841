"""Piece counts against a Counter, and that they add up."""

import collections
import dataclasses
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.count_addition import merge_count_files, merge_counts
from tokenizer.count_files import read_counts, schema, write_counts
from tokenizer.counts import count_pieces
from tokenizer.pretokenizers import pretokenizer
from tokenizer.scanner_kernels import piece_ends

PRESET = pretokenizer("deepseek-llm")


def counted(texts, weights):
    """The slow definition."""
    counter = collections.Counter()
    for text, weight in zip(texts, weights):
        content = text.encode()
        ends = piece_ends(np.frombuffer(content, np.uint8), 0, len(content), *PRESET.tables).tolist()
        for start, end in itertools.pairwise([0, *ends]):
            counter[content[start:end]] += weight
    return sorted((piece, count) for piece, count in counter.items() if count)


def rows(table):
    return list(zip(table["piece"].to_pylist(), table["count"].to_pylist()))


WORDS = st.text(st.sampled_from(list("ab é中ا\n!")), max_size=30) | st.text(max_size=12)


@given(st.lists(st.tuples(WORDS, st.integers(0, 5)), max_size=12))
def test_counts_are_those_of_a_counter(documents):
    texts = [text for text, _ in documents]
    weights = np.array([weight for _, weight in documents], np.int64)
    table = count_pieces(pa.array(texts, pa.string()), PRESET, weights)
    assert rows(table) == counted(texts, weights.tolist())
    assert table.schema.equals(schema(PRESET), check_metadata=True)


def test_many_distinct_pieces_grow_the_table():
    texts = [" ".join(f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(9000))]
    assert rows(count_pieces(pa.array(texts), PRESET)) == counted(texts, [1])


def test_pieces_longer_than_a_word_and_at_the_end_of_the_buffer():
    texts = ["مرحبا" * 7, "abcdefghijklmnopqrstuvwxyz" * 3, "abcdefghijklmnopqrstuvwxyz" * 3, "abcdefg", "abcdefgh"]
    assert rows(count_pieces(pa.array(texts), PRESET)) == counted(texts, [1] * 5)


@pytest.fixture
def parts(real_texts):
    return [count_pieces(pa.array(real_texts[i::3]), PRESET) for i in range(3)]


def test_merging_tables_is_counting_everything(parts, real_texts):
    whole = count_pieces(pa.array(real_texts), PRESET)
    assert merge_counts(parts).equals(whole, check_metadata=True)
    assert merge_counts(parts[::-1]).equals(whole)


def test_merging_files_is_counting_everything(parts, real_texts, tmp_path, monkeypatch):
    for i, part in enumerate(parts):
        write_counts(part, tmp_path / f"{i}.parquet")
    paths = [tmp_path / f"{i}.parquet" for i in range(3)]
    whole = count_pieces(pa.array(real_texts), PRESET)
    assert merge_count_files(paths, tmp_path / "all.parquet") == whole.num_rows
    assert read_counts(tmp_path / "all.parquet", PRESET).equals(whole, check_metadata=True)
    # Batches much smaller than the files, so that every stream is cut many times.
    monkeypatch.setattr("tokenizer.count_addition._STREAM_ROWS", 3 * 1024)
    assert merge_count_files(paths[::-1], tmp_path / "again.parquet") == whole.num_rows
    assert read_counts(tmp_path / "again.parquet", PRESET).equals(whole)


def test_counts_of_another_pretokenizer_are_refused(tmp_path):
    other = dataclasses.replace(PRESET, name="mine", isolated="4E00-9FFF")
    table = count_pieces(pa.array(["a"]), other)
    with pytest.raises(ValueError, match=r"'mine' \(\w+\) cannot serve 'deepseek-llm'"):
        merge_counts([count_pieces(pa.array(["a"]), PRESET), table])
    write_counts(table, tmp_path / "counts.parquet")
    with pytest.raises(ValueError, match="'mine'"):
        read_counts(tmp_path / "counts.parquet", PRESET)


def test_bad_input_is_named():
    invalid = pa.array([b"fine", b"\xff\xfe"], pa.binary()).view(pa.string())
    with pytest.raises(ValueError, match="invalid UTF-8"):
        count_pieces(invalid, PRESET)
    with pytest.raises(ValueError, match="weights has 1 rows and texts 2"):
        count_pieces(pa.array(["a", "b"]), PRESET, np.ones(1, np.int64))
    with pytest.raises(ValueError, match="weights holds -1"):
        count_pieces(pa.array(["a"]), PRESET, np.array([-1]))
    with pytest.raises(ValueError, match="no counts to merge"):
        merge_counts([])


def test_nothing_is_counted_in_nothing():
    assert count_pieces(pa.array([], pa.string()), PRESET).num_rows == 0
    assert count_pieces(pa.array(["", None]), PRESET).num_rows == 0
