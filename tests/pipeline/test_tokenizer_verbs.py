"""`gristmill tokenizer merge-counts` and `merge` on count files: what they make, and one line for what they refuse."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import environment, gristmill, gristmills, on_a_terminal

from tokenizer.count_files import read_counts, write_counts
from tokenizer.counts import PieceCounter, count_pieces
from tokenizer.formats import load
from tokenizer.pretokenizers import pretokenizer

MADE_OF = ("tenths.parquet", "whole")
TEXTS = ["the miller grinds the grain and the grain is ground", "grinding mills, 水车磨坊 磨坊水车", "a a b 12 2.5"]


def counts(texts: list[str], path: Path, scheme: str = "deepseek-llm") -> dict[bytes, int]:
    table = count_pieces(pa.array(texts), pretokenizer(scheme))
    write_counts(table, path)
    return dict(zip(table["piece"].to_pylist(), table["count"].to_pylist()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("counts")
    counts(TEXTS, made / "a.parquet")
    counts(TEXTS[:1], made / "b.parquet")
    counts(TEXTS, made / "gpt2.parquet", "gpt2")
    (made / "cut.parquet").write_bytes((made / "a.parquet").read_bytes()[:300])
    pq.write_table(pa.table({"text": TEXTS}), made / "text.parquet")
    (made / "latin.txt").write_bytes(b"a\n\xe4\n")
    (made / "notes.txt").write_text("no counts")
    return made


def test_counts_are_added_by_weights_of_their_own(folder, tmp_path):
    added = ("a.parquet", "b.parquet", "--weight", "b.parquet=2.5", "--out", tmp_path / "sum.parquet")
    said = gristmill("tokenizer", "merge-counts", *added, folder=folder)
    assert said.code == 0, said.err
    one, other = counts(TEXTS, tmp_path / "1"), counts(TEXTS[:1], tmp_path / "2")
    expected = {piece: round(count + 2.5 * other.get(piece, 0)) for piece, count in one.items()}
    found = read_counts(tmp_path / "sum.parquet", pretokenizer("deepseek-llm"))
    assert dict(zip(found["piece"].to_pylist(), found["count"].to_pylist())) == expected
    assert f"sum.parquet: {len(expected)} distinct pieces from 2 files" in said.out.replace("\n", "")


def test_merging_takes_options_and_extends(folder, tmp_path):
    made = gristmills(
        [
            ("tokenizer", "merge", folder / "a.parquet", "--min-frequency", 1, "--vocabulary", n, "--out", out, *more)
            for n, out, more in [
                (290, tmp_path / "plain", ()),
                (275, tmp_path / "base", ()),
                (290, tmp_path / "strange", ("--forbid", "/n/", "--max-token-length", 3)),
            ]
        ]
    )
    assert [said.code for said in made] == [0, 0, 0], [said.err for said in made]
    extend = ("--extend", tmp_path / "base", "--min-frequency", 1, "--vocabulary", 290, "--out", tmp_path / "larger")
    assert gristmill("tokenizer", "merge", folder / "a.parquet", *extend).code == 0
    plain, base, larger, strange = (load(tmp_path / name) for name in ("plain", "base", "larger", "strange"))
    assert larger.merges.pairs.tolist() == plain.merges.pairs.tolist()
    assert larger.special_ids == base.special_ids
    further = strange.merges.tokens()[256:]
    assert further and all(b"n" not in token and len(token) <= 3 for token in further)


def test_a_part_in_tenths_is_added_up_before_it_is_learned_from(folder, tmp_path):
    with PieceCounter(pretokenizer("deepseek-llm"), 10) as counter:
        counter.add(pa.array(TEXTS[:1] * 8), np.full(8, 1))
        counter.write(tmp_path / "tenths.parquet")
    options = ("--vocabulary", 300)
    assert gristmill("tokenizer", "merge-counts", tmp_path / "tenths.parquet", "--out", tmp_path / "whole").code == 0
    made = gristmills(
        [("tokenizer", "merge", tmp_path / name, *options, "--out", tmp_path / f"of-{name}") for name in MADE_OF]
    )
    assert [said.code for said in made] == [0, 0], [said.err for said in made]
    one, other = (load(tmp_path / f"of-{name}") for name in MADE_OF)
    assert one.hash == other.hash
    assert 0 < len(one.merges.pairs) < 44  # in tenths there would be more pairs of a count of 2


def test_merging_takes_the_scheme_of_the_counts_and_names_of_special_tokens(folder, tmp_path):
    by_regex = count_pieces(pa.array(TEXTS), pretokenizer({"regex": " ?[a-z]+"}))
    write_counts(by_regex, tmp_path / "regex.parquet")
    options = ("--vocabulary", 270, "--special", "end=<e>", "--special", "pad=<p=>", "--model-vocabulary", 300)
    made = gristmills(
        [
            ("tokenizer", "merge", folder / "gpt2.parquet", *options, "--out", tmp_path / "gpt2"),
            ("tokenizer", "merge", tmp_path / "regex.parquet", *options, "--out", tmp_path / "regex"),
        ]
    )
    assert [said.code for said in made] == [0, 0], [said.err for said in made]
    gpt2, regex = load(tmp_path / "gpt2"), load(tmp_path / "regex")
    assert (gpt2.pretokenizer.name, regex.pretokenizer.name) == ("gpt2", "regex  ?[a-z]+")
    assert dict(gpt2.special_tokens) == {"end": "<e>", "pad": "<p=>"}
    assert gpt2.model_vocabulary == regex.model_vocabulary == 300


def test_there_is_nothing_to_count_for_a_given_tokenizer(folder, tmp_path):
    source = {"name": "web", "format": "jsonl", "paths": ["none.jsonl"]}
    config = {"name": "a", "output": "out", "sources": [source], "tokenizer": {"path": "tok"}}
    (tmp_path / "corpus.yaml").write_text(json.dumps(config))
    said = gristmill("tokenizer", "count", tmp_path / "corpus.yaml")
    assert said.code == 2 and re.search(
        r"tokenizer.path: \S+/tok is a whole tokenizer: there is nothing", said.errors[0]
    )


def test_bad_input_is_one_line(folder, tmp_path):
    merge, add = ("tokenizer", "merge"), ("tokenizer", "merge-counts")
    out = ("--out", tmp_path / "out")
    calls = {
        (*merge, "cut.parquet", *out): (1, "cut.parquet: is damaged or no count file"),
        (*merge, "notes.txt", *out): (1, "notes.txt: is damaged or no count file"),
        (*merge, "text.parquet", *out): (1, r"text.parquet: holds columns \['text'\], which is no count file"),
        (*merge, "gpt2.parquet", "--pretokenizer", "deepseek-llm", *out): (1, "counts of pre-tokenizer 'gpt2'"),
        (*merge, "a.parquet", "--vocabulary", 9999, "--strict", *out): (1, "vocabulary 9999 is more than this text"),
        (*merge, "a.parquet", "--forbid", "/(/", *out): (1, r"/\(/ is no regular expression"),
        (*merge, "a.parquet", "--extend", "none", *out): (2, "none: there is no such file or folder"),
        (*merge, "none.parquet", *out): (2, "none.parquet: there is no such file or folder"),
        (*add, "a.parquet", "gpt2.parquet", *out): (1, "gpt2.parquet: counts of pre-tokenizer 'gpt2'"),
        (*add, "a.parquet", "cut.parquet", *out): (1, "cut.parquet: is damaged or no count file"),
        (*add, "a.parquet", "--weight", "c.parquet=2", *out): (2, "--weight c.parquet=2: 'c.parquet' is none of"),
        (*add, "a.parquet", "--weight", "a.parquet=two", *out): (2, "--weight a.parquet=two: 'two' is no number"),
        (*merge, "a.parquet", "--pretokenizer", "gpt2", "--regex", "a", *out): (2, "--pretokenizer and --regex: coun"),
        (*merge, "a.parquet", "--special", "end", *out): (2, "--special: give NAME=TEXT, each name once, not end"),
        (*merge, "a.parquet", "--vocabulary", 281, "--model-vocabulary", 290, *out): (1, "model_vocabulary 290 is bel"),
        (*merge, "a.parquet", "--forbid-file", "latin.txt", *out): (1, "latin.txt: line 2 is not UTF-8: save the fil"),
        (*add, "a.parquet", "--weight", "a.parquet=1e400", *out): (1, "weights are too large, too small or of too man"),
        (*add, "a.parquet", "--weight", "a.parquet=1e-400", *out): (1, "weights are too large, too small or of too ma"),
        (*add, "a.parquet", "--weight", "a.parquet=1e9999999999", *out): (2, "'1e9999999999' is no number"),
        (*add, "a.parquet", "--weight", "a.parquet", *out): (2, "--weight a.parquet: give COUNTS=NUMBER, such as a.pa"),
        (*add, "a.parquet", "--weight", "a.parquet=0", *out): (2, "--weight a.parquet=0: no piece is left"),
        (*add, "a.parquet", "--weight", "a.parquet=-1", *out): (2, "--weight a.parquet=-1: a file counts 0 times"),
    }  # fmt: skip
    for (call, (code, line)), said in zip(calls.items(), gristmills(list(calls), folder)):
        assert said.code == code, (call, said)
        assert len(said.errors) == 1 and re.search(line, said.errors[0]), (call, said.err)
    assert not list(tmp_path.iterdir())


def test_a_merge_that_is_killed_goes_on_to_the_same_bytes(tmp_path):
    """Really killed, in a process of its own, as soon as a checkpoint lies there."""
    words = [
        f"{first}{second}{third}" for first in "abcdefghkl" for second in "mnopqrs" for third in ("tuv", "wxy", "zz")
    ]
    counts([" ".join(words[i:] + words[: i // 2]) for i in range(0, 200, 3)], tmp_path / "counts.parquet")
    code = (
        "import sys, time; from tokenizer import checkpoints, merges; checkpoints.SECONDS = 0.0;"
        "train = merges.train\n"
        "def slowly(*arguments, progress=None, **options):\n"
        "    checkpoint = options['checkpoint']\n"
        "    return train(*arguments, **options | {'checkpoint': lambda made: (checkpoint(made), time.sleep(0.3))})\n"
        "merges.train = slowly\n"
        "from pipeline.cli import main; sys.argv[0] = 'gristmill'; main()"
    )
    arguments = ["tokenizer", "merge", str(tmp_path / "counts.parquet"), "--vocabulary", "600", "--min-frequency", "1"]
    left = tmp_path / "killed" / "merges.checkpoint"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--out", str(tmp_path / "killed")], env=environment(),
        stdout=subprocess.DEVNULL, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while not left.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert left.exists()
    assert not (tmp_path / "killed" / "tokenizer.json").exists()
    assert gristmill(*arguments, "--out", tmp_path / "killed").code == 0
    assert gristmill(*arguments, "--out", tmp_path / "whole").code == 0
    assert not left.exists()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(json.loads((tmp_path / "whole" / "tokenizer.json").read_text())["model"]["merges"]) > 200


def test_the_bar_is_shown_on_a_terminal_and_nowhere_else(folder, tmp_path):
    options = ("--vocabulary", 270, "--min-frequency", 1, "--out", tmp_path / "tok")
    shown = on_a_terminal("tokenizer", "merge", folder / "a.parquet", *options)
    plain = gristmill("tokenizer", "merge", folder / "a.parquet", *options)
    assert "merges" in shown.err and "270/270" in shown.err
    assert shown.out == plain.out == f"{tmp_path / 'tok'}: 270 regular tokens from {len_of(folder)} distinct pieces\n"
    assert plain.err == ""


def len_of(folder: Path) -> int:
    return pq.read_metadata(folder / "a.parquet").num_rows


def test_less_than_asked_for_is_told_with_the_frequency(folder, tmp_path):
    said = gristmill("tokenizer", "merge", folder / "a.parquet", "--vocabulary", 9999, "--out", tmp_path / "tok")
    made = load(tmp_path / "tok").merges.vocabulary_size
    assert said.code == 0 and f"{made:,} regular tokens" in said.out
    assert f"no further pair that occurs 2 times or more: {9999 - made:,} short of what was asked" in said.out


def test_output_folders_and_stores_are_good_for_counts_and_tokenizers(folder, tmp_path, monkeypatch):
    """Counts, the tokenizer to extend and the new one: on s3:// by the environment, and from the folder above them."""
    boto3 = pytest.importorskip("boto3", reason="needs gristmill[aws]")
    moto = pytest.importorskip("moto.server", reason="needs moto[server,s3], a part of gristmill[dev]")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").disabled = True
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        secrets = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", "us-east-1")
        client.create_bucket(Bucket="mill")
        (tmp_path / "out" / "counts").mkdir(parents=True)
        for name in ("a.parquet", "b.parquet"):
            client.put_object(Bucket="mill", Key=f"parts/{name}", Body=(folder / name).read_bytes())
            (tmp_path / "out" / "counts" / name).write_bytes((folder / name).read_bytes())
        there, here, options = "s3://mill/out", tmp_path / "out", ("--vocabulary", 290, "--min-frequency", 1)
        for parts, out in [("s3://mill/parts", there), (here / "counts", here)]:
            added = ("tokenizer", "merge-counts", parts, "--out", f"{out}/counts/pieces.parquet")
            merged = ("tokenizer", "merge", out, "--vocabulary", 280, "--min-frequency", 1, "--out", f"{out}/tokenizer")
            larger = ("tokenizer", "merge", out, "--extend", out, *options, "--out", f"{out}/larger")
            for call in (added, merged, larger, ("tokenizer", "export", f"{out}/larger", "--out", f"{out}/again")):
                said = gristmill(*call)
                assert said.code == 0, (call, said.err)
        for name in ("tokenizer", "larger", "again"):
            made = client.get_object(Bucket="mill", Key=f"out/{name}/tokenizer.json")["Body"].read()
            assert made == (here / name / "tokenizer.json").read_bytes()
        assert load(here / "larger").merges.vocabulary_size == 290
        missing = gristmill("tokenizer", "merge", "s3://mill/none/pieces.parquet", "--out", tmp_path / "none")
        assert missing.code and len(missing.errors) == 1 and "s3://mill/none/pieces.parquet" in missing.errors[0]
    finally:
        server.stop()
