"""Whole tokenizers from counts: special tokens, forbidden ones, another one extended, a training that goes on."""

import json

import numpy as np
import pyarrow as pa
import pytest
from transformers import AutoTokenizer

from tokenizer import checkpoints, formats, limits
from tokenizer.checkpoints import Checkpoint
from tokenizer.count_files import CountFile, write_counts
from tokenizer.counts import PieceCounter, count_pieces
from tokenizer.encoder import Encoder
from tokenizer.extension import extended
from tokenizer.forbidden import check_forbidden, permission, read_forbidden
from tokenizer.learning import learn
from tokenizer.pretokenizers import pretokenizer
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS
from tokenizer.weights import whole_weights

NAMED = {"begin": "<s>", "end": "</s>"}


@pytest.fixture(scope="module")
def counted(deepseek, sentences, tmp_path_factory):
    path = tmp_path_factory.mktemp("counts") / "counts.parquet"
    write_counts(count_pieces(pa.array(sentences * 3), deepseek), path)
    return CountFile(path, deepseek)


def test_special_tokens_and_sizes_are_those_asked_for(counted, deepseek):
    plain = learn(counted, deepseek, 600)
    assert list(plain.special_ids.items())[:2] == [("begin", 600), ("end", 601)]
    assert plain.tokens == 615 and plain.model_vocabulary == 4096
    assert learn(counted, deepseek, 600, model_vocabulary=700).model_vocabulary == 700
    named = learn(counted, deepseek, 600, special_tokens=NAMED)
    assert named.special_ids == {"begin": 600, "end": 601}
    assert named.merges.pairs.tolist() == plain.merges.pairs.tolist()


def test_training_stops_at_what_the_encoder_holds(counted, deepseek, monkeypatch):
    with pytest.raises(ValueError, match=r"vocabulary of 2,097,152 tokens: the encoder holds 2,097,151; ask for fewer"):
        learn(counted, deepseek, 1 << 21)
    enough = sum(map(len, learn(counted, deepseek, 600).merges.tokens()))
    monkeypatch.setattr(limits, "MOST_BYTES", enough)
    assert learn(counted, deepseek, 600).merges.vocabulary_size == 600
    monkeypatch.setattr(limits, "MOST_BYTES", enough - 1)
    with pytest.raises(ValueError, match=rf"600 tokens have {enough:,} bytes .* shorter ones with max_token_length"):
        learn(counted, deepseek, 600)


def test_counts_in_parts_of_an_occurrence_are_not_learned_from(deepseek, sentences, tmp_path):
    with PieceCounter(deepseek, 10) as counter:
        counter.add(pa.array(sentences), np.full(len(sentences), 3))
        counter.write(tmp_path / "part.parquet")
    with pytest.raises(ValueError, match="counts are in parts of which 10 make one occurrence: add them up with `gri"):
        learn(CountFile(tmp_path / "part.parquet", deepseek), deepseek, 300)


def test_what_is_written_in_a_text_is_no_special_token(counted, deepseek):
    tokenizer = learn(counted, deepseek, 600)
    text = "".join(DEFAULT_SPECIAL_TOKENS.values())
    encoder = Encoder(tokenizer)
    found = encoder.encode(pa.array([text], pa.large_string())).tokens
    assert found.max() < 600
    assert encoder.decode(found).decode() == text


def test_an_extended_tokenizer_keeps_merges_and_ids(counted, deepseek, sentences, as_hugging_face, tmp_path):
    base = learn(counted, deepseek, 500, special_tokens=NAMED)
    larger = learn(counted, deepseek, 700, base=base, special_tokens=NAMED | {"pad": "<pad>"})
    scratch = learn(counted, deepseek, 700)
    assert larger.merges.pairs.tolist() == scratch.merges.pairs.tolist()
    assert larger.merges.counts.tolist() == scratch.merges.counts.tolist()
    assert larger.special_ids == {"begin": 500, "end": 501, "pad": 702}
    assert larger.ids.tolist() == [*range(500), *range(502, 702)]
    assert larger.token_bytes[:502] == base.token_bytes
    texts = pa.array(sentences, pa.large_string())
    encoded = Encoder(larger).encode(texts)
    theirs = as_hugging_face(larger)
    assert [theirs.encode(text).ids for text in sentences] == [
        encoded.tokens[start:stop].tolist() for start, stop in zip(encoded.offsets[:-1], encoded.offsets[1:])
    ]
    formats.save(larger, tmp_path)
    assert formats.load(tmp_path).hash == larger.hash
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.eos_token_id == 501 and loaded.pad_token_id == 702
    assert loaded(sentences[0])["input_ids"] == theirs.encode(sentences[0]).ids


def test_an_extension_may_be_none_at_all_and_may_be_extended_again(counted, deepseek):
    base = learn(counted, deepseek, 500)
    same = learn(counted, deepseek, 500, base=base)
    assert same.hash == base.hash
    twice = learn(counted, deepseek, 700, base=learn(counted, deepseek, 600, base=base))
    once = learn(counted, deepseek, 700, base=base)
    assert twice.hash == once.hash
    assert extended(base, base.merges, DEFAULT_SPECIAL_TOKENS, 0).hash == base.hash


