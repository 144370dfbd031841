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
        token["id"] = document["model"]["vocab"][token["content"]] = i
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
    assert saved_in_both_libraries(taken, tmp_path) == [taken.special_ids] * 2
    assert load(tmp_path).hash == taken.hash != trained.hash


def saved_in_both_libraries(tokenizer, folder):
    """The ids of the special tokens in `tokenizers` and in `transformers`, from the saved files: name → id."""
    save(tokenizer, folder)
    peers = [
        tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).token_to_id,
        transformers.AutoTokenizer.from_pretrained(str(folder)).convert_tokens_to_ids,
    ]
    return [{name: id_of(text) for name, text in tokenizer.special_tokens.items()} for id_of in peers]


@pytest.mark.parametrize(
    ("ids", "special_ids"),
    [
        (None, {"begin": 600, "end": 601}),
        (None, {"end": 600, "begin": 601}),
        (None, {"begin": 601, "end": 602}),  # a gap before them, as in cl100k
        (None, {"begin": 600, "end": 700}),  # between them
        (None, {"begin": 5000, "end": 601}),
        ([*range(599), 611], {"begin": 612, "end": 613}),  # among the regular ones: no gap before them, and yet
        ([*range(599), 611], {"begin": 600, "end": 601}),
        ([*range(2, 602)], {"begin": 0, "end": 1}),
    ],
)
def test_special_tokens_keep_their_ids_in_both_libraries(trained, sentences, tmp_path, ids, special_ids):
    texts = {name: f"<{name}>" for name in special_ids}
    ids = None if ids is None else np.array(ids)
    tokenizer = Tokenizer(trained.pretokenizer, trained.merges, texts, ids=ids, special_ids=special_ids)
    assert saved_in_both_libraries(tokenizer, tmp_path) == [special_ids] * 2
    assert load(tmp_path).hash == tokenizer.hash
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    encoded = Encoder(tokenizer).encode(pa.array(sentences))
    for i, text in enumerate(sentences):
        assert peer.encode(text).ids == encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]].tolist()


def test_a_special_token_spelled_like_a_regular_one_is_not_written(trained):
    with pytest.raises(ValueError, match=r"special token '!' is spelled like regular token 0,.*forbid that token"):
        to_json(Tokenizer(trained.pretokenizer, trained.merges, {"end": "!"}))


@pytest.mark.parametrize(
    ("ids", "special_ids", "message"),
    [
        ([*range(599), 3], None, r"id 3 stands for two tokens \(a regular token, a regular token\)"),
        (None, {"end": 5}, r"id 5 stands for two tokens \(special token 'end', a regular token\)"),
        (None, {"end": -1}, "id -1 is not from 0 to 16,777,215"),
        (None, {"end": 4_000_000_000}, "id 4000000000 is not from 0 to 16,777,215"),
        (None, {"end": 2**70}, "are no whole numbers"),
        (None, {"end": 700.5}, "are no whole numbers"),
        (None, {"end": "700"}, "are no whole numbers"),
        (None, {"begin": 700}, "special_ids are of begin, special_tokens of end"),
        ([*range(1, 600), -1], None, "id -1 is not from 0"),
        ([*range(599), 1 << 24], None, "id 16777216 is not from 0"),
        ([*range(599)], None, "599 ids for 600 regular tokens"),
    ],
)
def test_ids_are_distinct_and_in_range(trained, ids, special_ids, message):
    ids = None if ids is None else np.array(ids)
    with pytest.raises(ValueError, match=message):
        Tokenizer(trained.pretokenizer, trained.merges, {"end": "</s>"}, ids=ids, special_ids=special_ids or {})


def test_merges_as_strings_and_a_foreign_end_token(trained):
    document = json.loads(to_json(trained)["tokenizer.json"])
    document["model"]["merges"] = [" ".join(merge) for merge in document["model"]["merges"]]
    document["added_tokens"] = [{"id": trained.merges.vocabulary_size, "content": "<eos>", "special": True}]
    taken = from_json(json.dumps(document), json.dumps({"eos_token": {"content": "<eos>"}}))
    assert taken.special("end") == trained.merges.vocabulary_size
    with pytest.raises(ValueError, match=r"no 'end'.*eos_token"):
        from_json(json.dumps(document))


def added(token_id, content, special=False):
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": content, "special": special} | plain


def in_sequence(*processors):
    return {"type": "Sequence", "processors": list(processors)}


