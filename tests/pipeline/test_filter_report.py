"""What the report says of the filters, from a corpus whose documents are known: funnel, overlap, statistics, texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import planted
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from planted import Part
from test_select_job import DOCUMENTS, FIRST, OWN, QUALITY, prose

from pipeline import stages
from pipeline.corpus import Corpus
from pipeline.report import filter_sample
from pipeline.report.corpus_report import render, write_report
from pipeline.report.data import assemble

HOSTILE = "<script>alert(1)</script> only four words\n<b>bold</b>"
TEXTS = [*(document.text for document in FIRST), HOSTILE]
URLS = [f"https://{'bad' if document.fails else 'good'}.example/{row}" for row, document in enumerate(FIRST)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    folder = tmp_path_factory.mktemp("report")
    (folder / "own.yaml").write_text(OWN)
    rules = {"presets": [str(folder / "own.yaml"), "gopher-quality"], "overrides": {"gopher-quality": QUALITY}}
    corpus = planted.corpus_of(folder / "out", ("web", "books"), filter=rules)
    clean = [prose(seed) for seed in range(50, 60)]
    planted.plant(
        corpus,
        [
            Part("2021", 0, TEXTS, urls=[*URLS, "https://evil.example/<img src=x>"]),
            Part("2022", 0, clean, "books", urls=["https://good.example/"] * 10),
        ],
    )
    for stage in ("dedup", "filter"):
        planted.run(corpus, *stages.jobs(stage, corpus.config))
    return corpus


@pytest.fixture(scope="module")
def report(corpus) -> dict[str, Any]:
    return assemble(corpus.config.output)


def decisions(corpus: Corpus) -> list[dict[str, Any]]:
    return planted.table(Path(corpus.config.output), "decisions").to_pylist()


def test_the_overlap_counts_documents_that_fail_both_and_one_alone(corpus, report):
    sample, rows = report["decide"]["sample"], decisions(corpus)
    assert sample["documents"] == len(rows)
    overlap = sample["overlap"]
    assert overlap["rules"] == [rule["rule"] for rule in report["decide"]["funnel"]]
    for i in range(len(overlap["rules"])):
        assert overlap["alone"][i] == sum(row["failing"] == [i] for row in rows)
        for j in range(len(overlap["rules"])):
            assert overlap["matrix"][i][j] == sum({i, j} <= set(row["failing"]) for row in rows)
    assert [row[i] for i, row in enumerate(overlap["matrix"])] == [r["failing"] for r in report["decide"]["funnel"]]


def test_each_statistic_has_every_document_in_a_bin_and_its_thresholds(corpus, report):
    found = {each["statistic"]: each for each in report["decide"]["sample"]["distributions"]}
    asked = {
        rule["statistic"] for preset in corpus.manifest("decisions")["settings"]["presets"] for rule in preset["rules"]
    }
    assert found.keys() == asked
    kept = sum(row["kept"] for row in decisions(corpus))
    for each in found.values():
        assert sum(each["kept"]) == kept and sum(each["removed"]) == len(decisions(corpus)) - kept
        assert each["edges"] == sorted(set(each["edges"]))
    assert found["content_words"]["thresholds"] == [
        {"rule": "gopher-quality/min-words", "bound": "minimum", "value": 12.0},
        {"rule": "gopher-quality/max-words", "bound": "maximum", "value": 100000},
    ]
    edges = found["content_words"]["edges"]
    assert edges[0] <= 12 <= edges[-1]  # the threshold that is near can be drawn


def test_documents_to_read_are_of_their_rule_and_kept_ones_nearest_to_the_threshold(corpus, report):
    by_key = {row["key"]: row for row in decisions(corpus)}
    annotations = {row["key"]: row for row in planted.table(Path(corpus.config.output), "annotations").to_pylist()}
    examples = {each["rule"]: each for each in report["decide"]["sample"]["examples"]}
    assert examples.keys() == {row["rule"] for row in by_key.values()} - {None}
    for rule, each in examples.items():
        first = {key for key, row in by_key.items() if row["rule"] == rule}
        shown = {int(document["key"]) for document in each["removed"]}
        assert shown <= first and len(shown) == min(3, len(first))
        kept = [key for key, row in by_key.items() if row["kept"]]
        distance = {key: abs(annotations[key][each["statistic"]] - each["threshold"]) for key in kept}
        assert [int(document["key"]) for document in each["kept"]] == sorted(kept, key=distance.__getitem__)[:2]
        for document in (*each["removed"], *each["kept"]):
            assert document["value"] == annotations[int(document["key"])][each["statistic"]]
    hashes = examples["gopher-quality/hashes"]["removed"]
    assert [document["text"] for document in hashes] == [DOCUMENTS["hash tags"].text]


def test_shares_of_sources_and_sites_before_and_after(report):
    sources = report["decide"]["sources"]
    assert sources["books"]["kept"] == sources["books"]["documents"] == 10
    assert sources["web"]["kept"] < sources["web"]["documents"] == len(TEXTS)
    hosts = report["decide"]["sample"]["hosts"]
    assert hosts["bad.example"]["kept"] == hosts["bad.example"]["kept_bytes"] == 0
    assert hosts["good.example"]["kept"] == hosts["good.example"]["documents"] == 10 + sum(d.passes for d in FIRST)
    assert sum(host["text_bytes"] for host in hosts.values()) == report["decide"]["counts"]["text_bytes"]


def test_the_page_shows_all_of_it_with_every_text_escaped(report):
    page = render(report)
    for title in ("Funnel by rule", "Overlap between rules", "Languages", "Sources", "Sites", "Documents to read"):
        assert f"<h3>{title}</h3>" in page
    assert "taken from all 24 documents" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; only four" in page
    assert "<img src=x>" not in page
    assert "lines/nothing-left" in page
    assert "stays if content_words ≥ 12" in page and "stays if curly_braces ≤ 0" in page


def test_what_models_say_comes_from_their_own_folders(corpus):
    output = Path(corpus.config.output)
    before = planted.table(output, "annotations")
    for path in sorted((output / "annotations").rglob("*.parquet")):
        table = pq.read_table(path, partitioning=None)
        judged = table.slice(1)  # a document of each part is in a language that the model does not judge
        folder = output / "quality" / "mine" / path.parent.name
        folder.mkdir(parents=True)
        scores = pc.divide(judged["words"].cast("float32"), 1000)
        pq.write_table(pa.table({"key": judged["key"], "quality_mine": scores}), folder / path.name)
    manifest = json.loads((output / "decisions" / "manifest.json").read_text())
    score = {"name": "score", "statistic": "quality_mine", "bound": "minimum", "threshold": 0.01, "reason": ""}
    manifest["settings"]["presets"].append({"name": "mine", "rules": [score]})
    files = [file["path"] for file in manifest["files"]]
    found = filter_sample.filter_sample(str(output), manifest["settings"], files)
    [each] = [each for each in found["distributions"] if each["statistic"] == "quality_mine"]
    assert sum(each["kept"]) + sum(each["removed"]) == before.num_rows - 2
    assert each["thresholds"] == [{"rule": "mine/score", "bound": "minimum", "value": 0.01}]
    assert found["missing"] == ""


def test_tokens_are_told_once_something_is_encoded(corpus, report):
    assert {rule["tokens_estimated"] for rule in report["decide"]["funnel"]} == {None}
    folder = Path(corpus.config.output) / "runs"
    folder.mkdir()
    encoded = {"languages": {"en": {"bytes": 4000, "tokens": 1000}}}
    (folder / "manifest.json").write_text(json.dumps({"stage": "encode", "details": encoded}))
    for rule in assemble(corpus.config.output)["decide"]["funnel"]:
        assert rule["tokens_estimated"] == round(rule["bytes"] / 4)
    (folder / "manifest.json").unlink()


def test_the_sample_is_bounded_and_always_the_same(corpus, report, monkeypatch):
    monkeypatch.setattr(filter_sample, "MOST_DOCUMENTS", 10)
    once, again = (assemble(corpus.config.output)["decide"]["sample"] for _ in range(2))
    assert once == again and once["documents"] == 10
    keys = {row["key"] for row in decisions(corpus)}
    told = [d for each in once["examples"] for d in (*each["removed"], *each["kept"])]
    assert {int(document["key"]) for document in told} <= keys
    assert "taken from 10 of 24 documents" in render(assemble(corpus.config.output))


def test_what_is_gone_is_said_and_stops_nothing(corpus, monkeypatch):
    [gone, *_] = sorted((Path(corpus.config.output) / "annotations").rglob("*.parquet"))
    gone.rename(gone.with_suffix(".gone"))
    report = json.loads(Path(write_report(corpus.config.output)).with_name("report.json").read_text())
    assert report["decide"]["sample"]["documents"] == 10
    assert "part-00000.parquet is missing" in report["decide"]["sample"]["missing"]
    gone.with_suffix(".gone").rename(gone)
