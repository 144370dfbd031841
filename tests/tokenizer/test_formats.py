"""The files load elsewhere with the same ids and come back equal; what cannot be read is refused clearly."""

import json

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
import transformers

from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer, from_json, load, save, to_json
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS, padded_vocabulary


def test_tokenizers_gives_the_same_ids(trained, sentences, tmp_path):
    save(trained, tmp_path)
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    encoded = Encoder(trained).encode(pa.array(sentences))
    for i, text in enumerate(sentences):
        ids = encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]].tolist()
        assert peer.encode(text).ids == ids
        assert peer.decode(ids) == text
    assert peer.get_vocab_size() == trained.tokens
    assert peer.token_to_id("<|end_of_text|>") == trained.special("end")


def test_transformers_gives_the_same_ids(trained, sentences, tmp_path):
    save(trained, tmp_path)
    peer = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    text = sentences[0] + "<|end_of_text|>" + sentences[3]
    ids = Encoder(trained).encode(pa.array([text])).tokens.tolist()
    assert peer(text)["input_ids"] == ids  # special tokens in text stay text
    assert peer.decode(ids) == text
    assert (peer.bos_token_id, peer.eos_token_id, peer.pad_token_id) == tuple(
        trained.special(name) for name in ("begin", "end", "pad")
    )


def test_a_saved_tokenizer_comes_back(trained, tmp_path):
    save(trained, tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        again = load(path)
        assert again.hash == trained.hash
        assert again.special_tokens == trained.special_tokens
        assert again.model_vocabulary == trained.model_vocabulary
        assert np.array_equal(again.merges.pairs, trained.merges.pairs)
    (tmp_path / "tokenizer_config.json").unlink()
    assert load(tmp_path).hash == trained.hash  # the names are found by their strings
    assert to_json(again) == to_json(trained)


def test_hash_is_of_what_decides_ids(trained):
    assert Tokenizer(trained.pretokenizer, trained.merges, model_vocabulary=8192).hash == trained.hash
    assert Tokenizer(trained.pretokenizer, trained.merges, {"end": "</s>"}).hash != trained.hash
    fewer = type(trained.merges)(trained.merges.pairs[:-1], trained.merges.counts[:-1])
    assert Tokenizer(trained.pretokenizer, fewer).hash != trained.hash


def test_sizes_of_the_reference():
    assert len(DEFAULT_SPECIAL_TOKENS) == 15
    assert padded_vocabulary(100_000 + 15) == 102_400
    assert padded_vocabulary(100_015, 1) == 100_015


def renumbered(trained):
    """The files as another library would number them: special tokens first."""
    document = json.loads(to_json(trained)["tokenizer.json"])
    shift = len(document["added_tokens"])
    document["model"]["vocab"] = {token: id_ + shift for token, id_ in document["model"]["vocab"].items()}
    for i, token in enumerate(document["added_tokens"]):
        token["id"] = i
    return json.dumps(document)


def test_a_tokenizer_with_other_numbers(trained, sentences, tmp_path):
    taken = from_json(renumbered(trained))
    peer = tokenizers.Tokenizer.from_str(renumbered(trained))
    encoder = Encoder(taken)
    encoded = encoder.encode(pa.array(sentences), begin=True, end=True)
    for i, text in enumerate(sentences):
        ids = encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]].tolist()
        assert ids == [taken.special("begin"), *peer.encode(text).ids, taken.special("end")]
        assert encoder.decode(np.array(ids[1:-1])) == text.encode()
    save(taken, tmp_path)
    assert load(tmp_path).hash == taken.hash != trained.hash


def test_merges_as_strings_and_a_foreign_end_token(trained):
    document = json.loads(to_json(trained)["tokenizer.json"])
    document["model"]["merges"] = [" ".join(merge) for merge in document["model"]["merges"]]
    document["added_tokens"] = [{"id": trained.merges.vocabulary_size, "content": "<eos>"}]
    taken = from_json(json.dumps(document), json.dumps({"eos_token": {"content": "<eos>"}}))
    assert taken.special("end") == trained.merges.vocabulary_size
    with pytest.raises(ValueError, match=r"no 'end'.*eos_token"):
        from_json(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["model"].update(type="Unigram"), "model.type 'Unigram' is not supported"),
        (lambda d: d["model"].update(byte_fallback=True), "model.byte_fallback True is not supported"),
        (lambda d: d["model"].update(ignore_merges=True), "model.ignore_merges True is not supported"),
        (lambda d: d.update(normalizer={"type": "NFC"}), "normalizer .* is not supported"),
        (lambda d: d.update(pre_tokenizer={"type": "Metaspace"}), r"pre_tokenizer \(Metaspace\) is none"),
        (lambda d: d.update(pre_tokenizer=None), r"pre_tokenizer \(none\) is none"),
        (lambda d: d["model"]["vocab"].pop("!"), "no token for byte 0x21"),
        (lambda d: d["model"]["vocab"].update({"unheard of": 9999}), "'unheard of' is made by no merge"),
        (lambda d: d["model"]["merges"].reverse(), "joins unknown tokens"),
        (lambda d: d.pop("model"), "is no Hugging Face tokenizer.json"),
    ],
)
def test_what_this_reader_does_not_run_is_refused(trained, change, message):
    document = json.loads(to_json(trained)["tokenizer.json"])
    change(document)
    with pytest.raises(ValueError, match=message):
        from_json(json.dumps(document))


def test_bad_files_and_settings(tmp_path, trained):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer.json: is not JSON"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no 'end'"):
        Tokenizer(trained.pretokenizer, trained.merges, {"begin": "<s>"})
    with pytest.raises(ValueError, match=r"special_tokens.pad repeats '<s>'"):
        Tokenizer(trained.pretokenizer, trained.merges, {"end": "<s>", "pad": "<s>"})
    with pytest.raises(ValueError, match="model_vocabulary 600 is below the 615 ids"):
        Tokenizer(trained.pretokenizer, trained.merges, model_vocabulary=600)
    with pytest.raises(ValueError, match="special token 'enf' is unknown"):
        trained.special("enf")


def as_deepseek_publishes(trained):
    """The file with 13 bytes that no valid UTF-8 holds as added tokens only, matched in text, ids behind the others."""
    document = json.loads(to_json(trained)["tokenizer.json"])
    first = trained.tokens
    for i, character in enumerate("øöúÿõ÷ûýÀùÁþü"):
        del document["model"]["vocab"][character]
        added = {"id": first + i, "content": character, "special": False, "normalized": True}
        document["added_tokens"].append(added | dict.fromkeys(("single_word", "lstrip", "rstrip"), False))
    return json.dumps(document)


def test_bytes_that_deepseek_reserves_are_bytes(trained, sentences):
    published = as_deepseek_publishes(trained)
    peer = tokenizers.Tokenizer.from_str(published)
    taken = from_json(published)
    assert taken.tokens == trained.tokens + 13 and not set(taken.special_tokens.values()) & set("øöúÿõ÷ûýÀùÁþü")
    encoder = Encoder(taken)
    plain = [text for text in sentences if not set(text) & set("øöúÿõ÷ûýÀùÁþü")]
    assert len(plain) > 6
    for text in plain:
        assert encoder.encode(pa.array([text])).tokens.tolist() == peer.encode(text).ids
    # Where Hugging Face matches them in text, a letter comes back broken; here it does not.
    assert peer.decode(peer.encode("über").ids) != "über"
    assert encoder.decode(encoder.encode(pa.array(["über"])).tokens).decode() == "über"
    every_byte = np.array([int(i) for i in taken.ids[:256]])
    assert sorted(encoder.decode(every_byte)) == list(range(256))
