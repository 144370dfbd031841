"""Fill-in-the-middle: nothing is lost, cuts are between characters, choices follow from keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.encoder import Encoder
from tokenizer.fill_in_middle import chosen, cut, encode_rearranged
from tokenizer.formats import Tokenizer
from tokenizer.merges import Merges
from tokenizer.pretokenizers import pretokenizer

TEXTS = ["", "a", "The mill grinds 42 sacks.", "磨坊磨了四十二袋。" * 3, "é🙂" * 5, "x\n" * 100]


@pytest.fixture(scope="module")
def encoder():
    """Bytes only, and the default special tokens."""
    return Encoder(Tokenizer(pretokenizer("deepseek-llm"), Merges(np.empty((0, 2), np.int32), np.empty(0, np.int64))))


@given(st.lists(st.text(), min_size=1, max_size=20), st.integers(0, 2**32))
def test_parts_are_the_text_cut_between_characters(texts, seed):
    keys = np.arange(len(texts), dtype=np.uint64) * np.uint64(977)
    parts = cut(pa.array(texts, pa.large_string()), keys, 0, seed)
    parts.validate(full=True)  # every part is whole UTF-8
    assert ["".join(parts[3 * i : 3 * i + 3].to_pylist()) for i in range(len(texts))] == texts


def test_a_slice_of_a_column_is_cut_like_the_column():
    column = pa.array(TEXTS, pa.large_string())
    keys = np.arange(len(TEXTS), dtype=np.uint64)
    whole = cut(column, keys, 0, 3).to_pylist()
    assert cut(column[2:5], keys[2:5], 0, 3).to_pylist() == whole[6:15]


def test_cuts_are_uniform_and_differ_by_copy():
    texts = pa.array(["x" * 1000] * 4000, pa.large_string())
    keys = np.arange(4000, dtype=np.uint64)
    first = np.array([len(part) for part in cut(texts, keys, 0, 1).to_pylist()]).reshape(-1, 3)
    # The lengths of three parts between two uniform cuts are a third each on average, with deviation 1000 / sqrt(18).
    assert np.abs(first.mean(0) - 1000 / 3).max() < 5 * 1000 / 18**0.5 / 4000**0.5
    again = np.array([len(part) for part in cut(texts, keys, 1, 1).to_pylist()]).reshape(-1, 3)
    assert (first != again).any(axis=1).mean() > 0.99


def test_choice_is_by_key_and_grows_with_the_rate():
    keys = np.arange(50_000, dtype=np.uint64)
    small, large = chosen(keys, 0, 9, 0.1), chosen(keys, 0, 9, 0.5)
    assert abs(small.mean() - 0.1) < 0.006
    assert (large | ~small).all()
    assert not chosen(keys, 0, 9, 0).any() and chosen(keys, 0, 9, 1).all()


@pytest.mark.parametrize("begin", [False, True])
@pytest.mark.parametrize("end", [False, True])
def test_documents_read_prefix_suffix_middle(encoder, begin, end):
    keys = np.arange(len(TEXTS), dtype=np.uint64)
    texts = pa.array(TEXTS, pa.large_string())
    parts = cut(texts, keys, 0, 7).to_pylist()
    tokens, offsets = encode_rearranged(encoder, texts, keys, 0, 7, begin=begin, end=end)
    for i in range(len(TEXTS)):
        prefix, middle, suffix = parts[3 * i : 3 * i + 3]
        wanted = f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>{middle}"
        wanted = "<|begin_of_text|>" * begin + wanted + "<|end_of_text|>" * end
        assert encoder.decode(tokens[offsets[i] : offsets[i + 1]]).decode() == wanted
    assert encode_rearranged(encoder, texts[:0], keys[:0], 0, 7).offsets.tolist() == [0]
