"""How often documents are repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.charts.drawing import (
    HEAT,
    MOST_BARS,
    Figure,
    axis,
    figure,
    label,
)


def epochs(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    """How often each cell of source and language is repeated."""
    sources = sorted({cell["source"] for cell in cells})
    size = {cell["language"]: 0 for cell in cells}
    for cell in cells:
        size[cell["language"]] += cell["bytes_after"]
    languages = sorted(size, key=lambda language: (-size[language], str(language)))[:MOST_BARS]
    if len(sources) < 2 or len(languages) < 2:
        return None
    by_cell = {(cell["source"], cell["language"]): cell["epochs"] for cell in cells}
    values = [[by_cell.get((source, language)) for language in languages] for source in sources]
    heat = {
        "type": "heatmap",
        "x": [label(language or "unknown", 24) for language in languages],
        "y": [label(source, 24) for source in sources],
        "z": values,
        "colorscale": HEAT,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "texttemplate": "%{z:.2~f}×",
        "showscale": False,
        "hovertemplate": "<b>%{y}, %{x}</b><br>repeated %{z:.3~f} times<extra></extra>",
    }
    y = axis(type="category", autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return figure([heat], 44 * len(sources) + 100, axis(type="category", showgrid=False), y)
