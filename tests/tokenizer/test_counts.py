"""Piece counts against a Counter, that they add up exactly, and that memory is what is asked for."""

import collections
import functools
import io
import itertools
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import count_addition
from tokenizer.count_addition import merge_count_files, merge_counts
from tokenizer.count_files import CountFile, count_table, read_counts, schema, unit_of, write_counts
from tokenizer.counts import PieceCounter, count_pieces
from tokenizer.pretokenizers import pretokenizer
from tokenizer.scanner_kernels import piece_ends

PRESET = pretokenizer("deepseek-llm")
LARGEST = 2**63 - 1


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


def table_of(words, unit=1):
    pieces = [piece for piece, _ in words]
    offsets = np.cumsum([0, *map(len, pieces)])
    data = np.frombuffer(b"".join(pieces), np.uint8)
    return count_table(data, offsets, np.array([n for _, n in words], np.int64), schema(PRESET, unit))


WORDS = st.text(st.sampled_from(list("ab é中ا\n!")), max_size=30) | st.text(max_size=12)


@given(st.lists(st.tuples(WORDS, st.integers(0, 5)), max_size=12))
def test_counts_are_those_of_a_counter(documents):
    texts = [text for text, _ in documents]
    weights = np.array([weight for _, weight in documents], np.int64)
    table = count_pieces(pa.array(texts, pa.string()), PRESET, weights)
    assert rows(table) == counted(texts, weights.tolist())
    assert table.schema.equals(schema(PRESET), check_metadata=True)


@given(st.lists(st.text(st.sampled_from(list("\0ا\U0001f642")), min_size=1, max_size=9), min_size=1, max_size=120))
def test_pieces_lie_in_the_order_of_their_bytes(texts):
    """Zeros behind the end of a piece, long common beginnings, many that share their first eight bytes."""
    found = count_pieces(pa.array(texts), PRESET)["piece"].to_pylist()
    assert found == sorted(set(found))
    assert rows(count_pieces(pa.array(texts), PRESET)) == counted(texts, [1] * len(texts))


def test_many_distinct_pieces_grow_the_table():
    texts = [" ".join(f"w{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}" for i in range(9000))]
    assert rows(count_pieces(pa.array(texts), PRESET)) == counted(texts, [1])


def test_pieces_longer_than_a_word_and_at_the_end_of_the_buffer():
    texts = ["مرحبا" * 7, "abcdefghijklmnopqrstuvwxyz" * 3, "abcdefghijklmnopqrstuvwxyz" * 3, "abcdefg", "abcdefgh"]
    assert rows(count_pieces(pa.array(texts), PRESET)) == counted(texts, [1] * 5)


@pytest.fixture(scope="module")
def whole(real_texts):
    return count_pieces(pa.array(real_texts), PRESET)


@pytest.fixture(scope="module")
def parts(real_texts):
    return [count_pieces(pa.array(real_texts[i::7]), PRESET) for i in range(7)]


@pytest.fixture
def paths(parts, tmp_path):
    for i, part in enumerate(parts):
        write_counts(part, tmp_path / f"{i}.parquet")
    return [tmp_path / f"{i}.parquet" for i in range(len(parts))]


@pytest.mark.parametrize("table_bytes", [1, 200_000, 1_000_000])
def test_a_table_that_is_full_goes_to_disk(table_bytes, whole, real_texts, tmp_path):
    """Whatever the memory and the batches, the file has the same bytes."""
    expected = io.BytesIO()
    write_counts(whole, expected)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with PieceCounter(PRESET, table_bytes=table_bytes, folder=str(temporary)) as counter:
        for i in range(0, len(real_texts), 40):
            counter.add(pa.array(real_texts[i : i + 40]))
            size = counter._rows.nbytes + counter._slots.nbytes + counter._arena.nbytes
            assert size <= table_bytes + 64 * max(len(text.encode()) for text in real_texts)
        runs = len(list(temporary.rglob("*.parquet")))
        assert runs >= (20 if table_bytes == 1 else 1)
        written = io.BytesIO()
        assert counter.write(written) == whole.num_rows
    assert written.getvalue() == expected.getvalue()
    assert not list(temporary.iterdir())


def test_merging_tables_is_counting_everything(parts, whole):
    assert merge_counts(parts).equals(whole, check_metadata=True)
    assert merge_counts(parts[::-1]).equals(whole)


@pytest.mark.parametrize(("stream_rows", "fan_in"), [(1 << 20, 64), (7 * 1024, 64), (1 << 20, 2), (4096, 3)])
def test_merging_files_is_counting_everything(paths, whole, stream_rows, fan_in, tmp_path, monkeypatch):
    """In one round or in several, in batches much smaller than the files, in any order, by any number of threads."""
    monkeypatch.setattr(count_addition, "_STREAM_ROWS", stream_rows)
    monkeypatch.setattr(count_addition, "_FAN_IN", fan_in)
    first, second = tmp_path / "all.parquet", tmp_path / "again.parquet"
    assert merge_count_files(paths, first, workers=2) == whole.num_rows
    assert read_counts(first, PRESET).equals(whole, check_metadata=True)
    opened = [functools.partial(open, path, "rb") for path in paths[::-1]]
    assert merge_count_files(opened, second, pretokenizer=PRESET) == whole.num_rows
    assert first.read_bytes() == second.read_bytes()


