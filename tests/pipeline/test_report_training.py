"""Training runs in reports: one in its corpus's, several over each other on a page of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_example import write_training_run

from pipeline.errors import GristmillError
from pipeline.report.corpus_report import write_report
from pipeline.report.data import assemble
from pipeline.report.training_page import distinct_names, write_training_report


def test_a_training_run_says_where_its_time_went_and_how_each_source_fared(tmp_path: Path) -> None:
    write_training_run(tmp_path)
    strange = ({"step": 401, "loss": 1, "parts": 7, "mfu": "x"}, {"step": 1, "validation_loss": 2, "sources": {"a": 1}})
    with open(tmp_path / "metrics.jsonl", "a") as file:  # of an older version, or of somebody else's
        file.write("\n" + "".join(json.dumps(row) + "\n" for row in strange))
    [run] = assemble(str(tmp_path))["training"]
    assert run["steps"][0]["parts.backward"] == 0.49 and run["steps"][-1]["parts.backward"] is None
    assert run["steps"][-1]["mfu"] is None and run["steps"][-2]["memory_bytes"] == 2_100_000_400
    assert run["validations"][0]["sources"] == {}
    assert set(run["validations"][-1]["sources"]) == {"web", "books"}
    page = Path(write_report(tmp_path)).read_text()
    for text in ("Bits per byte", "waiting for data", "of the stated peak", "books", "bits per byte, first"):
        assert text in page


def test_runs_are_overlaid_under_names_that_tell_them_apart(tmp_path: Path) -> None:
    for folder in ("a/run", "b/run", "b/corpus/training/one", "b/corpus/training/two"):
        write_training_run(tmp_path / folder)
    path = write_training_report([str(tmp_path / f) for f in ("a/run", "b/run", "b/corpus")])
    assert Path(path) == tmp_path / "a" / "runs.html"
    told = json.loads((tmp_path / "a" / "runs.json").read_text())
    assert [run["name"] for run in told["runs"]] == ["a/run", "b/run", "b/corpus/one", "b/corpus/two"]
    page = Path(path).read_text()
    assert "4 training runs" in page and page.count("b/corpus/two") > 3
    assert distinct_names(["x/a", "y/b/"]) == ["a", "b"]
    assert distinct_names(["x", "x"]) == ["x", "x"]
    assert Path(write_training_report([str(tmp_path / "a/run")], str(tmp_path / "o.html"))).is_file()
    with pytest.raises(GristmillError, match=r"x holds no metrics\.jsonl: give the output folder of a training run"):
        (tmp_path / "x").mkdir()
        write_training_report([str(tmp_path / "a/run"), str(tmp_path / "x")])