THE_TEXT = {"Sequence": {"id": "A", "type_id": 0}}
BEGIN = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
TEMPLATE = {"type": "TemplateProcessing", "single": [BEGIN, THE_TEXT], "pair": [THE_TEXT], "special_tokens": {}}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(normalizer={"type": "Sequence", "normalizers": []}),
        lambda d: d.update(normalizer={"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}]}),
        lambda d: d.update(post_processor=BYTE_LEVEL),
        lambda d: d.update(post_processor=in_sequence(BYTE_LEVEL, in_sequence())),
        lambda d: d.update(post_processor=TEMPLATE | {"single": [THE_TEXT]}),
        lambda d: d["added_tokens"].append(added(615, "<｜User｜>")),
        lambda d: d["added_tokens"].append(added(615, "<|tool_call|>")),
    ],
)
def test_parts_that_change_no_ids_are_taken(trained, sentences, change):
    document = json.loads(to_json(trained)["tokenizer.json"])
    change(document)
    taken, peer = from_json(json.dumps(document)), tokenizers.Tokenizer.from_str(json.dumps(document))
    assert taken.token_bytes == [peer.decode([i], False).encode() if i >= 600 else trained.token_bytes[i]
                                 for i in range(taken.tokens)]  # fmt: skip
    for text in sentences:
        assert Encoder(taken).encode(pa.array([text])).tokens.tolist() == peer.encode(text).ids


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
        (lambda d: d["added_tokens"].append(added(615, "  ")), r"added_tokens '  ' is not special.*match it in text"),
        (lambda d: d["added_tokens"].append(added(615, "<b>")), "added_tokens '<b>' is not special"),
        (lambda d: d["added_tokens"].append(added(615, "<| >")), r"added_tokens '<\| >' is not special"),
        (lambda d: d["added_tokens"][0].update(lstrip=True), r"'<\|begin_of_text\|>' has lstrip, .*set it to false"),
        (lambda d: d["added_tokens"][0].update(rstrip=True), "has rstrip"),
        (lambda d: d["added_tokens"][0].update(single_word=True), "has single_word"),
        (lambda d: d["added_tokens"][3].update(id=700), "has id 700, but 603 in Hugging Face's libraries"),
        (lambda d: d["added_tokens"].append(added(615, "<|pad|>", True)), "has id 615, but 602 in Hugging"),
        (lambda d: d["model"]["vocab"].update({"<|begin_of_text|>": 700}), "has id 600, but 700 in Hugging Face's"),
        (lambda d: d["model"]["vocab"].update({"!": 5}), r"id 5 stands for two tokens"),
        (lambda d: d["model"]["vocab"].update({"!": -5}), r"id -5 is not from 0"),
        (lambda d: d["model"]["vocab"].update({"!": 2**32}), r"id 4294967296 is not from 0"),
        (lambda d: d["model"]["vocab"].update({"!": 0.5}), r"are no whole numbers"),
        (lambda d: d.update(truncation={"max_length": 3}), "truncation .* is not supported"),
        (lambda d: d.update(padding={"strategy": "BatchLongest"}), "padding .* is not supported"),
        (lambda d: d.update(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}]}), "normalizer .*NFC"),
        (lambda d: d.update(post_processor=TEMPLATE), "post_processor 'TemplateProcessing' adds tokens"),
        (lambda d: d.update(post_processor=in_sequence(BYTE_LEVEL, TEMPLATE)), "post_processor 'TemplateProcessing'"),
        (lambda d: d.update(post_processor={"type": "RobertaProcessing"}), "post_processor 'RobertaProcessing'"),
        (lambda d: d.update(post_processor={"single": []}), "is no Hugging Face tokenizer.json"),
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


RESERVED = "øöúÿõ÷ûýÀùÁþü"


def as_deepseek_publishes(trained):
    """The file as DeepSeek LLM's: among the added tokens, and matched in text, the 13 bytes that no valid UTF-8 holds.

    Its normalizer does nothing, and ids go from 0 on without a gap.
    """
    document = json.loads(to_json(trained)["tokenizer.json"])
    document["normalizer"] = {"type": "Sequence", "normalizers": []}
    regular = [token for token in document["model"]["vocab"] if token not in set(RESERVED)]
    document["model"]["vocab"] = {token: i for i, token in enumerate(regular)}
    reserved = [added(0, character) | {"normalized": True} for character in RESERVED]
    first, *others = document["added_tokens"]
    document["added_tokens"] = [first, *reserved, *others]
    for i, token in enumerate(document["added_tokens"], len(regular)):
        token["id"] = i
    return json.dumps(document)


def test_bytes_that_deepseek_reserves_are_bytes(trained, sentences):
    published = as_deepseek_publishes(trained)
    peer = tokenizers.Tokenizer.from_str(published)
    taken = from_json(published)
    assert taken.tokens == trained.tokens == peer.get_vocab_size()
    assert not set(taken.special_tokens.values()) & set(RESERVED)
    for name, text in taken.special_tokens.items():
        assert taken.special_ids[name] == peer.token_to_id(text)
    encoder = Encoder(taken)
    plain = [text for text in sentences if not set(text) & set(RESERVED)]
    assert len(plain) > 6
    for text in plain:
        assert encoder.encode(pa.array([text])).tokens.tolist() == peer.encode(text).ids
    # Where Hugging Face matches them in text, a letter comes back broken; here it does not.
    assert peer.decode(peer.encode("über").ids) != "über"
    assert encoder.decode(encoder.encode(pa.array(["über"])).tokens).decode() == "über"
    every_byte = np.array([int(i) for i in taken.ids[:256]])
    assert sorted(encoder.decode(every_byte)) == list(range(256))
