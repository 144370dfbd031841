"""Deduplication: rates, overlap and clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import BEFORE, HEAT, KEPT, REMOVED, REMOVED_SOFT, Figure, axis, figure, label

_Points = Sequence[Mapping[str, Any]]


def curve(points: _Points, from_the_last: _Points, reference: _Points, together: bool = True) -> Figure | None:
    """Share of documents removed against the number of dumps, beside the published curve.

    ``together``: whether those of the points were held against each other, as the published ones were.
    """
    if not any(point["share"] is not None for point in points):
        return None
    published = {
        "type": "scatter",
        "name": "DeepSeek LLM, Common Crawl",
        "mode": "lines+markers",
        "x": [point["dumps"] for point in reference],
        "y": [point["share"] for point in reference],
        "line": {"color": BEFORE, "width": 2, "dash": "dot"},
        "marker": {"color": BEFORE, "size": 7},
        "hovertemplate": "<b>%{x} dumps together</b><br>%{y:.1%} removed<extra>DeepSeek LLM</extra>",
    }
    traces = [
        published,
        _line(points, "this corpus" if not from_the_last else "from the first dump on", REMOVED, together),
    ]
    if from_the_last:
        traces.append(_line(from_the_last, "from the last dump back", KEPT, together))
    most = max(point["dumps"] for point in (*points, *reference))
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if tick <= most * 1.2]
    x = axis(
        "dumps deduplicated together" if together else "dumps",
        type="log",
        tickvals=ticks,
        ticktext=[str(tick) for tick in ticks],
    )
    y = axis("documents removed", range=[0, 1], tickformat=".0%", dtick=0.2)
    return figure(traces, 400, x, y, legend=True)


def _line(points: _Points, name: str, colour: str, together: bool) -> Figure:
    known = [point for point in points if point["share"] is not None]
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines+markers",
        "x": [point["dumps"] for point in known],
        "y": [point["share"] for point in known],
        "line": {"color": colour, "width": 3},
        "marker": {"color": colour, "size": 9 if len(known) <= 20 else 5},
        "customdata": [
            [label(point["dump"]), formats.count(point["removed"]), formats.count(point["documents"])]
            for point in known
        ],
        "hovertemplate": f"<b>%{{x}} {'together' if together else 'each by itself'}, up to %{{customdata[0]}}</b><br>"
        "%{y:.1%} removed: %{customdata[1]} of %{customdata[2]} documents<extra></extra>",
    }


def by_dump(dumps: _Points) -> Figure | None:
    """Of each dump, the share removed when it is deduplicated by itself, and the share it adds no document with."""
    if len(dumps) < 2:
        return None
    names = [label(dump["dump"], 24) for dump in dumps]
    traces = [
        {
            "type": "bar",
            "name": title,
            "x": names,
            "y": [dump[field] for dump in dumps],
            "marker": {"color": colour},
            "hovertemplate": f"<b>%{{x}}</b><br>%{{y:.1%}} {title}<extra></extra>",
        }
        for field, title, colour in (
            ("alone_share", "removed by itself", REMOVED_SOFT),
            ("known_share", "removed after the dumps before it", REMOVED),
        )
    ]
    drawn = figure(
        traces, 320, axis(type="category", showgrid=False), axis(tickformat=".0%", rangemode="tozero"), legend=True
    )
    drawn["layout"]["barmode"] = "group"
    return drawn


def overlap(dumps: Sequence[str], matrix: Sequence[Sequence[int]], documents: Mapping[str, int]) -> Figure | None:
    """Documents of one dump (row) that also have a copy in another (column), coloured by their share of the row's.

    ``documents``: how many each dump has.
    """
    rows = range(len(dumps))
    if len(dumps) < 2 or not any(matrix[i][j] for i in rows for j in rows if i != j):
        return None
    names = [label(dump, 24) for dump in dumps]
    shares = [
        [None if i == j else matrix[i][j] / documents[dumps[i]] if documents.get(dumps[i]) else 0.0 for j in rows]
        for i in rows
    ]
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": shares,
        "zmin": 0,
        "zmax": 1,
        "customdata": [[formats.count(value) for value in row] for row in matrix],
        "colorscale": HEAT,
        "xgap": 2 if len(dumps) <= 30 else 0,
        "ygap": 2 if len(dumps) <= 30 else 0,
        "hoverongaps": False,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": ".0%", "len": 1},
        "hovertemplate": "%{customdata} documents of <b>%{y}</b>, %{z:.1%},<br>have a copy in <b>%{x}</b>"
        "<extra></extra>",
    }
    if len(dumps) <= 10:
        heat |= {"texttemplate": "%{z:.0%}", "showscale": False}
    y = axis(type="category", autorange="reversed", showgrid=False, ticklabelstandoff=6)
    return figure([heat], max(280, min(640, 44 * len(dumps) + 90)), axis(type="category", showgrid=False), y)


def cluster_sizes(sizes: Sequence[Sequence[int]]) -> Figure | None:
    """How many clusters have how many documents, both axes logarithmic."""
    points = sorted((size, clusters) for size, clusters in sizes if size > 0 and clusters > 0)
    if not points:
        return None
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [size for size, _ in points],
        "y": [clusters for _, clusters in points],
        "marker": {"color": REMOVED, "size": 7},
        "hovertemplate": "%{y:,} clusters of %{x:,} documents<extra></extra>",
    }
    return figure(
        [dots],
        320,
        axis("documents in the cluster", type="log", dtick="D2" if points[-1][0] < 100 else 1, tickformat="~s"),
        axis("clusters", type="log", dtick=1, tickformat="~s"),
    )
