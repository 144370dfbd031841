"""`gristmill filter --select-only`, `filter explain` and `filter presets`: what they say, and what they leave alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import planted
import pytest
import yaml
from planted import Part
from rich.console import Console
from test_select_job import DOCUMENTS, FIRST, OWN, QUALITY, prose

from filters.presets import load_preset, preset_names
from pipeline import stages
from pipeline.cli import app
from pipeline.config_file import load
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.funnel import show_funnel
from pipeline.preset_tables import show_preset

DUMP_2 = 1 << 52
COPY, TAKEN, ELSEWHERE = DUMP_2, FIRST.index(DOCUMENTS["every line"]), DUMP_2 + 1
URL = "https://web.example/2021/0/{}"


class Made:
    """A planted corpus with its YAML, of which a test may change the filter."""

    def __init__(self, folder: Path):
        self.path, self.output = folder / "corpus.yaml", folder / "out"
        (folder / "own.yaml").write_text(OWN)
        self.configure()
        self.corpus.claim()
        texts = [document.text for document in FIRST]
        planted.plant(self.corpus, [Part("2021", 0, texts), Part("2022", 0, [texts[0], prose(77)])])

    def configure(self, **filter: Any) -> None:
        settings = {"presets": ["own.yaml", "gopher-quality"], "overrides": {"gopher-quality": QUALITY}} | filter
        source = {"name": "web", "format": "jsonl", "paths": ["nothing-is-read.jsonl"]}
        raw = {"name": "planted", "output": "out", "sources": [source], "filter": settings, "engine": {"workers": 1}}
        self.path.write_text(yaml.safe_dump(raw))

    @property
    def corpus(self) -> Corpus:
        return Corpus(load(self.path))

    def run(self) -> None:
        for stage in ("dedup", "filter"):
            planted.run(self.corpus, *stages.jobs(stage, self.corpus.config))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    made = Made(tmp_path_factory.mktemp("verbs"))
    made.run()
    return made


@pytest.fixture
def own(tmp_path, monkeypatch) -> Made:
    made = Made(tmp_path)
    monkeypatch.setattr("pipeline.stages._check_before", lambda corpus, stage: None)  # ingest is planted
    for name in ("interruption.stop_at_once", "quiet.quieten_workers"):  # of a process, which is that of all tests
        monkeypatch.setattr(f"pipeline.cli.{name}", lambda: None)
    return made


def say(capsys, *arguments: object) -> tuple[str, str]:
    """Runs a verb in this process, off any terminal."""
    capsys.readouterr()
    app([str(argument) for argument in arguments], standalone_mode=False)
    said = capsys.readouterr()
    return said.out, said.err


# ---------------------------------------------------------------------------------------------------------- select only


def columns_of(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


def test_new_thresholds_are_applied_to_what_was_measured_and_no_text_is_read(own, capsys):
    own.run()
    written, annotations = planted.digests(own.output, "filtered"), planted.digests(own.output, "annotations")
    for path in (own.output / "documents").rglob("*.parquet"):
        path.rename(path.with_suffix(".gone"))  # who reads a text from here on fails
    own.configure(overrides={"gopher-quality": QUALITY | {"min-words": 8.0}, "own": {"braces": None}})
    out, err = say(capsys, "filter", own.path, "--select-only")
    lines = {line.split("  ")[0]: [cell.strip() for cell in columns_of(line)[1:]] for line in out.splitlines()}
    assert lines["rule"] == ["removed first", "text", "failing at all", "removed before", "change"]
    assert lines["gopher-quality/min-words"][:2] == ["0", "0 B"]
    assert lines["gopher-quality/min-words"][3:] == ["1", "-1"]
    assert lines["own/braces (switched off)"] == ["3"]
    counts = own.corpus.manifest("decisions")["counts"]
    assert lines["kept"][0] == str(counts["kept"]) and lines["kept"][-1] == "+3"
    assert lines["removed"][0] == str(counts["removed"]) and lines["removed"][-1] == "-3"
    assert "decide" in err and f"No text was written: `gristmill filter {own.path}` writes those that now stay" in err
    assert planted.digests(own.output, "filtered") == written
    assert planted.digests(own.output, "annotations") == annotations


def test_the_first_funnel_stands_alone(own, capsys):
    planted.run(own.corpus, *stages.jobs("dedup", own.corpus.config), stages.jobs("filter", own.corpus.config)[0])
    out, _ = say(capsys, "filter", own.path, "--select-only")
    heading = next(line for line in out.splitlines() if line.startswith("rule"))
    assert [cell.strip() for cell in columns_of(heading)] == ["rule", "removed first", "text", "failing at all"]
    assert not (own.output / "filtered").exists()


def test_what_is_not_measured_is_refused_with_what_to_do(own, capsys):
    planted.run(own.corpus, *stages.jobs("dedup", own.corpus.config))
    with pytest.raises(GristmillError, match=r"decide: .*annotations is not up to date .*`gristmill filter` brings it"):
        say(capsys, "filter", own.path, "--select-only")
    assert not (own.output / "annotations").exists()


def test_a_terminal_gets_a_table(made):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=140)
    manifest = made.corpus.manifest("decisions")
    show_funnel(manifest, manifest | {"complete": False}, console)
    assert "━" in shown.getvalue() and "gopher-quality/min-words" in shown.getvalue()
    assert "removed before" not in shown.getvalue()  # a run that was cut off has none


# -------------------------------------------------------------------------------------------------------------- explain


def test_every_document_is_explained_as_it_was_decided(made, capsys):
    decisions = {row["key"]: row for row in planted.table(made.output, "decisions").to_pylist()}
    funnel = [row["rule"] for row in made.corpus.manifest("decisions")["details"]["funnel"]]
    for key, document in enumerate(FIRST):
        out, _ = say(capsys, "filter", "explain", made.path, key)
        failing = {columns_of(line)[0] for line in out.splitlines() if "FAILS" in line}
        assert failing == document.fails == {funnel[number] for number in decisions[key]["failing"]}
        assert f"  url       {URL.format(key)}\n" in out
        if document.fails:
            rule = decisions[key]["rule"]
            assert f"removed by {rule}" in out and f"first failing rule: {rule}\n" in out
        elif document.kept:
            assert f"stays: it passes all {len(funnel)} rules" in out


def test_a_failing_rule_has_its_value_threshold_reason_and_source(made, capsys):
    out, _ = say(capsys, "filter", "explain", made.path, FIRST.index(DOCUMENTS["eight words"]))
    [line] = [line for line in out.splitlines() if "FAILS" in line]
    assert [cell.strip() for cell in columns_of(line)] == [
        "gopher-quality/min-words", "FAILS", "8", "content_words ≥ 12",
    ]  # fmt: skip
    assert "  fewer than 50 words\n  source: Rae et al." in out


def test_what_dedup_or_line_rules_took_is_told_too(made, capsys):
    out, _ = say(capsys, "filter", "explain", made.path, COPY)
    assert "removed by deduplication: one of 2 copies, cluster 0, of which 0 stays" in out
    assert f"({URL.format(0)})" in out
    assert "stays if" not in out
    out, _ = say(capsys, "filter", "explain", made.path, TAKEN)
    assert "lines/nothing-left: line rules took every line of it" in out
    out, _ = say(capsys, "filter", "explain", made.path, FIRST.index(DOCUMENTS["a menu"]))
    assert "Line rules and other edits took" in out


def test_a_url_will_do_and_the_one_that_stays_is_meant(made, capsys):
    out, _ = say(capsys, "filter", "explain", made.path, URL.format(3))
    assert out.startswith("document 3  dump=2021/part-00000")


@pytest.mark.parametrize("which", ["99", str(DUMP_2 * 7), "-1", "1.5", str(1 << 64), "https://nowhere.example/", "٣"])
def test_an_unknown_document_is_one_clear_line(made, capsys, which):
    with pytest.raises(GristmillError, match=r"there is no document|neither a document's key nor the URL") as error:
        say(capsys, "filter", "explain", made.path, "--", which)
    assert "\n" not in str(error.value)


def test_rules_changed_since_are_said_to_be(own, capsys):
    own.run()
    own.configure(overrides={"gopher-quality": QUALITY | {"min-words": 8.0}})
    out, _ = say(capsys, "filter", "explain", own.path, FIRST.index(DOCUMENTS["eight words"]))
    assert "stays: it passes all" in out and "`gristmill filter --select-only` brings it up to date" in out


def test_before_anything_is_measured_the_next_step_is_named(own, capsys):
    with pytest.raises(GristmillError, match=r"nothing is deduplicated yet: `gristmill run --until filter`"):
        say(capsys, "filter", "explain", own.path, 0)
    planted.run(own.corpus, *stages.jobs("dedup", own.corpus.config))
    with pytest.raises(GristmillError, match=r"document 0 was not measured yet: `gristmill run --until filter`"):
        say(capsys, "filter", "explain", own.path, 0)


# -------------------------------------------------------------------------------------------------------------- presets


def test_presets_are_listed_with_their_sources(capsys):
    out, _ = say(capsys, "filter", "presets")
    for name in preset_names():
        [line] = [line for line in out.splitlines() if line.startswith(f"{name} ")]
        assert line.endswith(load_preset(name).source)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_shown_with_every_rule_reason_and_divergence(name, capsys):
    out, _ = say(capsys, "filter", "presets", name)
    preset = load_preset(name)
    for rule in preset.rules:
        [line] = [line for line in out.splitlines() if line.startswith(f"{rule.name} ")]
        assert [cell.strip() for cell in columns_of(line)[1:]] == [str(rule), rule.reason]
    for text in (preset.source, *preset.divergences):
        assert text in out
    assert ("lines.min_words" in out) == bool(preset.lines and preset.lines.min_words)


def test_an_unknown_preset_offers_the_nearest(capsys):
    with pytest.raises((GristmillError, ConfigError), match=r"unknown preset 'gopher-qualty'; did you mean"):
        say(capsys, "filter", "presets", "gopher-qualty")


def test_a_preset_of_the_users_own_is_shown_too(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    shown = io.StringIO()
    show_preset(str(tmp_path / "own.yaml"), Console(file=shown, force_terminal=True, width=120))
    assert "curly_braces ≤ 0" in shown.getvalue() and "drop_javascript" in shown.getvalue()
