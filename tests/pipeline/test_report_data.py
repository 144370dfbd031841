"""report.json: assembled from manifests whole, missing, unfinished and damaged."""

import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from report_example import manifests, write_example, write_training_run

from pipeline.errors import GristmillError
from pipeline.report.corpus_report import render, write_report
from pipeline.report.data import assemble
from pipeline.report.schema import STAGES
from tokenizer import formats, merges
from tokenizer.counts import count_pieces
from tokenizer.pretokenizers import PRETOKENIZERS

FOLDERS = [kind.folder for kind in STAGES if kind.folder != "counts"]


def change(output: Path, folder: str, **fields: Any) -> None:
    path = output / folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_the_summary_is_what_the_manifests_say(tmp_path: Path) -> None:
    report = assemble(str(write_example(tmp_path / "corpus")))
    written = manifests(6, 9_537, False, 0)
    ingest, cluster, decide, select, shards = (
        written[name]["counts"] for name in ("documents", "clusters", "decisions", "filtered", "shards")
    )
    summary = report["summary"]
    assert report["name"] == "corpus"
    assert summary["documents"] == ingest["documents"] == 9_537
    assert summary["records"] == ingest["documents"] + ingest["rejects"] + ingest["skipped"]
    assert summary["kept"] == select["kept"]
    assert summary["tokens"] == shards["tokens"]
    assert summary["removed_by_deduplication"] == cluster["removed"] / 9_537
    assert summary["removed_by_filters"] == (decide["removed"] + select["removed"]) / cluster["kept"]
    assert summary["seconds"] == pytest.approx(sum(each["seconds"] for each in written.values()))
    without_tokenizer = sum(each["seconds"] for name, each in written.items() if name != "tokenizer")
    assert summary["bytes_per_second"] == pytest.approx(ingest["text_bytes"] / without_tokenizer)
    assert [step["documents"] for step in report["steps"]] == [
        ingest["records"], ingest["documents"], cluster["kept"], select["kept"], written["mixture"]["counts"]["copies"],
        shards["documents"],
    ]  # fmt: skip


def test_the_published_curve_stands_beside_the_corpus(tmp_path: Path) -> None:
    report = assemble(str(write_example(tmp_path, dumps=4)))
    assert [point["dumps"] for point in report["cluster"]["curve"]] == [1, 2, 3, 4]
    assert report["reference"]["curve"][0] == {"dumps": 1, "share": 0.222}
    assert report["reference"]["curve"][-1] == {"dumps": 91, "share": 0.898}