def test_what_cannot_be_extended_is_named(counted, deepseek):
    base = learn(counted, deepseek, 500, special_tokens=NAMED)
    with pytest.raises(ValueError, match=r"special_tokens.end is '<e>' and '</s>' in the tokenizer to extend"):
        learn(counted, deepseek, 600, base=base, special_tokens={"end": "<e>"})
    with pytest.raises(ValueError, match="vocabulary 499 is below the 500 tokens of the tokenizer to extend: ask"):
        learn(counted, deepseek, 499, base=base)
    other = formats.Tokenizer(formats.from_json(*formats.to_json(base).values(), "x").pretokenizer, base.merges, NAMED)
    assert learn(counted, deepseek, 500, base=other, special_tokens=NAMED).hash == base.hash


def test_forbidden_tokens_are_not_made(counted, deepseek):
    plain = learn(counted, deepseek, 700).merges.tokens()
    assert b"seum" in plain and any(b"an" in token for token in plain)
    tokens = learn(counted, deepseek, 700, forbidden=["seum", "/an/", "/^.{6,}$/"]).merges.tokens()
    assert b"seum" not in tokens
    assert not any(b"an" in token for token in tokens)
    assert max(len(token.decode("utf-8", "replace")) for token in tokens) == 5
    assert len(tokens) == len(set(tokens)) == 700


def test_a_special_token_is_never_a_regular_one_too(sentences, tmp_path, as_hugging_face):
    texts = pa.array(["The docs say <|end_of_text|> and /pad/ end here.\n" * 50, *sentences])
    special = {"end": "<|end_of_text|>", "pad": "/pad/", "begin": "<|begin|>"}
    words = pretokenizer({"regex": r"\S+|\s+"})
    write_counts(count_pieces(texts, words), tmp_path / "counts.parquet")
    tokenizer = learn(CountFile(tmp_path / "counts.parquet"), words, 700, special_tokens=special)
    tokens = tokenizer.merges.tokens()
    assert not {text.encode() for text in special.values()} & set(tokens)
    assert any(token in b"<|end_of_text|>" for token in tokens if len(token) > 6), "parts of it may be tokens"
    plain = Encoder(tokenizer).encode(texts).tokens.tolist()
    assert not set(tokenizer.special_ids.values()) & set(plain)
    peer = as_hugging_face(tokenizer)
    assert [i for text in texts.to_pylist() for i in peer.encode(text).ids] == plain
    assert peer.token_to_id("<|end_of_text|>") == tokenizer.special("end")


def test_expressions_that_are_none_are_refused():
    assert permission([]) is None
    assert read_forbidden(b"a\n\n /b/\n") == ["a", " /b/"]
    assert read_forbidden("\ufeffa\r\n\r\n /b/\r\nc\u2028d".encode()) == ["a", " /b/", "c\u2028d"]
    with pytest.raises(ValueError, match="line 2 is not UTF-8: save the file as UTF-8"):
        read_forbidden("a\nä".encode("latin-1"))
    with pytest.raises(ValueError, match=r"/\(a/ is no regular expression \(.*\): mend it"):
        check_forbidden(["b", "/(a/"])
    with pytest.raises(ValueError, match="an empty text is no token"):
        permission([""])
    assert permission(["/"])(b"//") and not permission(["//"])(b"//")


class Killed(BaseException):
    """What ends a training from outside."""


@pytest.mark.parametrize("base_tokens", [256, 400])
@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_killed_training_goes_on_to_the_same_end(stop_at, base_tokens, counted, deepseek, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    base = learn(counted, deepseek, base_tokens)
    whole = formats.to_json(learn(counted, deepseek, 700, base=base))
    kept: list[bytes] = []

    def write(content):
        kept.append(content)
        if len(kept) == stop_at:
            raise Killed

    with pytest.raises(Killed):
        learn(counted, deepseek, 700, base=base, checkpoint=Checkpoint("key", lambda: None, write))
    going_on = Checkpoint("key", lambda: kept[-1], kept.append)
    assert going_on.merges.vocabulary_size == base_tokens + 64 * stop_at
    starts = []
    tokenizer = learn(
        counted, deepseek, 700, base=base, checkpoint=going_on, progress=lambda done, of: starts.append(done)
    )
    assert starts[0] > base_tokens + 64 * stop_at
    assert formats.to_json(tokenizer) == whole


def test_checkpoints_of_another_training_or_damaged_ones_are_passed_over(counted, deepseek, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    kept: list[bytes] = []
    learn(counted, deepseek, 400, checkpoint=Checkpoint("key", lambda: None, kept.append))
    assert len(Checkpoint("key", lambda: kept[-1], kept.append).merges.pairs) == 144
    for content, key in [(kept[-1], "other"), (kept[-1][:100], "key"), (b"", "key"), (None, "key")]:
        assert len(Checkpoint(key, lambda content=content: content, kept.append).merges.pairs) == 0


def test_weights_are_taken_as_they_are_written():
    unit, by_source, others = whole_weights({"web": 0.1, "books": 2.5}, {"zh": 3, "fi": 0})
    assert unit == 10
    assert by_source == {"web": {"": 1, "zh": 3, "fi": 0}, "books": {"": 25, "zh": 75, "fi": 0}}
    assert others == {"": 10, "zh": 30, "fi": 0}
    assert whole_weights({}, {}) == (1, {}, {"": 1})


def test_a_vocabulary_of_bytes_alone(counted, deepseek):
    tokenizer = learn(counted, deepseek, 256)
    assert np.sort(Encoder(tokenizer).encode(pa.array(["aé"], pa.large_string())).tokens).max() < 256
    assert json.loads(formats.to_json(tokenizer)["tokenizer.json"])["model"]["merges"] == []
