"""How well a model's scores tell documents apart, and how they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import BEFORE, KEPT, MARK, REMOVED, SERIES, Figure, axis, figure, label

Judged = Mapping[str, Mapping[str, Any]]  # by label: its evaluation, calibration, curve and histogram
_HEIGHT = 320


def roc(labels: Judged) -> Figure:
    """The share of good documents that pass against the share of others that do, at every threshold."""
    traces = [_diagonal("no better than chance")]
    for (name, judged), colour in zip(labels.items(), SERIES * (1 + len(labels) // len(SERIES))):
        curve, counts = judged["curve"], judged["evaluation"]
        traces.append(
            _line(
                name,
                [0.0, *(other / counts["negatives"] for other in curve["passed_other"])],
                [0.0, *(good / counts["positives"] for good in curve["passed_good"])],
                ["above every score", *map(formats.similarity, curve["thresholds"])],
                colour,
                "%{y:.1%} of them pass, and %{x:.2%} of the others",
            )
        )
    x, y = axis("others that pass", tickformat=".0%"), axis("of the label that pass", tickformat=".0%")
    return figure(traces, _HEIGHT, x, y, legend=True)


def precision_recall(labels: Judged) -> Figure:
    """How much of what passes is good, against how much of the good passes."""
    traces = []
    for (name, judged), colour in zip(labels.items(), SERIES * (1 + len(labels) // len(SERIES))):
        curve, counts = judged["curve"], judged["evaluation"]
        passed = list(zip(curve["passed_good"], curve["passed_other"]))
        traces.append(
            _line(
                name,
                [good / counts["positives"] for good, _ in passed],
                [good / (good + other) for good, other in passed],
                [formats.similarity(score) for score in curve["thresholds"]],
                colour,
                "%{y:.1%} of what passes is right, and %{x:.1%} of the right passes",
            )
        )
    x, y = axis("recall", tickformat=".0%", range=[0, 1.02]), axis("precision", tickformat=".0%", rangemode="tozero")
    return figure(traces, _HEIGHT, x, y, legend=len(traces) > 1)


def reliability(labels: Judged) -> Figure:
    """The share of right documents among those of about the same score, with its 95 % interval."""
    traces = [_diagonal("as the score says")]
    for (name, judged), colour in zip(labels.items(), SERIES * (1 + len(labels) // len(SERIES))):
        rows = [row for row in judged["calibration"] if row["documents"]]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label(name, 24),
                "x": [row["mean_score"] for row in rows],
                "y": [row["good"] for row in rows],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [row["good_high"] - row["good"] for row in rows],
                    "arrayminus": [row["good"] - row["good_low"] for row in rows],
                    "color": colour,
                    "thickness": 1,
                },
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 7},
                "customdata": [formats.count(row["documents"]) for row in rows],
                "hovertemplate": "mean score %{x:.3f}: %{y:.1%} are right, of %{customdata} documents",
            }
        )
    x, y = axis("score", range=[0, 1]), axis("share that is right", tickformat=".0%", range=[-0.02, 1.02])
    return figure(traces, _HEIGHT, x, y, legend=True)


def two_histograms(good: Sequence[int], other: Sequence[int], minimum: float) -> Figure:
    """Scores of good and of other documents, each as shares of its kind, with the threshold drawn in."""
    traces = [
        _histogram(counts, name, colour, total=sum(counts))
        for counts, name, colour in ((other, "others", REMOVED), (good, "of the label", KEPT))
    ]
    drawn = figure(traces, 280, axis("score", range=[0, 1]), axis("share of them", tickformat=".0%"), legend=True)
    drawn["layout"] |= {"barmode": "overlay", "bargap": 0.0, "shapes": [_cut(minimum)]}
    for trace in traces:
        trace["opacity"] = 0.65
    return drawn


def score_histogram(counts: Sequence[int], minimums: Sequence[float]) -> Figure | None:
    """Documents of a corpus by score, with the thresholds drawn in."""
    if not sum(counts):
        return None
    traces = [_histogram(counts, "documents", BEFORE)]
    drawn = figure(traces, 260, axis("score", range=[0, 1]), axis("documents", tickformat="~s"))
    drawn["layout"] |= {"bargap": 0.05, "shapes": [_cut(minimum) for minimum in minimums]}
    return drawn


def _histogram(counts: Sequence[int], name: str, colour: str, total: int | None = None) -> Figure:
    width = 1 / len(counts)
    return {
        "type": "bar",
        "name": name,
        "x": [(i + 0.5) * width for i in range(len(counts))],
        "y": [count / total for count in counts] if total else list(counts),
        "width": width,
        "marker": {"color": colour},
        "customdata": [
            f"{i * width:.2f} to {(i + 1) * width:.2f}: {formats.count(count)} documents"
            for i, count in enumerate(counts)
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _cut(minimum: float) -> Figure:
    line = {"color": MARK, "width": 2, "dash": "dot"}
    return {"type": "line", "x0": minimum, "x1": minimum, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _diagonal(name: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": MARK, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _line(
    name: str, x: Sequence[float], y: Sequence[float], thresholds: Sequence[str], colour: str, hover: str
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name, 24),
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": 2},
        "customdata": list(thresholds),
        "hovertemplate": f"from a score of %{{customdata}} on<br>{hover}",
    }