TABLES = st.lists(
    st.tuples(
        st.dictionaries(st.binary(max_size=10) | st.binary(max_size=2), st.integers(1, 50), max_size=8),
        st.sampled_from([Fraction(1), Fraction(5, 2), Fraction(0), Fraction(1, 3), Fraction(1, 10)]),
        st.sampled_from([1, 2, 10]),
    ),
    min_size=1,
    max_size=6,
)


@given(TABLES, st.sampled_from([2, 64]))
def test_weighted_sums_are_rounded_once(tables, fan_in):
    """Half to even, whatever the units of the files and the rounds they are added up in."""
    sums = collections.Counter()
    sources, weights = [], []
    for words, weight, unit in tables:
        for piece, count in words.items():
            sums[piece] += weight * count / unit
        file = io.BytesIO()
        write_counts(table_of(sorted(words.items()), unit), file)
        sources.append(functools.partial(io.BytesIO, file.getvalue()))
        weights.append(weight)
    destination = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(count_addition, "_FAN_IN", fan_in)
        merge_count_files(sources, destination, weights)
    found = read_counts(destination)
    assert rows(found) == sorted((piece, round(total)) for piece, total in sums.items() if round(total))
    assert unit_of(found.schema) == 1


def test_sums_up_to_63_bits_and_no_further(tmp_path):
    near = table_of([(b"a", LARGEST - 1), (b"b", 2**40)])
    assert rows(merge_counts([near, table_of([(b"a", 1)])])) == [(b"a", LARGEST), (b"b", 2**40)]
    with pytest.raises(ValueError, match=r"counts add up to more than 2\^63: weigh them less"):
        merge_counts([near, table_of([(b"a", 2)])])
    write_counts(near, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"counts add up to more than 2\^63"):
        merge_count_files([tmp_path / "a.parquet"], tmp_path / "b.parquet", [2])
    with pytest.raises(ValueError, match=r"weights up to 4611686018427387904 can add up to more than 2\^63"):
        count_pieces(pa.array(["a b"]), PRESET, np.array([2**62]))


def test_a_piece_longer_than_everything_held(tmp_path):
    """A piece of 8 MB beside small ones, in files that are read a few rows at a time."""
    long = [(b"a", 1), (b"b" * (8 << 20), 2), (b"c", 3)]
    write_counts(table_of(long), tmp_path / "long.parquet")
    write_counts(table_of([(b"a", 4), (b"bb", 5)]), tmp_path / "short.parquet")
    merge_count_files([tmp_path / "long.parquet", tmp_path / "short.parquet"], tmp_path / "all.parquet")
    assert rows(read_counts(tmp_path / "all.parquet")) == [(b"a", 5), (b"bb", 5), *long[1:]]


def test_counts_of_another_pretokenizer_are_refused(tmp_path):
    other = pretokenizer("gpt2")
    table = count_pieces(pa.array(["a"]), other)
    with pytest.raises(ValueError, match=r"'gpt2' \(\w+\) cannot serve 'deepseek-llm'"):
        merge_counts([count_pieces(pa.array(["a"]), PRESET), table])
    write_counts(table, tmp_path / "counts.parquet")
    write_counts(count_pieces(pa.array(["a"]), PRESET), tmp_path / "ours.parquet")
    with pytest.raises(ValueError, match=r"counts.parquet: counts of pre-tokenizer 'gpt2'"):
        read_counts(tmp_path / "counts.parquet", PRESET)
    with pytest.raises(ValueError, match=r"counts.parquet: counts of pre-tokenizer 'gpt2'"):
        merge_count_files([tmp_path / "ours.parquet", tmp_path / "counts.parquet"], tmp_path / "all.parquet")


def test_what_is_no_count_file_is_named(tmp_path, whole):
    path = tmp_path / "counts.parquet"
    write_counts(whole, path)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"counts.parquet: is damaged or no count file"):
        read_counts(path)
    content[len(content) // 3 : len(content) // 3 + 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"counts.parquet: is damaged"):
        read_counts(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"counts.parquet: is damaged or no count file"):
        CountFile(path)
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(ValueError, match=r"counts.parquet: holds columns \['text'\], which is no count file"):
        CountFile(path)
    with pytest.raises(FileNotFoundError):
        CountFile(tmp_path / "none.parquet")


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
    with pytest.raises(ValueError, match="no counts to merge"):
        merge_count_files([], io.BytesIO())


def test_a_negative_weight_or_too_few_are_refused(paths):
    with pytest.raises(ValueError, match=r"weight -1 is negative"):
        merge_count_files(paths[:1], io.BytesIO(), [-1])
    with pytest.raises(ValueError, match="weights has 1 entries and there are 2 files"):
        merge_count_files(paths[:2], io.BytesIO(), [1])


@pytest.mark.parametrize("weight", [Fraction(10) ** 400, Fraction(1, 10**400)])
def test_weights_beyond_int64_are_refused(paths, weight):
    for files in (paths[:1], paths[:2]):
        with pytest.raises(ValueError, match="weights are too large, too small or of too many digits together"):
            merge_count_files(files, io.BytesIO(), [weight] * len(files))


def test_nothing_is_counted_in_nothing():
    assert count_pieces(pa.array([], pa.string()), PRESET).num_rows == 0
    assert count_pieces(pa.array(["", None]), PRESET).num_rows == 0
