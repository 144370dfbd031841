"""What was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    KEPT,
    Figure,
    axis,
    figure,
    label,
)


def input_by_dump(dumps: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Text of each dump."""
    if len(dumps) < 2:
        return None
    names = [label(name, 24) for name in dumps]
    hovers = [
        f"{formats.count(dump['documents'])} documents, {formats.size(dump['text_bytes'])}" for dump in dumps.values()
    ]
    bars = {
        "type": "bar",
        "x": names,
        "y": [dump["text_bytes"] for dump in dumps.values()],
        "marker": {"color": KEPT},
        "customdata": hovers,
        "hovertemplate": "<b>%{x}</b><br>%{customdata}<extra></extra>",
    }
    y = axis("text", rangemode="tozero", tickformat="~s", ticksuffix="B")
    return figure([bars], 280, axis(type="category", showgrid=False), y)
