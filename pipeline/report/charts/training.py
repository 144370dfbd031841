"""Curves of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.charts.drawing import (
    MARK,
    SERIES,
    Figure,
    axis,
    figure,
    label,
)


def training_curve(runs: Sequence[Mapping[str, Any]], metric: str, title: str, validation: str = "") -> Figure | None:
    """A metric of every training run against the tokens seen, or the step where a run did not note its tokens."""
    traces: list[Figure] = []
    by_tokens = all(row["tokens"] is not None for run in runs for row in run["steps"])
    for run, colour in zip(runs, SERIES * (1 + len(runs) // len(SERIES))):
        rows = [row for row in run["steps"] if row[metric] is not None]
        if rows:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": label(run["name"], 24),
                    "x": [row["tokens" if by_tokens else "step"] for row in rows],
                    "y": [row[metric] for row in rows],
                    "line": {"color": colour, "width": 2},
                    "customdata": [row["step"] for row in rows],
                    "hovertemplate": "step %{customdata:,}: %{y:.4~g}",
                }
            )
        tokens = {row["step"]: row["tokens"] for row in run["steps"]}
        checks = [row for row in run["validations"] if validation and (not by_tokens or row["step"] in tokens)]
        if checks:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": label(run["name"], 24) + " · validation",
                    "x": [tokens[row["step"]] if by_tokens else row["step"] for row in checks],
                    "y": [row[validation] for row in checks],
                    "line": {"color": MARK, "width": 2, "dash": "dot"},
                    "marker": {"color": colour, "size": 8},
                    "customdata": [row["step"] for row in checks],
                    "hovertemplate": "step %{customdata:,}: %{y:.4~g}",
                }
            )
    if not traces:
        return None
    x = axis("tokens seen" if by_tokens else "step", tickformat="~s", rangemode="tozero")
    y = axis(title, tickformat="~e" if metric == "learning_rate" else "")
    return figure(traces, 320, x, y, legend=len(traces) > 1)
