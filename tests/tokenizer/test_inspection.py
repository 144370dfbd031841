"""Compression by language against counting by hand."""

import re

import numpy as np
import pyarrow as pa
import pytest

from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.inspection import CJK_BLOCKS, Inspection, cjk_coverage, compression, look, unused_tokens
from tokenizer.merges import ID_OF_BYTE, train
from tokenizer.token_texts import longest_tokens


def test_compression_by_language(trained):
    texts = ["The quick brown fox.", "今天天气 ok", "It's 12 o'clock", None]
    rows = compression(Encoder(trained), pa.array(texts), pa.array(["en", "zh", "en", None]))
    assert [row["group"] for row in rows] == ["en", "zh", "unknown"]
    english = rows[0]
    assert english["documents"] == 2 and english["bytes"] == len(texts[0]) + len(texts[2])
    assert english["words"] == len(re.findall(r"\w+", f"{texts[0]} {texts[2]}"))
    tokens = len(Encoder(trained).encode(pa.array([texts[0], texts[2]])).tokens)
    assert english["tokens"] == tokens
    assert english["bytes_per_token"] == pytest.approx(english["bytes"] / tokens)
    assert english["fertility"] == pytest.approx(tokens / english["words"])
    assert rows[1]["words"] == 5  # four characters and a word
    assert rows[2]["bytes_per_token"] == 0


def test_longest_and_unused_tokens(trained):
    longest = longest_tokens(trained, 5)
    assert [row["bytes"] for row in longest] == sorted((len(t) for t in trained.merges.tokens()), reverse=True)[:5]
    assert longest[0]["text"].encode() == trained.token_bytes[longest[0]["id"]]
    every = {row["id"]: row["text"] for row in longest_tokens(trained, 1000)}
    assert every[int(ID_OF_BYTE[0xE4])] == "<E4>" and every[int(ID_OF_BYTE[ord("a")])] == "a"
    used = np.arange(10, 600, dtype=np.uint32)
    assert unused_tokens(trained, used).tolist() == list(range(10))


def test_of_runs_of_one_character_only_the_longest_is_listed(deepseek):
    texts = ["x" + " " * 40 + "abc", "————————", "abcabc"] * 9
    tokenizer = Tokenizer(deepseek, train(count_pieces(pa.array(texts), deepseek), 300))
    assert sum(set(token) == {0x20} for token in tokenizer.merges.tokens()) > 3
    longest = [row["text"] for row in longest_tokens(tokenizer, 1000)]
    for character in " —":
        assert len([text for text in longest if set(text) == {character}]) == 1
    assert [text for text in longest if set(text) <= set("abc")][:2] == ["abcabc", "abc"]


def test_batch_by_batch_finds_what_one_look_does(trained, sentences):
    texts = pa.array([*sentences, None, ""] * 3)
    groups = {"language": pa.array(["en", None, "vi"] * 12), "domain": pa.array([f"d{i % 5}" for i in range(36)])}
    inspection = Inspection(trained)
    for at, count in [(0, 1), (1, 0), (1, 20), (21, 15)]:
        inspection.add(texts.slice(at, count), {name: of.slice(at, count) for name, of in groups.items()})
    whole = look(trained, texts, groups, 5, 7)
    assert inspection.found(5, 7) == whole
    assert whole["by"]["domain"] == compression(Encoder(trained), texts, groups["domain"])
    assert whole["all"]["bytes"] == inspection.bytes == 3 * sum(len(each.encode()) for each in sentences)
    unused = unused_tokens(trained, Encoder(trained).encode(texts).tokens).tolist()
    assert whole["unused"] == len(unused) > 0
    listed = [row["id"] for row in whole["first_unused"]]
    assert listed == sorted(unused, key=lambda token: (token < 256, token))[:7]


def test_coverage_of_cjk(deepseek):
    texts = ["学习学习 かな", "机器学习 학습", None]
    tokenizer = Tokenizer(deepseek, train(count_pieces(pa.array(["学 习 かかか"] * 9), deepseek), 270))
    single = {token.decode() for token in tokenizer.merges.tokens()[256:] if _characters(token) == 1}
    assert {"学", "习", "か"} <= single
    rows = {row["block"]: row for row in cjk_coverage(tokenizer, pa.array(texts))}
    written = "".join(text or "" for text in texts)
    for block, (first, last) in CJK_BLOCKS.items():
        inside = [c for c in written if first <= ord(c) <= last]
        assert rows[block]["in_text"] == len(inside)
        assert rows[block]["covered"] == sum(c in single for c in inside)
        assert rows[block]["tokens"] == sum(first <= ord(c) <= last for c in single)
    assert rows["Han, unified ideographs"]["characters"] == 20_992


def _characters(token):
    try:
        return len(token.decode())
    except UnicodeDecodeError:
        return 0
