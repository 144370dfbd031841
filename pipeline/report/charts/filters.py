"""What the rules remove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    REMOVED,
    REMOVED_SOFT,
    Figure,
    axis,
    bars,
    horizontal,
)


def filter_funnel(rules: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Documents each rule removes: all that fail it, and those it is the first to remove."""
    if not rules:
        return None
    removed = bars(
        [rule["documents"] for rule in rules],
        "removed first by this rule",
        REMOVED,
        [f"{formats.count(rule['documents'])} documents removed first by this rule" for rule in rules],
    )
    failing = bars(
        [rule["failing"] for rule in rules],
        "fail it at all",
        REMOVED_SOFT,
        [f"{formats.count(rule['failing'])} documents fail it at all" for rule in rules],
    )
    drawn = horizontal([failing, removed], [rule["rule"] for rule in rules], axis(tickformat="~s"), legend=True)
    drawn["layout"]["barmode"] = "overlay"
    drawn["layout"]["legend"]["traceorder"] = "reversed"
    return drawn
