"""Ids are those of `tokenizers`, from every path through the encoder, and decode to the same bytes."""

import importlib
import itertools
import pickle
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.merges import ID_OF_BYTE, Merges, train
from tokenizer.pretokenizers import pretokenizer
from tokenizer.scanner_kernels import piece_ends

PRESET = pretokenizer("deepseek-llm")


def documents(encoded):
    return [encoded.tokens[a:b].tolist() for a, b in zip(encoded.offsets, encoded.offsets[1:])]


def encoded_slowly(text, tokenizer):
    """The definition: in each piece, always the earliest merge, of equals the leftmost."""
    ranks = {tuple(pair): 256 + i for i, pair in enumerate(tokenizer.merges.pairs.tolist())}
    data = np.frombuffer(text.encode(), np.uint8)
    ids = []
    start = 0
    for end in piece_ends(data, 0, len(data), *tokenizer.pretokenizer.tables).tolist():
        piece = ID_OF_BYTE[data[start:end]].tolist()
        start = end
        while True:
            found = [(ranks[pair], i) for i, pair in enumerate(itertools.pairwise(piece)) if pair in ranks]
            if not found:
                break
            rank, i = min(found)
            piece[i : i + 2] = [rank]
        ids += piece
    return ids


@pytest.fixture(scope="module")
def encoder(trained):
    return Encoder(trained)


def test_real_text(real_texts, deepseek, as_hugging_face):
    tokenizer = Tokenizer(deepseek, train(count_pieces(pa.array(real_texts[::2]), deepseek), 8000))
    peer = as_hugging_face(tokenizer)
    encoder = Encoder(tokenizer)
    column = pa.array(real_texts)
    for _ in range(2):  # cold, then with a warm cache
        encoded = encoder.encode(column)
        assert documents(encoded) == [peer.encode(text).ids for text in real_texts]
    assert encoder.decode_batch(*encoded).to_pylist() == [text.encode() for text in real_texts]


PIECES = st.sampled_from(
    ["the", " quick", "中文", "机器学习", "كتاب", " ", "  ", "a", "\u0301", "ü", "12", "\n", "\U0001f642", "ab"]
)


@given(st.text(max_size=80) | st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=1500)
def test_any_text(encoder, oracle, text):
    [ids] = documents(encoder.encode(pa.array([text])))
    assert ids == oracle.encode(text).ids
    assert encoder.decode(np.array(ids, np.uint32)) == text.encode()


words = st.text(st.sampled_from("abاب中"), min_size=1, max_size=30)


@given(st.lists(words, min_size=1, max_size=8), st.lists(words, min_size=1, max_size=4))
@settings(max_examples=150)
def test_both_ways_to_merge_are_the_definition(learned_from, texts):
    """Tokenizers learned from little text have the most awkward merges."""
    tokenizer = Tokenizer(PRESET, train(count_pieces(pa.array(learned_from), PRESET), 300))
    matching = Encoder(tokenizer)
    assert matching._tables.proper
    merging = Encoder(tokenizer)
    merging._tables = merging._tables._replace(proper=0)
    expected = [encoded_slowly(text, tokenizer) for text in texts]
    assert documents(matching.encode(pa.array(texts))) == expected
    assert documents(merging.encode(pa.array(texts))) == expected


def test_a_vocabulary_whose_tokens_do_not_encode_to_themselves():
    a, b, c = ID_OF_BYTE[list(b"abc")].tolist()
    pairs = np.array([[b, c], [a, b], [257, c]], np.int32)  # abc would be made of ab and c, but bc merges first
    tokenizer = Tokenizer(PRESET, Merges(pairs, np.zeros(3, np.int64)))
    encoder = Encoder(tokenizer)
    assert not encoder._tables.proper
    texts = ["abc", "ab", "abab", "ababc" * 9]
    assert documents(encoder.encode(pa.array(texts))) == [encoded_slowly(text, tokenizer) for text in texts]


@pytest.mark.parametrize("unit", ["ا", "a", "🙂", "中", " ", "ab", "كتاب", "\u3000 ", "\u0301", "=-"])
def test_long_pieces_take_time_in_proportion(encoder, oracle, unit):
    long = unit * (1_000_000 // len(unit.encode()))
    encoder.encode(pa.array([unit]))
    start = time.perf_counter()
    encoded = encoder.encode(pa.array([long]))
    assert time.perf_counter() - start < 20  # a quadratic loop takes hours
    assert encoder.decode(encoded.tokens) == long.encode()
    short = unit * 500
    assert documents(encoder.encode(pa.array([short]))) == [oracle.encode(short).ids]


def test_long_runs_where_matching_gives_up(deepseek, as_hugging_face):
    texts = [" " * n for n in (1, 2, 3, 5, 8, 100, 400)] * 20
    tokenizer = Tokenizer(deepseek, train(count_pieces(pa.array(texts), deepseek), 400))
    column = [" " * n for n in range(1, 1200, 7)]
    peer = as_hugging_face(tokenizer)
    assert documents(Encoder(tokenizer).encode(pa.array(column))) == [peer.encode(text).ids for text in column]


def test_threads_share_an_encoder(encoder, oracle, sentences):
    column = pa.array(sentences * 20)
    expected = [oracle.encode(text).ids for text in sentences] * 20
    results = [None] * 4

    def work(i):
        results[i] = documents(encoder.encode(column))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_kinds_of_columns(encoder, sentences):
    whole = pa.array([*sentences, None, ""])
    expected = documents(encoder.encode(pa.array([*sentences, "", ""])))
    for column in [whole, whole.cast(pa.large_string()), pa.chunked_array([whole[:3], whole[3:]])]:
        assert documents(encoder.encode(column)) == expected
    assert documents(encoder.encode(whole[2:5])) == expected[2:5]
    assert documents(encoder.encode(whole[:0])) == []


def test_begin_and_end(encoder, trained):
    encoded = encoder.encode(pa.array(["ab", ""]), begin=True, end=True)
    begin, end = trained.special("begin"), trained.special("end")
    plain = encoder.encode(pa.array(["ab"])).tokens.tolist()
    assert documents(encoded) == [[begin, *plain, end], [begin, end]]
    assert encoder.decode(np.array([end], np.uint32)) == b"<|end_of_text|>"


def test_special_tokens_written_out_are_ordinary_text(encoder, trained):
    text = "a<|end_of_text|>b<|user|>"
    ids = encoder.encode(pa.array([text])).tokens
    assert not set(ids.tolist()) & set(trained.special_ids.values())
    assert encoder.decode(ids) == text.encode()


def test_every_byte_is_reachable(encoder):
    assert encoder.decode(ID_OF_BYTE.astype(np.uint32)) == bytes(range(256))


def test_pickling_rebuilds_the_tables(encoder, sentences):
    again = pickle.loads(pickle.dumps(encoder))
    assert documents(again.encode(pa.array(sentences))) == documents(encoder.encode(pa.array(sentences)))


def test_bad_input_is_named(encoder, trained):
    with pytest.raises(ValueError, match="invalid UTF-8"):
        encoder.encode(pa.array([b"\xe4\xb8"], pa.binary()).view(pa.string()))
    with pytest.raises(ValueError, match=f"token {trained.tokens} at position 1 is outside the vocabulary"):
        encoder.decode(np.array([5, trained.tokens], np.uint32))


def test_tables_need_no_recompilation_per_vocabulary():
    kernels = importlib.import_module("tokenizer.encoder_kernels")
    assert len(kernels.encode.signatures) <= 2
