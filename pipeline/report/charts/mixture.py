"""How often documents are repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    HEAT,
    KEPT,
    MARK,
    MOST_BARS,
    Figure,
    axis,
    bars,
    figure,
    horizontal,
    label,
)


def epochs(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    """How often each cell is repeated: a heat map of two axes, else a bar for each cell with a tick for its cap."""
    axes = list(cells[0]["domains"]) if cells else []
    if len(axes) == 2 and all(len({cell["domains"][axis] for cell in cells}) > 1 for axis in axes):
        return _by_two(cells, *axes)
    return _ranked(cells)


def _ranked(cells: Sequence[Mapping[str, Any]]) -> Figure | None:
    shown = [cell for cell in cells if cell["epochs"]][:MOST_BARS]
    if len(shown) < 2:
        return None
    names = [" / ".join(cell["domains"].values()) or "all documents" for cell in shown]
    hovers = [f"{formats.number(cell['epochs'])} times on average" for cell in shown]
    traces = [bars([cell["epochs"] for cell in shown], "epochs", KEPT, hovers)]
    caps = [(row, cell["cap"]) for row, cell in enumerate(shown) if cell["binds"]]
    if caps:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "the cap, where it binds",
                "x": [cap for _, cap in caps],
                "y": [row for row, _ in caps],
                "marker": {"symbol": "line-ns-open", "size": 24, "color": MARK, "line": {"color": MARK, "width": 3}},
                "customdata": [formats.number(cap) for _, cap in caps],
                "hovertemplate": "at the cap of %{customdata}<extra></extra>",
            }
        )
    return horizontal(traces, names, axis(rangemode="tozero"), legend=bool(caps))


def _by_two(cells: Sequence[Mapping[str, Any]], rows: str, columns: str) -> Figure:
    size: dict[str, int] = {}
    for cell in cells:
        size[cell["domains"][columns]] = size.get(cell["domains"][columns], 0) + cell["amount_after"]
    across = sorted(size, key=lambda name: (-size[name], name))[:MOST_BARS]
    down = sorted({cell["domains"][rows] for cell in cells})
    by_cell = {(cell["domains"][rows], cell["domains"][columns]): cell["epochs"] for cell in cells}
    heat = {
        "type": "heatmap",
        "x": [label(name, 24) for name in across],
        "y": [label(name, 24) for name in down],
        "z": [[by_cell.get((row, column)) for column in across] for row in down],
        "colorscale": HEAT,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "texttemplate": "%{z:.2~f}×",
        "showscale": False,
        "hovertemplate": "<b>%{y}, %{x}</b><br>repeated %{z:.3~f} times<extra></extra>",
    }
    y = axis(type="category", autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return figure([heat], 44 * len(down) + 100, axis(type="category", showgrid=False), y)
