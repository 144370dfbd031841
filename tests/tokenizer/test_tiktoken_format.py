"""Ranks: tiktoken itself gives the encoder's ids from them, and they come back as the same merges."""

from __future__ import annotations

import base64

import numpy as np
import pyarrow as pa
import pytest
import tiktoken

from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.merges import ID_OF_BYTE, Merges, train
from tokenizer.tiktoken_format import from_ranks, to_ranks


def in_tiktoken(content):
    """The file of ranks in tiktoken; its pattern is never used, as pieces are encoded one by one."""
    lines = (line.split() for line in content.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return tiktoken.Encoding("ranks", pat_str=".", mergeable_ranks=ranks, special_tokens={})


@pytest.fixture(scope="module")
def large(deepseek, real_texts):
    """8,000 tokens learned from real pages."""
    return Tokenizer(deepseek, train(count_pieces(pa.array(real_texts), deepseek), 8000))


def test_tiktoken_gives_the_same_ids(large, deepseek, real_texts):
    peer, encoder = in_tiktoken(to_ranks(large)), Encoder(large)
    pieces = count_pieces(pa.array(real_texts), deepseek)["piece"].to_pylist()[::7]
    pieces = [piece for piece in pieces if _is_text(piece)]
    assert len(pieces) > 3000
    tokens, offsets = encoder.encode(pa.array([piece.decode() for piece in pieces]))
    for i, piece in enumerate(pieces):
        assert peer._encode_single_piece(piece) == tokens[offsets[i] : offsets[i + 1]].tolist(), piece


def _is_text(piece):
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_ranks_come_back_as_the_same_merges(large, deepseek):
    again = from_ranks(to_ranks(large), deepseek)
    assert np.array_equal(again.merges.pairs, large.merges.pairs)
    assert again.hash == large.hash


def test_ranks_with_bytes_in_another_order(trained, deepseek, sentences):
    """As in OpenAI's files of today, bytes have ids of their own order."""
    lines = [line.split() for line in to_ranks(trained).splitlines()]
    shuffled = np.random.default_rng(4).permutation(256).tolist()
    content = b"".join(
        b"%s %d\n" % (token, shuffled[int(rank)] if int(rank) < 256 else int(rank)) for token, rank in lines
    )
    taken = from_ranks(content, deepseek, {"end": "<|endoftext|>"}, {"end": 700})
    assert taken.special("end") == 700
    assert to_ranks(taken).splitlines() == sorted(content.splitlines(), key=lambda line: int(line.split()[1]))
    plain = Encoder(trained).encode(pa.array(sentences)).tokens
    there = Encoder(taken).encode(pa.array(sentences)).tokens
    assert np.where(plain < 256, np.array(shuffled)[np.minimum(plain, 255)], plain).tolist() == there.tolist()
    assert Encoder(taken).decode(there).decode() == "".join(sentences)


def test_merges_that_ranks_cannot_tell_are_not_written(deepseek):
    a, b, c = (int(ID_OF_BYTE[ord(letter)]) for letter in "abc")
    # "abc" is made of "ab" and "c", but "bc" is older than "ab": by ranks it would be made of "a" and "bc".
    merges = Merges(np.array([[b, c], [a, b], [257, c]], np.int32), np.zeros(3, np.int64))
    with pytest.raises(
        ValueError, match=r"token 258 b'abc' is merged of b'ab' and b'c', but by ranks of b'a' and b'bc'"
    ):
        to_ranks(Tokenizer(deepseek, merges))
    backwards = Merges(np.array([[a, b], [b, c]], np.int32), np.zeros(2, np.int64))
    ids = np.array([*range(256), 257, 256], np.uint32)
    with pytest.raises(ValueError, match="do not follow the order of the merges"):
        to_ranks(Tokenizer(deepseek, backwards, ids=ids))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines, b"not base64! 600"], r"line 601: .* is no token in base64"),
        (lambda lines: [*lines, b"YWJj"], r"line 601: .* is no token in base64"),
        (lambda lines: lines[1:], "no token for byte 0x21"),
        (lambda lines: lines[:300] + lines[301:], "ranks of 599 tokens are not 0 to 598"),
        (
            lambda lines: [*lines, base64.b64encode("ÿþý".encode()) + b" 600"],
            "comes to . tokens under the ranks before",
        ),
    ],
)
def test_damaged_ranks_are_refused(trained, deepseek, change, message):
    with pytest.raises(ValueError, match=message):
        from_ranks(b"\n".join(change(to_ranks(trained).splitlines())), deepseek)
