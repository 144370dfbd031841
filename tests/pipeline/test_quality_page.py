"""The page about a quality model on held-out documents: its figures, its tables, and names that want to be markup."""

import json
import re
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from filters import quality_evaluation
from pipeline.cli.quality_looks import calibration_table, judged_label
from pipeline.report.page import html_of
from pipeline.report.quality_page import page_of

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def judged() -> dict[str, Any]:
    draw = np.random.default_rng(3)
    scores = {"law": draw.beta(5, 2, 300).astype(np.float32), HOSTILE: draw.beta(2, 5, 500).astype(np.float32)}
    rows = {name: np.stack([each, 1 - each], axis=1) for name, each in scores.items()}
    truth = np.repeat([0, 1], [300, 500])
    return {
        "model": "models/topics.bin",
        "classes": {name: len(each) for name, each in rows.items()},
        "labels": {name: judged_label(rows, name, column, 0.5) for column, name in enumerate(rows)},
        "classification": quality_evaluation.by_label(truth, np.concatenate(list(rows.values())), list(rows)),
    }


def test_every_figure_is_one_that_plotly_knows_and_names_stay_text(judged) -> None:
    for what in (
        judged,
        {**{k: v for k, v in judged.items() if k != "classification"}, "labels": {"law": judged["labels"]["law"]}},
    ):
        page = page_of(what)
        figures = [card.figure for section in page.sections for card in section.cards if card.figure]
        assert len(figures) == 3 + len(what["labels"])
        for figure in figures:
            go.Figure(json.loads(re.sub(r"var\(--[\w-]+\)", "#123456", json.dumps(figure))))
        page_text = html_of(page)
        assert HOSTILE not in page_text and "topics.bin" in page_text


def test_curves_begin_and_end_where_they_must(judged) -> None:
    one = judged["labels"]["law"]
    [_, roc, _], [precision_recall, *_] = (
        section_figure(judged, title)["data"] for title in ("ROC curve", "Precision and recall")
    )
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0, 0, 1, 1)
    assert all(np.diff(roc["x"]) >= 0) and all(np.diff(roc["y"]) >= 0)
    # Of thousands of thresholds 400 are drawn: the area below stays what it is.
    area = np.trapezoid(roc["y"], roc["x"])
    assert area == pytest.approx(one["evaluation"]["roc_auc"], abs=2e-3)
    assert precision_recall["x"][-1] == 1
    assert precision_recall["y"][-1] == pytest.approx(300 / 800)


def test_the_histograms_add_up_and_the_cut_is_drawn(judged) -> None:
    figure = section_figure(judged, "Scores of law")
    assert [sum(trace["y"]) for trace in figure["data"]] == pytest.approx([1, 1])
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [0.5]


def test_the_table_on_a_terminal_has_a_bar_for_the_share_and_a_stroke_for_the_score() -> None:
    rows = [row._asdict() for row in quality_evaluation.calibration(np.array([0.95] * 8), np.array([0.95] * 2))]
    table = calibration_table(rows, "law")
    assert [list(column.cells) for column in table.columns][-1] == ["█" * 16 + "···|"]
    assert [list(column.cells) for column in table.columns][:4] == [["0.9–1.0"], ["10"], ["0.950"], ["80.0%"]]


def section_figure(judged, title) -> dict[str, Any]:
    page = page_of(judged)
    return next(card.figure for section in page.sections for card in section.cards if card.title == title)
