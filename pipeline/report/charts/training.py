"""Curves of training runs, several over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    MARK,
    SERIES,
    Figure,
    axis,
    bars,
    figure,
    horizontal,
    label,
)
from pipeline.report.training_runs import PARTS

Runs = Sequence[Mapping[str, Any]]


def training_curve(runs: Runs, metric: str, title: str, validation: str = "") -> Figure | None:
    """A metric of every training run against the tokens seen, or the step where a run did not note its tokens."""
    traces: list[Figure] = []
    by_tokens = _by_tokens(runs)
    for run, colour in _coloured(runs):
        rows = [row for row in run["steps"] if row[metric] is not None]
        if rows:
            trace = _line(run["name"], rows, [row["tokens" if by_tokens else "step"] for row in rows], metric)
            traces.append(trace | {"line": {"color": colour, "width": 2}})
        if validation and (checks := _validation_line(run, validation, by_tokens)):
            marks = {"line": {"color": MARK, "width": 2, "dash": "dot"}, "marker": {"color": colour, "size": 8}}
            traces.append(checks | marks | {"name": label(run["name"], 24) + " · validation"})
    return _curves(traces, title, by_tokens, "~e" if metric == "learning_rate" else "")


def validation_curve(runs: Runs, metric: str, title: str) -> Figure | None:
    """A metric of every run's validations against the tokens seen."""
    by_tokens = _by_tokens(runs)
    traces = [
        checks | {"line": {"color": colour, "width": 2}, "marker": {"color": colour, "size": 7}}
        for run, colour in _coloured(runs)
        if (checks := _validation_line(run, metric, by_tokens))
    ]
    return _curves(traces, title, by_tokens)


def step_parts(runs: Runs) -> Figure | None:
    """Where the time of a step goes: the median seconds of each part, a bar a run."""
    timed = [(run["name"], parts) for run in runs if (parts := median_parts(run))]
    if not timed:
        return None
    traces = [
        bars(
            [parts[part] for _, parts in timed], part, colour,
            [f"{part}: {formats.duration(parts[part])}, {formats.share(parts[part] / (sum(parts.values()) or 1))}"
             for _, parts in timed],
        )
        for part, colour in zip(PARTS, SERIES, strict=False)
    ]  # fmt: skip
    drawn = horizontal(traces, [name for name, _ in timed], axis("seconds of a step", rangemode="tozero"), legend=True)
    drawn["layout"]["barmode"] = "stack"
    return drawn


def median_parts(run: Mapping[str, Any]) -> dict[str, float]:
    """The median seconds of each part of a run's steps; nothing where the run did not note them."""
    rows = [row for row in run["steps"] if all(row[f"parts.{part}"] is not None for part in PARTS)]
    return {part: median(row[f"parts.{part}"] for row in rows) for part in PARTS} if rows else {}


def _by_tokens(runs: Runs) -> bool:
    return all(row["tokens"] is not None for run in runs for row in run["steps"])


def _coloured(runs: Runs) -> Any:
    return zip(runs, SERIES * (1 + len(runs) // len(SERIES)))


def _validation_line(run: Mapping[str, Any], metric: str, by_tokens: bool) -> Figure | None:
    """Before the first step no tokens are seen; of another step without a row of its own they are not known."""
    tokens = {0: 0} | {row["step"]: row["tokens"] for row in run["steps"]}
    rows = [row for row in run["validations"] if row[metric] is not None and (not by_tokens or row["step"] in tokens)]
    if not rows:
        return None
    x = [tokens[row["step"]] if by_tokens else row["step"] for row in rows]
    return _line(run["name"], rows, x, metric) | {"mode": "lines+markers"}


def _line(name: str, rows: Sequence[Mapping[str, Any]], x: list[Any], metric: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name, 24),
        "x": x,
        "y": [row[metric] for row in rows],
        "customdata": [row["step"] for row in rows],
        "hovertemplate": "step %{customdata:,}: %{y:.4~g}",
    }


def _curves(traces: list[Figure], title: str, by_tokens: bool, format: str = "") -> Figure | None:
    if not traces:
        return None
    x = axis("tokens seen" if by_tokens else "step", tickformat="~s", rangemode="tozero")
    return figure(traces, 320, x, axis(title, tickformat=format), legend=len(traces) > 1)
