"""Evaluation sets as files: which texts are read from them, and what is said of files that cannot be right."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard

from pipeline import config_file, evaluation_sets, preflight
from pipeline.errors import ConfigError
from pipeline.evaluation_sets import read

ITEM = {
    "id": 7,
    "question": "Which river flows through the town?",
    "choices": {"label": ["A", "B"], "text": ["the Elbe", "the Oder"]},
    "turns": [{"role": "user", "content": "first"}, {"role": "bot", "content": "second"}],
    "answer": 42,
    "note": None,
}


def lines(*objects: object) -> bytes:
    return "\n".join(json.dumps(each) for each in objects).encode()


def written(tmp_path, data: bytes, name: str = "set.jsonl") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def texts_of(tmp_path, fields, *objects) -> list[str]:
    return read("set", [written(tmp_path, lines(*(objects or (ITEM,))))], fields)[0]


@pytest.mark.parametrize(
    ("field", "texts"),
    [
        ("question", ["Which river flows through the town?"]),
        ("choices.text", ["the Elbe", "the Oder"]),
        ("choices.text.1", ["the Oder"]),
        ("turns.content", ["first", "second"]),
        ("turns.0.content", ["first"]),
        ("answer", ["42"]),
        ("question + answer", ["Which river flows through the town?\n42"]),
        ("choices.text + turns.0.content", ["the Elbe\nthe Oder\nfirst"]),
    ],
)
def test_a_field_goes_into_objects_and_lists(tmp_path, field, texts):
    assert texts_of(tmp_path, [field]) == texts


def test_fields_are_texts_of_their_own_and_lines_are_items(tmp_path):
    first = written(tmp_path, lines({"q": "one", "a": "two"}) + b"\n\n" + lines({"q": "three", "a": None}), "1.jsonl")
    second = written(tmp_path, lines({"q": "four", "a": "five"}), "2.jsonl")
    texts, numbers, items = read("set", [first, second], ["q", "a"])
    assert texts == ["one", "two", "three", "four", "five"]
    assert numbers.tolist() == [0, 0, 1, 2, 2]
    assert items.paths == [first, first, second] and items.lines == [1, 3, 1]


def test_a_field_may_be_missing_where_it_says_so(tmp_path):
    assert texts_of(tmp_path, ["q", "hint?"], {"q": "one"}, {"q": "two", "hint": "three"}) == ["one", "two", "three"]
    with pytest.raises(ConfigError, match=r"no line of .*set\.jsonl has a text in `hint\?`"):
        texts_of(tmp_path, ["q", "hint?"], {"q": "one"})


def test_compression_is_told_by_content(tmp_path):
    data = b"\xef\xbb\xbf" + lines({"q": "one"}, {"q": "two"})
    packed = zstandard.ZstdCompressor().compress
    for whole in (data, gzip.compress(data), gzip.compress(data[:9]) + gzip.compress(data[9:]), packed(data),
                  packed(data[:9]) + packed(data[9:])):  # fmt: skip
        assert read("set", [written(tmp_path, whole, "named.txt")], ["q"])[0] == ["one", "two"]


@pytest.mark.parametrize(
    ("data", "field", "told"),
    [
        (lines(ITEM), "qestion", "line 1 has no field `qestion` for `qestion`; did you mean `question`? It has id"),
        (lines(ITEM), "choices.txt", "line 1 has no field `txt` for `choices.txt`; did you mean `text`? It has label"),
        (lines(ITEM, {"id": 8}), "question", "line 2 has no field `question`"),
        (lines(ITEM), "question.text", "line 1 has no field `text` for `question.text`; there are none It has"),
        (lines(ITEM), "choices", "`choices` is an object and no text: name what is in it, choices.label, choices.text"),
        (lines(ITEM), "note", "has a text in `note`"),
        (b"", "question", "set.jsonl is empty: a set needs a line of JSON for each of its items"),
        (b"\n \n", "question", "set.jsonl is empty"),
        (lines(ITEM) + b'\n{"question": "cut', "question", "line 2 is no JSON object: Unterminated string"),
        (b'["a"]', "question", "line 1 is no JSON object: a list and no object"),
        (b'{"question": "\xff"}', "question", "line 1 is no JSON object: 'utf-8' codec can't decode"),
        (gzip.compress(lines(ITEM))[:-9], "question", "set.jsonl cannot be read: Compressed file ended before"),
        (zstandard.ZstdCompressor().compress(lines(ITEM))[:9] + b"x" * 9, "question", "set.jsonl cannot be read: "),
        (lines({"question": "too short"}), "question", "none of its 1 texts has the 8 words that are looked for"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_one_line_before_anything_runs(tmp_path, data, field, told):
    path = written(tmp_path, data)
    config = config_file.parse(
        {
            "name": "tiny",
            "output": str(tmp_path / "out"),
            "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}],
            "filter": {"decontamination": {"sets": {"mine": {"paths": [path], "fields": [field]}}}},
        }
    )
    with pytest.raises(ConfigError) as caught:
        preflight.check(config, ["filter"])
    message = str(caught.value)
    assert message.startswith("filter.decontamination.sets.mine: ") and "\n" not in message
    assert told in message
    assert "set.jsonl" in message or "texts has" in message


def configured(sets, folder=None):
    source = {"name": "web", "format": "wet", "paths": ["*.wet.gz"]}
    raw = {"name": "tiny", "output": "out", "sources": [source], "filter": {"decontamination": {"sets": sets}}}
    return config_file.parse(raw, folder=folder)


def test_files_lie_beside_the_config(tmp_path):
    config = configured({"mine": {"paths": ["evals/set.jsonl", "s3://bucket/set.jsonl"], "fields": ["q"]}}, tmp_path)
    assert config.filter.decontamination.sets["mine"].paths == [
        str(tmp_path / "evals" / "set.jsonl"),
        "s3://bucket/set.jsonl",
    ]


def test_two_sets_never_have_one_column():
    one = {"paths": ["set.jsonl"], "fields": ["q"]}
    configured({"share_mine": one, "yours": one})
    with pytest.raises(ConfigError, match=r"decontamination\.sets: `share_mine` cannot stand beside `mine`"):
        configured({"share_mine": one, "mine": one})


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"sets\.mine: nowhere\.jsonl cannot be read: No such file"):
        evaluation_sets.check(
            config_file.parse(
                {
                    "name": "tiny",
                    "output": "out",
                    "sources": [{"name": "web", "format": "wet", "paths": ["*.wet.gz"]}],
                    "filter": {"decontamination": {"sets": {"mine": {"paths": ["nowhere.jsonl"], "fields": ["q"]}}}},
                }
            ).filter.decontamination
        )


def test_one_line_of_200_mb(tmp_path):
    word = "word " * 40_000_000
    path = written(tmp_path, b'{"q": "' + word.encode() + b'"}')
    texts, numbers, _ = read("set", [path], ["q"])
    assert [len(text) for text in texts] == [len(word)] and numbers.tolist() == [0]
