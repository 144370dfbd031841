"""What all charts are made of: colours, labels, bars, axes and the frame.

Colours are names of the page's custom properties (``var(--kept)``), which the page resolves, so that one figure
serves the light and the dark theme. A colour means the same in every chart: kept, removed, before, and a mark for a
target. Whatever comes from a crawl or a configuration goes through ``label``, since plotly renders some markup in
its texts.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from pipeline.report.visible import visible

Figure = dict[str, Any]

KEPT, REMOVED, REMOVED_SOFT = "var(--kept)", "var(--removed)", "var(--removed-soft)"
BEFORE, MARK, MUTED, GRID = "var(--before)", "var(--mark)", "var(--muted)", "var(--grid)"
HEAT = [[0, "var(--heat-0)"], [0.5, "var(--heat-1)"], [1, "var(--heat-2)"]]
SERIES = tuple(f"var(--series-{number})" for number in range(1, 7))

BOUNDS = {"minimum": "≥", "maximum": "≤", "above": ">", "below": "<"}  # of rules
MOST_BARS = 20
_ROW, _LEGEND, _AXIS = 30, 40, 48  # CSS pixels: height of a horizontal bar, of the legend above, of the axis below


def label(text: object, longest: int = 48) -> str:
    """Text for a chart, in which no markup is left and nothing is invisible."""
    shown = visible(text)
    return html.escape(shown if len(shown) <= longest else shown[: longest - 1] + "…", quote=False)


def bars(
    values: Sequence[Any], name: str, colour: Any, hovers: Sequence[str], texts: Sequence[str] | None = None
) -> Figure:
    """A horizontal bar for each value, at y = 0, 1, …; hover texts in full, optionally a text at the bar's end."""
    trace: Figure = {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": list(values),
        "y": list(range(len(values))),
        "marker": {"color": colour},
        "customdata": list(hovers),
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if texts is not None:
        trace |= {"text": list(texts), "textposition": "outside", "cliponaxis": False, "textangle": 0}
    return trace


def horizontal(
    traces: list[Figure], names: Sequence[str], x: Figure, legend: bool = False, texts: bool = False, row: int = _ROW
) -> Figure:
    """Horizontal bars under their names. Positions are numbers, so that two names shown alike stay two bars."""
    labels = [label(name) for name in names]
    for trace in traces:
        if trace["type"] == "bar":
            trace["customdata"] = [
                f"<b>{label(name, 120)}</b><br>{hover}" for name, hover in zip(names, trace["customdata"])
            ]
    y = axis(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        ticklabelstandoff=6,
    )
    height = row * len(labels) + (_LEGEND if legend else 8) + (8 if texts else _AXIS)
    drawn = figure(traces, height, x, y, legend=legend)
    if texts:  # room for the text that stands right of the longest bar
        longest = max((value for trace in traces for value in trace["x"] if value is not None), default=0)
        drawn["layout"]["xaxis"]["range"] = [0, (longest or 1) * 1.35]
    drawn["layout"]["margin"]["b"] = 8 if texts else _AXIS
    drawn["layout"]["meta"] = {"rows": labels}  # on a narrow screen the page puts these above their bars
    return drawn


def figure(traces: list[Figure], height: int, x: Figure, y: Figure, legend: bool = False) -> Figure:
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 16, "t": _LEGEND if legend else 12, "b": _AXIS + (20 if "title" in x else 0)},
        "xaxis": x,
        "yaxis": y,
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "itemsizing": "constant",
        },
        "bargap": 0.35,
        "bargroupgap": 0.08,
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}


def axis(title: str | None = None, **settings: Any) -> Figure:
    axis: Figure = {
        "automargin": True,
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
        "fixedrange": False,
        "tickfont": {"color": MUTED},
    }
    if title:
        axis["title"] = {"text": title, "font": {"color": MUTED, "size": 12}}
    return axis | settings
