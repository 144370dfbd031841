"""Ids are those of `tokenizers`, from every path through the encoder, and decode to the same bytes."""

import importlib
import itertools
import pickle
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naughty import NAUGHTY

from benchmarks.generated.hard_texts import HARD_TEXTS, hard_text
from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.limits import check_size
from tokenizer.merges import ID_OF_BYTE, Merges, train
from tokenizer.pretokenizers import PRETOKENIZERS, pretokenizer
from tokenizer.scanner_kernels import piece_ends
from tokenizer.word_cache import CacheSize

PRESET = pretokenizer("deepseek-llm")
OTHER_PRESETS = sorted(set(PRETOKENIZERS) - {"deepseek-llm"})
TINY = CacheSize(word_sets=2, slot_lines=2, ring_words=64)


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


def test_a_vocabulary_as_large_as_the_tables_hold(deepseek, as_hugging_face):
    """More nodes of the trie than 2**21: letters doubled up to a megabyte each."""
    letters = ID_OF_BYTE[list(b"abc")].tolist()
    pairs: list[list[int]] = []
    for letter in letters:
        pairs += [[letter, letter], *([256 + len(pairs) + i] * 2 for i in range(19))]
    tokenizer = Tokenizer(deepseek, Merges(np.array(pairs, np.int32), np.zeros(len(pairs), np.int64)))
    assert sum(map(len, tokenizer.merges.tokens())) > 3 * 2**21
    texts = ["a" * 3, "c" * (2**20 + 5) + "b" * (2**19 + 1), "b" * (2**20 - 1) + " " + "c" * 2**20]
    encoder, peer = Encoder(tokenizer), as_hugging_face(tokenizer)
    encoded = encoder.encode(pa.array(texts, pa.large_string()))
    assert documents(encoded) == [peer.encode(text).ids for text in texts]
    assert encoder.decode_batch(*encoded).view(pa.large_string()).to_pylist() == texts
    with pytest.raises(ValueError, match=r"vocabulary: 259 tokens have 8,388,8\d\d bytes together, and the enc"):
        check_size(259, 2**23 + 256)


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


@pytest.mark.parametrize("name", list(PRETOKENIZERS))
def test_every_preset_gives_the_ids_of_tokenizers(name, sentences, as_hugging_face):
    preset = pretokenizer(name)
    learned_from = [*sentences, *NAUGHTY] * 3
    tokenizer = Tokenizer(preset, train(count_pieces(pa.array(learned_from), preset), 1500))
    texts = [*sentences, *NAUGHTY, "".join(NAUGHTY), "".join(sentences) * 3]
    peer = as_hugging_face(tokenizer)
    expected = [peer.encode(text).ids for text in texts]
    for cache in (None, TINY):
        encoder = Encoder(tokenizer, cache)
        for _ in range(2):
            encoded = encoder.encode(pa.array(texts))
            assert documents(encoded) == expected
        assert encoder.decode_batch(*encoded).to_pylist() == [text.encode() for text in texts]


@pytest.mark.parametrize("name", ["deepseek-llm", *(pytest.param(n, marks=pytest.mark.long) for n in OTHER_PRESETS)])
def test_every_code_point(name, sentences, as_hugging_face):
    """Each alone between others that hold it apart or take it in, all Unicode in rows of a thousand."""
    preset = pretokenizer(name)
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    rows = ["".join(points[i : i + 1000]) for i in range(0, len(points), 1000)]
    rows += [" a".join(points[i : i + 1000]) for i in range(0, 0x3000, 1000)]
    learned_from = pa.array([*sentences, *rows[:70]])
    tokenizer = Tokenizer(preset, train(count_pieces(learned_from, preset), 3000))
    encoded = Encoder(tokenizer).encode(pa.array(rows))
    expected = as_hugging_face(tokenizer).encode_batch(rows)
    assert documents(encoded) == [row.ids for row in expected]


