"""What is held out of a comparison of two corpora is held out of both, near copies too."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import dedup_training
from benchmarks.dedup_training import MOST_SIMILAR, divide
from benchmarks.measuring.curves import _ticks, write_curves


def jaccard(a: str, b: str) -> float:
    left, right = ({tuple(t.split()[i : i + 5]) for i in range(len(t.split()) - 4)} for t in (a, b))
    return len(left & right) / len(left | right)


def test_neither_corpus_has_a_near_copy_of_a_held_out_document() -> None:
    rng = np.random.default_rng(0)
    texts, clusters, kept = [], [], []
    for cluster in range(60):
        words = [f"w{n}" for n in rng.integers(0, 5000, 200)]
        for copy in range(int(rng.integers(1, 6))):
            changed = list(words)
            for place in rng.integers(0, 200, 2 * copy):
                changed[place] = f"x{rng.integers(10**6)}"
            texts.append(" ".join(changed))
            clusters.append(cluster + 1000 if rng.random() < 0.8 or not copy else 2000 + len(texts))  # some were missed
            kept.append(not copy or clusters[-1] >= 2000)
    columns = pa.chunked_array([pa.array(texts)]), np.array(kept), np.array(clusters, np.uint64)
    division = divide(*columns, 1.0, 15, 0)
    assert len(division.held_out) == 15 and not set(division.held_out) & set(division.raw)
    assert len(division.raw) + division.withheld == len(texts)
    assert set(division.deduplicated) == set(division.raw) & set(np.flatnonzero(kept))
    pairs = itertools.product(division.held_out, division.raw)
    assert max(jaccard(texts[a], texts[b]) for a, b in pairs) == pytest.approx(division.most_similar)
    assert division.most_similar < MOST_SIMILAR
    clusters_held = np.isin(columns[2], columns[2][division.held_out])
    assert division.withheld > clusters_held.sum()  # copies that deduplication had missed went with them
    half = divide(*columns, 0.5, 15, 0)
    assert set(half.raw) < set(division.raw) and np.array_equal(half.held_out, division.held_out)
    with pytest.raises(SystemExit, match="--held-out 99: only"):
        divide(*columns, 1.0, 99, 0)


def test_curves_have_round_marks_that_cover_them(tmp_path: Path) -> None:
    assert _ticks(3.07, 3.33) == [3.0, 3.1, 3.2, 3.3, 3.4]
    assert _ticks(0, 1_150_000) == [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000]
    assert _ticks(2, 2) == [2.0, 2.2]
    write_curves(tmp_path / "c.svg", {"a <b>": [(1, 2.0), (5, 1.5)], "c": [(5, 1.0)]}, "title", "x", "y")
    root = ElementTree.fromstring((tmp_path / "c.svg").read_text())
    lines = [e.get("points") for e in root if e.tag.endswith("polyline")]
    assert len(lines) == 2 and len(lines[0].split()) == 2  # type: ignore[union-attr]
    assert "a <b>" in [e.text for e in root]


@pytest.mark.long
def test_both_runs_go_from_crawl_files_to_curves(
    tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--wet", str(shared_data / "dumps" / "{dump}-07-01.warc.wet.gz").replace("{dump}", "202{dump}")]
    arguments += ["--share", "0.1", "--held-out", "5", "--passes", "0.1", "--vocabulary", "1000"]
    arguments += ["--folder", str(tmp_path / "work"), "--chart", str(tmp_path / "chart.svg"), "--json"]
    monkeypatch.setattr(sys, "argv", ["dedup_training", *arguments])
    assert dedup_training.main() == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(report["checks"].values()) and report["ratios"]["raw"] > 0
    bits = [r for r in report["results"] if r["metric"] == "bits_per_byte"]
    assert {r["system"] for r in bits} == {"raw", "deduplicated"} and len(bits) == 2 * (6 + 2)
    assert (tmp_path / "chart.svg").read_text().count("<polyline") == 2
