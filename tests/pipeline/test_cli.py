"""The command line as a person meets it: every verb, every exit code, with and without a terminal."""

import importlib.metadata
import io
import json
import re
import signal
import subprocess
import sys
import time

import command_line
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from command_line import ESCAPE, PROGRAM, another_output, gristmill, gristmills, on_a_terminal
from rich.console import Console
from tokenizers import Tokenizer

from pipeline import console, progress

VERBS = [
    *[(verb,) for verb in ("run", "ingest", "dedup", "filter", "mix", "tokenize", "report", "train", "evaluate")],
    *[(verb,) for verb in ("generate", "export", "sample", "doctor")],
    ("dedup", "report"),
    *[
        ("tokenizer", verb)
        for verb in (
            "train",
            "count",
            "merge-counts",
            "merge",
            "inspect",
            "compare",
            "encode",
            "decode",
            "export",
            "import",
        )
    ],
    *[("shards", verb) for verb in ("stats", "head", "verify")],
    *[("filter", verb) for verb in ("explain", "presets")],
    *[("quality", verb) for verb in ("train", "evaluate", "threshold")],
    *[("config", verb) for verb in ("show", "schema")],
]
JOBS = [
    *("ingest", "sign", "match", "cluster", "annotate", "decide", "select"),
    *("mix", "count", "tokenizer", "encode", "tokenize"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return command_line.finished(tmp_path_factory)


# Help


def test_every_verb_explains_itself_by_example():
    for verb, said in zip(VERBS, gristmills([(*verb, "--help") for verb in VERBS]), strict=True):
        assert said.code == 0, (verb, said.err)
        shown = re.sub(r"[\s│╭╮╰╯─]+", " ", said.out)
        command = " ".join(("gristmill", *verb))
        # Once in the usage, where brackets follow, and at least once as it would be typed.
        assert f"Usage: {command} [OPTIONS]" in shown
        assert re.search(rf"{command}(?! \[)", shown), (verb, said.out)


def test_the_first_help_names_every_verb_and_the_exit_codes():
    said = gristmill("--help")
    assert said.code == 0
    assert all(re.search(rf"│ {verb[0]}\b", said.out) for verb in VERBS)
    assert "0 done, 1 failed, 2 wrong usage" in said.out


def test_it_says_which_version_it_is():
    said = gristmill("--version")
    assert said.code == 0 and said.out == f"gristmill {importlib.metadata.version('gristmill')}\n"


def test_help_comes_at_once_and_loads_nothing_heavy():
    program = (
        "import sys; sys.argv = ['gristmill', '--help']\n"
        "from pipeline.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('apache_beam', 'torch', 'numba', 'pyarrow', 'plotly', 'pydantic') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"
    times = []
    for _ in range(3):  # the best of three, for other processes may be at work
        began = time.monotonic()
        gristmill("--help")
        times.append(time.monotonic() - began)
    assert min(times) < 1.5


# Wrong usage: exit code 2, one line on stderr, nothing on stdout


def test_wrong_usage_is_one_line_and_exit_code_2(made, tmp_path):
    config = made.config
    cases = {
        ("run", config, "--bogus"): "No such option: --bogus; see `gristmill run --help`",
        ("runn",): "'runn'.*[Dd]id you mean.*run",
        ("shards", "stat"): "'stat'.*stats.*`gristmill shards --help`",
        ("run",): "Missing argument 'CORPUS.YAML'",
        ("run", config, "--workers", 0): "--workers",
        ("run", config, "--until", "tokenise"): "--until: `tokenise` is unknown; did you mean `tokenize`?",
        ("run", config, "--runner", "sparc"): "--runner: `sparc` is unknown; did you mean `spark`?",
        ("run", config, "ingest"): "`ingest` is no option",
        ("run", config, "--", "--direct_num_worker=3"): "no --direct_num_worker; did you mean `--direct_num_workers`?",
        ("run", config, "--", "--direct_num_workers=many"): "--direct_num_workers: invalid int value: 'many'",
        ("run", made.folder / "corpus.yml"): "corpus.yml: there is no such file; did you mean `corpus.yaml`?",
        ("run", made.folder): r"is a folder, and the YAML file of a corpus is wanted; did you mean .*corpus\.yaml\?",
        ("report", tmp_path / "nowhere"): "nowhere: there is no such folder; give the `output` of a corpus",
        ("dedup", "report", tmp_path / "nowhere"): "nowhere: there is no such folder; give the `output` of a corpus",
        ("dedup", "reprot", tmp_path): "there is no `dedup reprot`; did you mean `dedup report`?",
        ("shards", "stats", tmp_path): "shards.json: there is no such index; write shards with `gristmill tokenize`",
        ("shards", "head", tmp_path / "none"): "shards.json: there is no such index",
        ("tokenizer", "encode", tmp_path / "tok", "x"): "tok: there is no such file or folder",
        ("tokenizer", "export", made.output / "tokenizer", "--format", "onnx", "--out", tmp_path): "`onnx` is unknown",
        ("tokenizer", "merge", tmp_path, "--out", tmp_path / "tok"): "no count files; .* `gristmill tokenizer count`",
        ("tokenizer", "merge", tmp_path / "no.parquet", "--out", tmp_path / "tok"): "no.parquet: there is no such file",
        ("tokenizer", "decode", made.output / "tokenizer", 5, 10**6): "1000000 at position 1 is no token",
        ("sample", made.folder.parent): "holds other files and no sample: name a new or an empty folder",
        ("quality", "evaluate", tmp_path / "m.bin", "--positive", "a.jsonl", "--negative", "b.jsonl"): "m.bin",
        ("quality", "train", "--positive", "a.txt", "--negative", "b.txt", "--out", tmp_path / "m"): "a.txt",
    }
    for (call, words), said in zip(cases.items(), gristmills(list(cases), folder=tmp_path), strict=True):
        assert said.code == 2, (call, said)
        assert said.out == "", call
        assert len(said.errors) == len(said.err.splitlines()) == 1, (call, said.err)
        assert re.search(words, said.errors[0]), (call, said.err)
    assert list(tmp_path.iterdir()) == []


def test_a_config_with_many_mistakes_is_a_line_for_each(made, tmp_path):
    config = yaml.safe_load(made.config.read_text())
    config["dedup"] = {"rowz": 8, "bands": 0}
    config["filter"]["language"] = {"minimum_score": 65}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "broken.yaml").write_text("name: [\n")
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    wrong, *others = gristmills([("run", f"{name}.yaml") for name in ("wrong", "broken", "list", "binary")], tmp_path)
    assert wrong.code == 2
    assert len(wrong.errors) == 3
    assert any(re.search(r"dedup\.rowz: there is no such key; did you mean `rows`", line) for line in wrong.errors)
    assert any(re.search(r"dedup\.bands: .*greater than or equal to 1, not 0", line) for line in wrong.errors)
    assert any("filter.language.minimum_score" in line and "not 65" in line for line in wrong.errors)
    words = ["broken.yaml: cannot be read as YAML.*line", "list.yaml: .* is a mapping with name, output and sources"]
    for said, expected in zip(others, [*words, "binary.yaml: cannot be read as YAML"], strict=True):
        assert said.code == 2
        assert len(said.errors) == 1
        assert re.search(expected, said.errors[0])


def test_models_are_looked_at_before_any_work_is_done(made, tmp_path):
    changes = {
        "filter.quality.mine: .*no.bin.*no such file": {"filter": {"quality": {"mine": {"model": "no.bin"}}}},
        "filter.language.model: .*corpus.yaml.* is not a fastText model": {
            "filter": {"language": {"model": "corpus.yaml"}}
        },
        "tokenizer.path: .*/tok: No such file": {"tokenizer": {"path": "tok"}},
    }
    calls = []
    for number, change in enumerate(changes.values()):
        (tmp_path / str(number)).mkdir()
        calls.append(("run", another_output(made, tmp_path / str(number), **change)[0]))
    for words, said in zip(changes, gristmills(calls), strict=True):
        assert said.code == 2
        assert len(said.errors) == len(said.err.splitlines()) == 1
        assert re.search(words, said.errors[0]), said.err
    assert not list(tmp_path.glob("*/out"))


def test_a_reader_that_has_seen_enough_ends_it_quietly():
    schema = subprocess.Popen([PROGRAM, "config", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    schema.stdout.close()
    assert schema.stderr.read() == ""
    assert schema.wait() in (0, 1)


def test_a_defect_shows_its_traceback_when_asked_for(tmp_path):
    program = (
        "import sys; sys.argv = ['gristmill', 'doctor']\n"
        "import pipeline.doctor\n"
        "pipeline.doctor.checks = lambda: 1 / 0\n"
        "from pipeline.cli import main; main()"
    )
    for shown in ("", "1"):
        said = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False,
            env=command_line.environment(GRISTMILL_TRACEBACK=shown),
        )  # fmt: skip
        assert said.returncode == 1
        assert ("Traceback" in said.stderr) == bool(shown)
        assert "ZeroDivisionError: division by zero" in said.stderr


# Looks: a live line on a terminal, plain lines elsewhere


def test_a_terminal_shows_a_live_line_of_each_job(made):
    assert made.run.out.strip() == str(made.output)
    shown = ESCAPE.sub("", made.run.err)
    frames = re.split(r"[\r\n]+", shown)
    assert "\x1b[?25l" in made.run.err  # the cursor is hidden while the line lives,
    assert made.run.err.rindex("\x1b[?25h") > made.run.err.rindex("\x1b[?25l")  # and back at the end
    live = [line for line in frames if re.search(r"━|╸|╺", line)]
    assert all(any(line.strip().startswith(job) for line in live) for job in JOBS)
    assert any(re.search(r"\d/8 files · \d+ documents · \d+\.\d MB/s", line) for line in live)
    done = [line for line in frames if line.startswith("✓")]
    assert [line.split()[1] for line in done] == JOBS
    assert re.search(r"8 files → \d+ documents, [\d.]+ kB; \d+ rejects", done[0])


def test_the_live_line_tells_files_documents_speed_and_time_left():
    running = progress.Progress(
        "sign", tasks=8, tasks_done=2, bytes_expected=80_000_000, documents=1234, bytes=20_000_000
    )
    running.started -= 10  # ten seconds ago
    line = console.status(running)
    assert re.fullmatch(r"2/8 files · 1,234 documents · 2\.0 MB/s · (30|29)\.\d s left", line)
    assert console.status(progress.Progress("sign")) == ""


def test_nothing_is_coloured_where_nobody_wants_it(made):
    plain = gristmill("run", made.config)
    assert plain.code == 0
    assert plain.out.strip() == str(made.output)
    assert "\x1b" not in plain.err
    assert [line.split()[:2] for line in plain.err.splitlines()] == [["·", job] for job in JOBS]
    assert all(line.endswith("up to date") for line in plain.err.splitlines())
    assert command_line.COLOUR.search(made.run.err)
    assert command_line.COLOUR.search(on_a_terminal("runn").err)
    assert not command_line.COLOUR.search(on_a_terminal("runn", NO_COLOR="1").err)
    assert not command_line.COLOUR.search(on_a_terminal("ingest", made.config, NO_COLOR="1").err)


def test_a_long_job_leaves_a_plain_line_now_and_then(monkeypatch):
    monkeypatch.setattr(console, "_LOG_EVERY", 0.05)
    seen = io.StringIO()
    with console.Display(Console(file=seen)) as display:
        display.started("ingest", "ingest")
        progress.start("ingest", 8, 4_000_000)
        progress.advance(120, 1_000_000, 2)
        began = time.monotonic()
        while time.monotonic() - began < 10 and "MB/s" not in seen.getvalue():
            time.sleep(0.01)
        display.finished("ingest", "ingest", {}, 1.0, True)
    first, *_, last = seen.getvalue().splitlines()
    assert re.fullmatch(r"  ingest      2/8 files · 120 documents · \d+\.\d MB/s", first)
    assert last.split() == ["✓", "ingest", "1.0", "s"]


# Every verb on the outputs of one run


def test_sample_says_what_it_wrote_and_what_comes_next(made):
    assert re.search(r"2 dumps in 8 files; \d+ documents .* 9 languages; .* 8 places of damage", made.sample.out)
    assert made.sample.out.splitlines()[-1] == f"next: gristmill run {made.config}"


def test_a_shown_config_is_a_config_that_means_the_same(made, tmp_path):
    shown = gristmill("config", "show", made.config)
    assert shown.code == 0
    (tmp_path / "shown.yaml").write_text(shown.out)
    again = gristmill("config", "show", tmp_path / "shown.yaml")
    assert again.out == shown.out
    whole = yaml.safe_load(shown.out)
    assert whole["output"] == str(made.output)
    assert whole["tokenizer"]["vocabulary"] == command_line.VOCABULARY
    schema = json.loads(gristmill("config", "schema").out)
    assert set(whole) == set(schema["properties"])
    helps = [key["description"] for kind in schema["$defs"].values() for key in kind["properties"].values()]
    assert all(f"# {text}" in shown.out for text in helps if "Quality" not in text) or len(helps) > 40


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(made, tmp_path):
    config, output = another_output(made, tmp_path)
    ahead = gristmill("run", config, "--dry-run")
    assert ahead.code == 0, ahead.err
    assert re.search(r"ingest\s+│ ingest\s+│\s+8 │\s+8 │\s+[\d.]+ kB", ahead.out)
    assert "after the jobs before it" in ahead.out
    assert "engine: direct" in ahead.out
    assert not output.exists()
    done = gristmill("run", made.config, "--dry-run", "--until", "dedup")
    assert re.findall(r"│ (\w+) +│ +\d │ up to date", done.out) == ["ingest", "sign", "match", "cluster"]


@pytest.mark.parametrize("verb", ["ingest", "dedup", "filter", "mix", "tokenize", "tokenizer train", "tokenizer count"])
def test_every_stage_says_ahead_what_it_would_do(made, tmp_path, verb):
    config, output = another_output(made, tmp_path)
    done = gristmill(*verb.split(), "--dry-run", made.config)
    assert done.code == 0, done.err
    assert "up to date" in done.out and "engine: direct" in done.out
    ahead = gristmill(*verb.split(), config, "--dry-run")
    assert ahead.code == 0, ahead.err
    assert ("after the stages before it" in ahead.out) is (verb != "ingest")
    assert not output.exists()


def test_a_stage_before_its_time_says_what_to_run_first(made, tmp_path):
    config, _ = another_output(made, tmp_path)
    said = gristmill("filter", config)
    assert said.code == 1
    assert re.search(r"is not finished: run `gristmill run` or the stage that writes it", said.errors[-1])


def test_a_stage_that_is_done_has_nothing_to_do(made):
    stages = [("ingest", made.config), ("mix", made.config), ("tokenizer", "count", made.config)]
    for stage, said in zip(stages, [gristmill(*stage) for stage in stages], strict=True):
        assert said.code == 0, (stage, said.err)
        assert said.err.count("\n") == 1
        assert said.err.strip().endswith("up to date")


def test_report_writes_its_two_files(made):
    said = gristmill("report", made.config)
    assert said.code == 0, said.err
    assert said.out.strip() == str(made.output / "report.html")
    assert (made.output / "report.html").stat().st_size > 100_000
    assert json.loads((made.output / "report.json").read_text())


def test_dedup_report_writes_its_folder(made, tmp_path):
    copy = command_line.a_copy(made, tmp_path)
    said = gristmill("dedup", "report", copy)
    assert said.code == 0, said.err
    assert said.out.strip() == str(copy / "dedup-report" / "index.html")
    found = json.loads((copy / "dedup-report" / "dedup.json").read_text())
    counts = json.loads((copy / "clusters" / "manifest.json").read_text())["counts"]
    assert found["cluster"]["counts"] == counts
    assert found["texts_missing"] == ""
    assert gristmill("dedup", made.config).err.count("up to date") == 3  # the stage's own verb is as it was
    early = gristmill("dedup", "report", tmp_path)
    assert early.code == 1
    assert "`gristmill run --until dedup` does all it needs" in early.errors[0]


def test_shards_are_counted_shown_and_checked(made, tmp_path):
    shards = made.output / "shards"
    index = json.loads((shards / "shards.json").read_text())
    stats = json.loads(gristmill("shards", "stats", shards, "--json").out)
    assert {name: split["tokens"] for name, split in stats["splits"].items()} == {
        name: split["tokens"] for name, split in index["splits"].items()
    }
    table = gristmill("shards", "stats", shards)
    assert table.code == 0
    assert f"{index['sources']['pydoc']['tokens']:,}" in table.out

    head = gristmill("shards", "head", shards, "-n", 2, "--tokens", 20)
    assert head.code == 0
    assert len(re.findall(r"^key \d+  source pydoc  [\d,]+ tokens$", head.out, re.MULTILINE)) == 2
    unknown = gristmill("shards", "head", shards, "--split", "test")
    assert unknown.code == 1
    assert "split 'test' is unknown: these shards have train, validation" in unknown.errors[0]

    assert gristmill("shards", "verify", shards).out.strip() == f"{shards}: all shards are whole"
    copy = command_line.a_copy(made, tmp_path) / "shards"
    name = index["splits"]["train"]["files"][0]["path"]
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    changed = gristmill("shards", "verify", copy)
    assert changed.code == 1
    assert changed.out == ""
    assert len(changed.errors) == 1
    assert name in changed.errors[0]
    assert "checksum differs" in changed.errors[0]


def test_text_goes_to_tokens_and_back(made):
    tokenizer = made.output / "tokenizer"
    text = "The mill grinds 42 sacks — 磨坊."
    encoded = gristmill("tokenizer", "encode", tokenizer, text)
    assert encoded.code == 0
    assert "\x1b" not in encoded.out
    assert gristmill("tokenizer", "encode", tokenizer, "-", text=text).out == encoded.out
    ids = encoded.out.splitlines()[0].split()
    decoded = gristmill("tokenizer", "decode", tokenizer, *ids)
    assert decoded.out == text + "\n"
    assert f"{len(ids)} tokens, {len(text.encode()) / len(ids):.2f} bytes a token" in encoded.out


def test_merging_the_counts_gives_the_tokenizer_of_the_run(made, tmp_path):
    counts = made.output / "counts"
    said = gristmill("tokenizer", "merge", counts, "--vocabulary", command_line.VOCABULARY, "--out", tmp_path / "tok")
    assert said.code == 0, said.err
    assert f"{command_line.VOCABULARY} regular tokens from" in said.out
    assert (tmp_path / "tok" / "tokenizer.json").read_bytes() == (made.output / "tokenizer/tokenizer.json").read_bytes()
    short = gristmill("tokenizer", "merge", counts, "--vocabulary", 100_000, "--out", tmp_path / "short")
    assert short.code == 0
    assert "short of what was asked" in short.out
    strict = gristmill("tokenizer", "merge", counts, "--vocabulary", 100_000, "--out", tmp_path / "strict", "--strict")
    assert strict.code == 1
    assert "more than this text holds" in strict.errors[0]
    assert not (tmp_path / "strict").exists()


def test_an_expression_of_ones_own_runs_through_all_jobs(made, tmp_path):
    expression = r"\w+|\s|[^\w\s]+"
    own = {"pretokenizer": {"regex": expression}, "vocabulary": command_line.VOCABULARY}
    config, output = another_output(made, tmp_path, tokenizer=own)
    said = gristmill("run", config)
    assert said.code == 0, said.err
    assert re.search(r"^! tokenizer.pretokenizer is .* far slower than tables: \\w", said.err, re.M), said.err
    theirs = Tokenizer.from_file(str(output / "tokenizer" / "tokenizer.json"))
    kept = {}
    for part in (output / "filtered").glob("*/*.parquet"):
        rows = pq.read_table(part, columns=["key", "text"], partitioning=None).to_pydict()
        kept |= zip(rows["key"], rows["text"])
    shards = [
        row for file in (output / "shards").rglob("*.arrow") for row in pa.ipc.open_file(file).read_all().to_pylist()
    ]
    assert len(shards) > 20
    for row in shards:
        assert row["tokens"][:-1] == theirs.encode(kept[row["key"]]).ids

    size, out = command_line.VOCABULARY, tmp_path / "tok"
    merged = ("tokenizer", "merge", output / "counts", "--vocabulary", size, "--out", out)
    assert gristmill(*merged, "--regex", expression).code == 0
    assert (out / "tokenizer.json").read_bytes() == (output / "tokenizer" / "tokenizer.json").read_bytes()
    another = gristmill(*merged, "--regex", r"\w+")
    assert another.code == 1 and len(another.errors) == 1
    assert re.search(r"'regex .*' \(\w+\) cannot serve 'regex .*' \(\w+\): count the documents", another.errors[0])
    assert gristmill(*merged, "--regex", "(a").errors[0].startswith("regex '(a' is none that `tokenizers` reads: ")


def test_a_quality_model_is_trained_and_judged(made, tmp_path):
    parts = sorted((made.output / "filtered").glob("*/*.parquet"))
    rows = pa.concat_tables(pq.read_table(part, columns=["text", "language"], partitioning=None) for part in parts)
    for name, english in (("good", True), ("other", False)):
        texts = [row["text"] for row in rows.to_pylist() if (row["language"] == "en") is english]
        assert len(texts) > 5
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    classes = ("--positive", "good.jsonl", "--negative", "other.jsonl")
    trained = gristmill("quality", "train", *classes, "--out", "quality.bin", folder=tmp_path)
    assert trained.code == 0, trained.err
    assert trained.out.strip() == "quality.bin"
    judged = gristmill("quality", "evaluate", "quality.bin", *classes, folder=tmp_path)
    assert judged.code == 0, judged.err
    figures = dict(re.findall(r"^(\w[\w ]*?)\s{1,}([\d.,]+)$", judged.out, re.MULTILINE))
    assert float(figures["precision"]) > 0.9
    assert float(figures["recall"]) > 0.9


def test_doctor_looks_at_the_machine():
    said = gristmill("doctor")
    assert said.code == 0
    for name in ("Python", "Memory", "Disk", "Local engine", "Extra train", "Extra spark"):
        assert name in said.out


# Ctrl-C


def test_ctrl_c_is_a_word_and_130_and_the_next_run_goes_on(made, tmp_path):
    config, output = another_output(made, tmp_path)
    process = command_line.start("run", config, "--until", "dedup", "--workers", 1)
    while len(list(output.glob("documents/*/*.parquet"))) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "stopped; what was finished is kept, and the same command goes on from there"
    assert "Traceback" not in err
    assert not list(output.glob("signatures/*/*.parquet"))
    again = gristmill("run", config, "--until", "dedup")
    assert again.code == 0, again.err
    manifest = json.loads((output / "documents" / "manifest.json").read_text())
    assert manifest["complete"]
    assert manifest["tasks_run"] < len(manifest["tasks"]) == 8


def test_a_tokenizer_leaves_and_comes_back_as_ranks(made, tmp_path):
    tokenizer, ranks = made.output / "tokenizer", tmp_path / "mill.tiktoken"
    assert gristmill("tokenizer", "export", tokenizer, "--format", "tiktoken", "--out", ranks).out.strip() == str(ranks)
    taken = gristmill("tokenizer", "import", ranks, "--pretokenizer", "deepseek-llm", "--out", tmp_path / "tok")
    assert taken.out.strip().endswith("regular tokens, 15 special ones")
    text = "The mill grinds 42 sacks; 磨坊磨了四十二袋。"
    first, again = (gristmill("tokenizer", "encode", folder, text).out for folder in (tokenizer, tmp_path / "tok"))
    assert first == again
    assert (tmp_path / "tok" / "tokenizer.json").read_bytes() == (tokenizer / "tokenizer.json").read_bytes()
    come_with_ids = ("tokenizer", "import", ranks, "--pretokenizer", "deepseek-llm", "--out", tmp_path / "gap")
    given = {
        ("end=<|end|>=70001", "pad=a=b=70005"): None,
        ("end=<|end|>=70001", "pad=<|pad|>"): "--special pad: give an id to each special token, or to none",
        ("end=<|end|>=70001", "pad=<|pad|>=70001"): "id 70001 stands for two tokens",
        ("end=<|end|>=3",): "id 3 stands for two tokens",
        ("end=<|end|>", "end=<|eot|>"): "give NAME=TEXT or NAME=TEXT=ID, each name once",
        ("end",): "give NAME=TEXT or NAME=TEXT=ID, each name once",
    }
    calls = [(*come_with_ids, *(part for each in options for part in ("--special", each))) for options in given]
    for said, refusal in zip(gristmills(calls), given.values(), strict=True):
        assert (said.code != 0 and refusal in said.err.replace("\n", " ")) if refusal else said.code == 0, said
    peer = Tokenizer.from_file(str(tmp_path / "gap" / "tokenizer.json"))
    assert (peer.token_to_id("<|end|>"), peer.token_to_id("a=b")) == (70001, 70005)
    ranks.write_text("no ranks\n")
    refused = gristmill("tokenizer", "import", ranks, "--pretokenizer", "deepseek-llm", "--out", tmp_path / "tok")
    assert refused.code != 0 and "mill.tiktoken: line 1: b'no ranks' is no token in base64" in refused.err


def test_shards_leave_for_megatron_and_are_planned(made, tmp_path):
    shards = made.output / "shards"
    said = gristmill("shards", "export", shards, "--out", tmp_path / "megatron").out
    index = json.loads((shards / "shards.json").read_text())
    for split, described in index["splits"].items():
        assert f"{split}.bin, .idx: {described['documents']:,} documents, {described['tokens']:,} tokens" in said
        size = 2 if index["vocabulary"] < 65_500 else 4
        assert (tmp_path / "megatron" / f"{split}.bin").stat().st_size == size * described["tokens"]
    assert "`parquet` is unknown" in gristmill("shards", "export", shards, "--out", tmp_path, "--format", "parquet").err
    plans = gristmill("shards", "packing", shards, "--context", 64, "--context", 512, "--json").out.splitlines()
    assert [json.loads(plan)["context"] for plan in plans] == [64, 512]
    assert {json.loads(plan)["tokens"] for plan in plans} == {index["splits"]["train"]["tokens"]}
    assert "cropped: share of tokens lost" in gristmill("shards", "packing", shards, "--context", 64).out
    assert "split 'dev' is unknown" in gristmill("shards", "packing", shards, "--context", 64, "--split", "dev").err


def test_looks_as_page_and_as_json(made, tmp_path):
    tokenizer, text = made.output / "tokenizer", str(made.output / "filtered" / "*" / "*.parquet")
    page = tmp_path / "new" / "look.html"
    look = json.loads(gristmill("tokenizer", "inspect", tokenizer, "--text", text, "--html", page, "--json").out)
    assert look["all"]["documents"] == sum(row["documents"] for row in look["by"]["language"])
    assert look["all"]["bytes"] == sum(row["bytes"] for row in look["by"]["domain"])
    html = page.read_text()
    for row in look["by"]["language"]:
        assert f'data-value="{row["tokens"]}"' in html
    found = gristmill("tokenizer", "compare", tokenizer, tokenizer / "tokenizer.json", "--text", text, "--html", page)
    assert str(page) in found.err and "all" in found.out
    assert "2 tokenizers" in page.read_text()
