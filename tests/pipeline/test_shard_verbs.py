"""`gristmill shards` on damaged shards and beside another tokenizer, and what the text verbs refuse: one line each."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import command_line
import pytest
from command_line import PROGRAM, environment, gristmill, gristmills


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return command_line.a_copy(command_line.finished(tmp_path_factory), tmp_path_factory.mktemp("shards"))


@pytest.fixture(scope="module")
def other(output, tmp_path_factory):
    """Another tokenizer, with fewer tokens."""
    folder = tmp_path_factory.mktemp("other") / "tokenizer"
    made = gristmill("tokenizer", "merge", output / "counts", "--vocabulary", 300, "--out", folder)
    assert made.code == 0, made.err
    return folder


def test_shards_of_another_tokenizer_are_found(output, other, tmp_path):
    shards = output / "shards"
    mixed = tmp_path / "mixed"
    shutil.copytree(shards, mixed / "shards")
    calls = [
        (verb, folder, *more)
        for verb in ("verify", "head")
        for folder, more in [
            (shards, ()),
            (shards, ("--tokenizer", other)),
            (mixed / "shards", ()),
            (mixed / "shards", ("--tokenizer", output / "tokenizer")),
        ]
    ]
    verified, given, alone, named, text, given_text, alone_text, named_text = gristmills(
        [("shards", *c) for c in calls]
    )
    assert verified.code == named.code == alone.code == 0
    assert verified.out.strip() == f"{shards}: all shards are whole"
    assert named.out.strip() == f"{mixed / 'shards'}: all shards are whole"
    assert "there is no tokenizer beside them to compare theirs with" in alone.out
    hashed = json.loads((shards / "shards.json").read_text())["tokenizer"][:12]
    assert given.code == 1 and f"made with tokenizer {hashed}, not " in given.errors[0]
    assert named_text.out == text.out and text.err == ""
    ids = [line for line in text.out.splitlines() if line.startswith("key ") or line.replace(" ", "").isdigit()]
    assert alone_text.out.splitlines() == ids and "ids only: there is no tokenizer" in alone_text.err
    assert given_text.out == alone_text.out
    assert f"ids only: the shards were made with tokenizer {hashed}, {other} is" in given_text.err
    shutil.copytree(other, mixed / "tokenizer")
    verified, text = gristmills([("shards", verb, mixed / "shards") for verb in ("verify", "head")])
    assert verified.code == 1 and verified.out == "" and "shards.json: made with tokenizer" in verified.errors[0]
    assert text.code == 0 and text.out == alone_text.out and "ids only" in text.err


def test_missing_shards_and_fields_are_named(output, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(output / "shards", folder)
    index = json.loads((folder / "shards.json").read_text())
    gone = folder / index["splits"]["train"]["files"][0]["path"]
    gone.unlink()
    readers = [("stats",), ("head",), ("packing", "--context", 64), ("export", "--out", tmp_path / "out")]
    for said in gristmills([("shards", verb, folder, *more) for verb, *more in readers]):
        assert (said.code, said.errors) == (2, [f"{gone}: there is no such file or folder"])
    del index["splits"]["train"]["files"]
    (folder / "shards.json").write_text(json.dumps(index))
    for said in gristmills([("shards", verb, folder, *more) for verb, *more in [("verify",), *readers]]):
        assert said.code == 1
        assert said.errors == [f"{folder / 'shards.json'}: splits.train has no 'files'; write the shards again"]


def test_text_that_is_not_utf_8_and_ids_that_are_no_tokens_are_refused(output):
    encode = [PROGRAM, "tokenizer", "encode", str(output / "tokenizer")]
    for name, arguments, text in [("TEXT", b"a\xff", b""), ("standard input", b"-", b"a\xff")]:
        said = subprocess.run([*encode, arguments], input=text, capture_output=True, env=environment(), check=False)
        assert said.returncode == 2
        assert said.stderr.decode() == f"error: {name}: byte 0xff at position 1 is not UTF-8; convert the text first\n"
    decode = ("tokenizer", "decode", output / "tokenizer")
    for number, said in zip((4294967296, -1, 10**6), gristmills([(*decode, "--", 7, n) for n in (2**32, -1, 10**6)])):
        assert said.code == 2
        assert len(said.errors) == 1 and f"ID: {number} at position 1 is no token of this tokenizer" in said.errors[0]


def test_control_characters_of_the_text_are_shown_and_not_obeyed(output):
    said = gristmill("tokenizer", "encode", output / "tokenizer", "a\x1b[31mb\r\u202ec\nd")
    assert said.code == 0
    assert not {"\x1b", "\r", "\u202e"} & set(said.out)
    assert "␛" in said.out and "⏎\n" in said.out


def test_looks_need_text_and_tokenizers_to_compare(output, other, tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "blank.jsonl").write_text('{"text": ""}\n')
    (tmp_path / "some.jsonl").write_text('{"text": "grain"}\n')
    one = output / "tokenizer"
    calls = {
        ("inspect", one, "--text", "empty.jsonl"): (1, "--text empty.jsonl: there is no text in it to look at"),
        ("compare", one, other, "--text", "blank.jsonl"): (1, "--text blank.jsonl: there is no text in it to look at"),
        ("compare", one, "--text", "some.jsonl"): (2, "alone has nothing to be compared with; give two or more"),
        ("compare", one, one, "--text", "some.jsonl"): (2, "is given twice; give each tokenizer once"),
        ("inspect", one, "--text", "some.jsonl", "--unused", 3): (0, "of these the first that were learned:"),
        ("compare", one, other, "--text", "some.jsonl"): (0, "all"),
    }
    for (call, (code, told)), said in zip(calls.items(), gristmills([("tokenizer", *c) for c in calls], tmp_path)):
        assert said.code == code, (call, said)
        assert told in (said.errors[0] if code else said.out)
        assert not code or said.out == ""


def test_shards_are_found_in_the_output_folder_and_not_written_over(output, tmp_path):
    shards = output / "shards"
    of_output, of_shards, as_json, same, made = gristmills(
        [
            ("shards", "stats", output),
            ("shards", "stats", shards),
            ("shards", "stats", shards, "--json"),
            ("shards", "export", shards, "--out", shards / ".." / "shards"),
            ("shards", "export", output, "--out", tmp_path / "out"),
        ]
    )
    assert of_output.code == of_shards.code == made.code == 0 and of_output.out == of_shards.out
    assert list(json.loads(as_json.out)["splits"])[:2] == ["train", "validation"]
    assert (same.code, same.out) == (2, "") and "holds the shards themselves" in same.errors[0]
    manifest = json.loads((output / "runs" / "manifest.json").read_text())
    manifest["counts"]["rearranged"] = 7
    (output / "runs" / "manifest.json").write_text(json.dumps(manifest))
    assert "7 documents rearranged to fill in the middle" in gristmill("shards", "stats", output).out


def test_bytes_of_a_split_character_and_borders_of_tokens_are_shown(output):
    said = gristmill("tokenizer", "encode", output / "tokenizer", "\U0001f33e grain")
    assert said.code == 0 and "\ufffd" not in said.out
    assert re.search(r"<F0>(\|?<[0-9A-F]{2}>)*", said.out) and "|" in said.out


def test_many_tokenizers_are_columns_by_number(output, other, tmp_path):
    (tmp_path / "some.jsonl").write_text('{"text": "grain"}\n')
    said = gristmill("tokenizer", "compare", output / "tokenizer", other, "--text", "some.jsonl", folder=tmp_path)
    assert said.out.startswith(f"1: {output / 'tokenizer'}\n2: {other}\n")
    assert max(map(len, said.out.splitlines()[2:])) <= 80


def test_documents_that_cannot_be_read_are_told(output, tmp_path):
    (tmp_path / "some.jsonl").write_bytes(b'{"text": "grain"}\n{"text": "a\xff"}\n{"text": \n{"text": "b\xff"}\n')
    (tmp_path / "latin.txt").write_bytes("Mühle".encode("latin-1"))
    (tmp_path / "good.TXT").write_text("Mühle 磨坊")
    (tmp_path / "a.csv").write_text("text\n")
    texts = [each for name in ("some.jsonl", "latin.txt", "good.TXT") for each in ("--text", name)]
    one = output / "tokenizer"
    said, refused = gristmills(
        [("tokenizer", "inspect", one, *texts, "--json"), ("tokenizer", "inspect", one, "--text", "a.csv")], tmp_path
    )
    assert said.code == 0, said.err
    look = json.loads(said.out)
    assert look["all"]["documents"] == 2 and look["all"]["bytes"] == len("grainMühle 磨坊".encode())
    assert [row["group"] for row in look["by"]["domain"]] == ["good.TXT", "some.jsonl"]
    latin, broken = said.err.splitlines()
    assert latin == f"! {tmp_path / 'latin.txt'}: 1 record is left out, the first for invalid-utf8 at byte 0"
    assert broken == f"! {tmp_path / 'some.jsonl'}: 3 records are left out, the first for invalid-utf8 at byte 18"
    assert refused.code == 2 and "a.csv: documents are read from .jsonl, .parquet" in refused.errors[0]


def test_decoded_text_has_the_colours_of_its_tokens_on_a_terminal(output):
    text = "grain 磨坊\n\x1b[2J\U0001f33e"
    ids = gristmill("tokenizer", "encode", output / "tokenizer", text).out.splitlines()[0].split()
    plain, coloured = (
        gristmill("tokenizer", "decode", output / "tokenizer", *ids, **more) for more in ({}, {"FORCE_COLOR": "1"})
    )
    assert plain.out == f"{text}\n"
    shown = re.sub(r"\x1b\[[0-9;]*m", "", coloured.out)
    assert shown == "grain 磨坊⏎\n␛[2J\U0001f33e\n" and coloured.out.count("\x1b[") > 4


def test_tables_fit_80_columns(output, other, tmp_path):
    long = "a-host-with-a-very-long-name-" * 3 + ".example"
    (tmp_path / "some.jsonl").write_text(json.dumps({"text": "grain " * 3000, "url": f"http://{long}/[x]"}))
    one = output / "tokenizer"
    calls = [
        ("tokenizer", "inspect", one, "--text", "some.jsonl"),
        ("tokenizer", "compare", one, other, "--text", "some.jsonl"),
        ("shards", "stats", output),
        ("shards", "packing", output, "--context", 64, "--context", 4096),
    ]
    for call, said in zip(calls, gristmills(calls, tmp_path)):
        assert said.code == 0, (call, said.err)
        lines = [line for line in said.out.splitlines() if not re.match(r"[12]: |\S+: [\d,]+ regular", line)]
        assert max(map(len, lines)) <= 80, call
        if call[0] == "tokenizer":
            cells = [re.split("[│┃]", line)[1].strip() for line in lines if "│" in line]
            assert long in "".join(cells)  # folded, not cut off