@pytest.mark.parametrize(
    ("name", "texts"),
    [("deepseek-llm", 15_000), *(pytest.param(name, 100_000, marks=pytest.mark.long) for name in PRETOKENIZERS)],
)
def test_generated_texts_with_generated_vocabularies(name, texts, sentences, as_hugging_face):
    """Ten vocabularies, from a few merges to a thousand, most of them ties, each with its own texts."""
    preset = pretokenizer(name)
    random = np.random.default_rng(texts)
    units = [*"".join([*sentences, *NAUGHTY]), *"".join(sentences).split(" "), *map(chr, range(0x20, 0x7F))]
    for size in (260, 270, 280, 300, 350, 400, 500, 700, 1000, 1300):
        lengths = random.integers(1, 25, texts // 10)
        drawn = random.integers(0, len(units), lengths.sum())
        made = ["".join(units[i] for i in row) for row in np.split(drawn, np.cumsum(lengths)[:-1])]
        tokenizer = Tokenizer(preset, train(count_pieces(pa.array(made[:200]), preset), size))
        expected = as_hugging_face(tokenizer).encode_batch(made)
        for cache in (None, TINY):
            assert documents(Encoder(tokenizer, cache).encode(pa.array(made))) == [row.ids for row in expected]


def test_naughty_files(shared_data, deepseek, as_hugging_face):
    texts = []
    for name in ("naughty-strings.txt", "utf8-validity.txt"):
        whole = (shared_data / "text" / name).read_bytes().decode("utf-8", "replace")
        texts += [whole, *whole.split("\n")]
    tokenizer = Tokenizer(deepseek, train(count_pieces(pa.array(texts[::3]), deepseek), 2000))
    peer = as_hugging_face(tokenizer)
    encoded = Encoder(tokenizer).encode(pa.array(texts))
    assert documents(encoded) == [peer.encode(text).ids for text in texts]


@given(st.lists(words, min_size=1, max_size=8), st.lists(words, min_size=1, max_size=25), st.data())
@settings(max_examples=60)
def test_what_is_remembered_never_shows(learned_from, texts, data):
    """With a ring that holds a few pieces and words in two sets, nearly every piece overwrites another."""
    tokenizer = Tokenizer(PRESET, train(count_pieces(pa.array(learned_from), PRESET), 300))
    again = data.draw(st.lists(st.sampled_from(texts), min_size=1, max_size=60))
    expected = [encoded_slowly(text, tokenizer) for text in again]
    for ring_words in (8, 64, 256):
        encoder = Encoder(tokenizer, TINY._replace(ring_words=ring_words))
        encoder.encode(pa.array(texts))
        assert documents(encoder.encode(pa.array(again))) == expected


@given(st.data())
@settings(max_examples=150)
def test_merges_in_any_order(data):
    """Vocabularies that no training makes: merges whose parts come later, or never, in any text."""
    letters = ID_OF_BYTE[list(b"ab\xd8\xa7\xe4\xb8\xad")].tolist()
    pairs: list[list[int]] = []
    for i in range(data.draw(st.integers(1, 25))):
        known = st.sampled_from([*letters, *range(256, 256 + i)])
        pair = [data.draw(known), data.draw(known)]
        if pair not in pairs:
            pairs.append(pair)
        else:
            break
    tokenizer = Tokenizer(PRESET, Merges(np.array(pairs, np.int32), np.zeros(len(pairs), np.int64)))
    texts = data.draw(st.lists(words, min_size=1, max_size=6))
    assert documents(Encoder(tokenizer).encode(pa.array(texts))) == [encoded_slowly(text, tokenizer) for text in texts]


@pytest.mark.parametrize("kind", HARD_TEXTS)
def test_the_work_on_a_long_piece_is_bounded(encoder, oracle, kind):
    """Counted, not timed: tokens tried are at most 2 · n + 64 a piece, entries of the heap at most 3 · n."""
    for size in (1000, 1_000_000):
        text = hard_text(kind, size)
        before = encoder.memory.work()
        encoded = encoder.encode(pa.array([text]))
        after = encoder.memory.work()
        length = len(text.encode())
        pieces = len(piece_ends(np.frombuffer(text.encode(), np.uint8), 0, length, *PRESET.tables))
        assert after["attempts"] - before["attempts"] <= 2 * length + 64 * pieces
        assert after["heap_steps"] - before["heap_steps"] <= 3 * length
        assert encoder.decode(encoded.tokens) == text.encode()
        if size == 1000:
            assert encoded.tokens.tolist() == oracle.encode(text).ids


@pytest.mark.parametrize("kind", ["ا", "a", "mixed CJK", "letters of ab"])
def test_the_heap_alone_is_bounded_too(trained, kind):
    encoder = Encoder(trained)
    encoder._tables = encoder._tables._replace(proper=0)
    text = hard_text(kind, 300_000)
    encoded = encoder.encode(pa.array([text]))
    assert encoder.memory.work()["heap_steps"] <= 3 * len(text.encode())
    assert encoded.tokens.tolist() == Encoder(trained).encode(pa.array([text])).tokens.tolist()


def test_memory_does_not_grow(encoder):
    """A million pieces, no two alike, half of them short."""
    before = encoder.memory.bytes
    letters = np.array([ord(letter) for letter in "ابتثجحخدذرزسشصضط"], np.uint32)
    numbers = np.arange(500_000, dtype=np.uint32)
    long = letters[numbers[:, None] * np.uint32(2_654_435_761) >> np.arange(0, 32, 4, dtype=np.uint32) & 15]
    short = letters[numbers[:, None] >> np.arange(0, 20, 4, dtype=np.uint32) & 15]
    resident = resident_bytes()
    for points in (long, short):
        pieces = np.ascontiguousarray(points).view(f"<U{points.shape[1]}")[:, 0]
        for start in range(0, len(pieces), 50_000):
            texts = pa.array(pieces[start : start + 50_000], pa.large_string())
            encoded = encoder.encode(texts)
            assert encoder.decode_batch(*encoded).view(pa.large_string()).equals(texts)
    assert encoder.memory.bytes == before < 19_000_000
    assert encoder.memory.work()["head"] > 4 * 2**20  # the ring has been written around
    assert resident_bytes() - resident < 64_000_000


def resident_bytes():
    if not sys.platform.startswith("linux"):
        pytest.skip("resident memory is read from /proc")
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def test_others_run_while_it_encodes(encoder):
    """The GIL is released: this thread goes on while another encodes something that takes a while."""
    slow = pa.array([" " * 400_000])
    worker = threading.Thread(target=encoder.encode, args=(slow,))
    worker.start()
    turns = 0
    while worker.is_alive():
        time.sleep(0.0005)
        turns += 1
    assert turns > 20


@given(st.binary(max_size=60), st.data())
@settings(max_examples=300)
def test_any_bytes_come_back(encoder, trained, raw, data):
    ids = ID_OF_BYTE[np.frombuffer(raw, np.uint8)].astype(np.uint32)
    assert encoder.decode(ids) == raw
    drawn = data.draw(st.lists(st.lists(st.integers(0, trained.tokens - 1), max_size=20), max_size=5))
    offsets = np.cumsum([0, *map(len, drawn)])
    flat = np.array(list(itertools.chain.from_iterable(drawn)), np.uint32)
    decoded = encoder.decode_batch(flat, offsets).to_pylist()
    assert decoded == [b"".join(trained.token_bytes[token] for token in row) for row in drawn]


def test_sizes_of_the_cache_are_powers_of_two(trained):
    with pytest.raises(ValueError, match=r"cache\.ring_words 1000 is not a power of two"):
        Encoder(trained, CacheSize(ring_words=1000))