def test_everything_in_the_details_is_in_the_report(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    details = json.loads((output / "documents/manifest.json").read_text())["details"]
    change(output, "documents", details=details | {"added_later": {"x": 1}})
    report = assemble(str(output))
    assert report["ingest"]["added_later"] == {"x": 1}
    assert report["ingest"]["reject_samples"] == details["reject_samples"]
    assert report["ingest"]["dumps"] == details["dumps"]


def test_a_share_left_out_is_computed(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    change(output, "clusters", details={"curve": [{"dump": "a", "dumps": 1, "documents": 8, "removed": 2}]})
    change(output, "tokenizer", details={"compression": [{"language": "en", "bytes": 90, "tokens": 20}]})
    report = assemble(str(output))
    assert report["cluster"]["curve"][0]["share"] == 0.25
    assert report["tokenizer"]["compression"][0]["bytes_per_token"] == 4.5


def test_compression_comes_from_encoding_where_the_tokenizer_knows_none(tmp_path: Path) -> None:
    report = assemble(str(write_example(tmp_path)))
    compression = report["tokenizer"]["compression"]
    assert [row["language"] for row in compression][:2] == ["en", "zh"]
    assert all(row["bytes_per_token"] == row["bytes"] / row["tokens"] for row in compression)
    total, tokens = sum(row["bytes"] for row in compression), sum(row["tokens"] for row in compression)
    assert report["summary"]["bytes_per_token"] == total / tokens


def test_the_longest_tokens_are_read_from_the_tokenizer_itself(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    change(output, "tokenizer", details={})
    assert assemble(str(output))["tokenizer"]["longest"] == []
    counts = count_pieces(pa.array(["深度学习 banana banana bandana --------"] * 9), PRETOKENIZERS["deepseek-llm"])
    formats.save(formats.Tokenizer(PRETOKENIZERS["deepseek-llm"], merges.train(counts, 285)), output / "tokenizer")
    longest = assemble(str(output))["tokenizer"]["longest"]
    assert len(longest) == 40
    assert [row["bytes"] for row in longest] == sorted((row["bytes"] for row in longest), reverse=True)
    assert longest[0]["text"] in (" banana", "深度学习") and longest[0]["bytes"] == len(longest[0]["text"].encode())
    assert [row["text"] for row in longest if set(row["text"]) == {"-"}] == ["----"]  # and neither "--" nor "-"


def test_a_partial_run_has_times_but_no_rates(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    change(output, "annotations", tasks=[{}, {}, {}], tasks_run=1)
    report = assemble(str(output))
    stage = next(stage for stage in report["stages"] if stage["stage"] == "annotate")
    assert stage["seconds"] == 3.9
    assert stage["bytes_per_second"] is None and stage["documents_per_second"] is None
    assert report["summary"]["bytes_per_second"] is None
    assert "1 of 3" in render(report)
    change(output, "annotations", tasks_run=3)
    assert assemble(str(output))["summary"]["bytes_per_second"] is not None


@pytest.mark.parametrize("missing", FOLDERS)
def test_a_stage_that_has_not_run_is_named_and_stops_nothing(tmp_path: Path, missing: str) -> None:
    output = write_example(tmp_path)
    (output / missing / "manifest.json").unlink()
    report = assemble(str(output))
    stage, _, _, optional = next(kind for kind in STAGES if kind.folder == missing)
    assert report[stage] is None
    page = render(report)
    if optional:
        assert stage not in [row["stage"] for row in report["stages"]]
    else:
        assert f"The stage {stage} has not run yet" in page or stage in (
            "match",
            "cluster",
            "annotate",
            "decide",
            "select",
        )
        assert f"Not in this report: {stage}." in page


@pytest.mark.parametrize("only", FOLDERS)
def test_a_single_stage_makes_a_report(tmp_path: Path, only: str) -> None:
    output = write_example(tmp_path)
    for folder in FOLDERS:
        if folder != only:
            (output / folder / "manifest.json").unlink()
    assert "<main id=main>" in render(assemble(str(output)))


@pytest.mark.parametrize("folder", FOLDERS)
def test_manifests_that_say_nothing_make_a_report(tmp_path: Path, folder: str) -> None:
    output = write_example(tmp_path)
    stage = next(kind.stage for kind in STAGES if kind.folder == folder)
    (output / folder / "manifest.json").write_text(json.dumps({"stage": stage}))
    report = assemble(str(output))
    assert report[stage]["counts"] == {}
    assert "<main id=main>" in render(report)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read"),
        ('{"stage": "cluster", "counts": {"kept": 1', "cannot be read"),
        ("[]", "cannot be used"),
        ('{"stage": "cluster", "counts": {"kept": "many"}}', "counts.kept"),
        ('{"stage": "cluster", "details": {"curve": [{"dump": "a"}]}}', "curve.0.dumps"),
        ('{"stage": "cluster", "complete": false, "tasks": []}', "has not finished"),
    ],
)
def test_a_damaged_or_unfinished_manifest_is_said_so(tmp_path: Path, content: str, says: str) -> None:
    output = write_example(tmp_path)
    (output / "clusters/manifest.json").write_text(content)
    report = assemble(str(output))
    assert report["cluster"] is None and report["select"] is not None
    assert says in render(report)


def test_what_json_and_utf8_cannot_carry_is_cleaned(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    samples = (
        '{"stage": "match", "details": {"samples": [{"left_url": "a\\ud800b", "right_url": null, "jaccard": NaN}]}}'
    )
    (output / "candidates/manifest.json").write_text(samples)
    write_report(output)
    report = json.loads((output / "report.json").read_bytes(), parse_constant=lambda constant: pytest.fail(constant))
    assert report["match"]["samples"] == [{"left_url": "a?b", "right_url": None, "jaccard": None}]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GristmillError, match="nothing to report"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    output = write_example(tmp_path)
    write_training_run(output / "training")
    first = Path(write_report(output)).read_bytes(), (output / "report.json").read_bytes()
    assert (Path(write_report(output)).read_bytes(), (output / "report.json").read_bytes()) == first


def test_a_training_run_counts_each_step_once(tmp_path: Path) -> None:
    write_training_run(tmp_path, steps=400)
    [run] = assemble(str(tmp_path))["training"]
    assert [row["step"] for row in run["steps"]] == list(range(1, 401))
    assert [row["step"] for row in run["validations"]] == list(range(50, 401, 50))
    assert run["broken_lines"] == 1
    assert run["steps"][-1]["loss"] < run["steps"][0]["loss"]
    assert "id=training" in Path(write_report(tmp_path)).read_text()


def test_a_long_training_run_is_thinned_evenly_to_its_last_step(tmp_path: Path) -> None:
    lines = (json.dumps({"step": step, "loss": 1.0}) for step in range(10_000))
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    [run] = assemble(str(tmp_path))["training"]
    steps = [row["step"] for row in run["steps"]]
    assert len(steps) == 2000 and steps[0] == 0 and steps[-1] == 9_999
    assert {second - first for first, second in itertools.pairwise(steps)} <= {4, 5, 6}
