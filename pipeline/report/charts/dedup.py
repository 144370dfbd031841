"""Deduplication: rates, overlap, clusters and pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    BEFORE,
    HEAT,
    KEPT,
    MARK,
    REMOVED,
    Figure,
    axis,
    figure,
    label,
)


def dedup_curve(curve: Sequence[Mapping[str, Any]], reference: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Share of documents removed against the number of dumps deduplicated together, beside the published curve."""
    points = [point for point in curve if point["share"] is not None]
    if not points:
        return None
    dot = 9 if len(points) <= 20 else 5
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
    together = {
        "type": "scatter",
        "name": "this corpus",
        "mode": "lines+markers",
        "x": [point["dumps"] for point in points],
        "y": [point["share"] for point in points],
        "line": {"color": REMOVED, "width": 3},
        "marker": {"color": REMOVED, "size": dot},
        "customdata": [
            [label(point["dump"]), formats.count(point["removed"]), formats.count(point["documents"])]
            for point in points
        ],
        "hovertemplate": "<b>%{x} together, up to %{customdata[0]}</b><br>%{y:.1%} removed: %{customdata[1]} of "
        "%{customdata[2]} documents<extra></extra>",
    }
    single = [point for point in points if point["alone_share"] is not None]
    alone = {
        "type": "scatter",
        "name": "each dump by itself",
        "mode": "markers",
        "x": [point["dumps"] for point in single],
        "y": [point["alone_share"] for point in single],
        "marker": {"color": "var(--surface)", "size": dot, "line": {"color": REMOVED, "width": 2 if dot > 5 else 1}},
        "customdata": [[label(point["dump"])] for point in single],
        "hovertemplate": "<b>%{customdata[0]} by itself</b><br>%{y:.1%} removed<extra></extra>",
    }
    most = max([point["dumps"] for point in (*points, *reference)])
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick <= most * 1.2]
    x = axis("dumps deduplicated together", type="log", tickvals=ticks, ticktext=[str(tick) for tick in ticks])
    y = axis("documents removed", range=[0, 1], tickformat=".0%", dtick=0.2)
    return figure([published, together, *([alone] if single else [])], 400, x, y, legend=True)


def overlap(dumps: Sequence[str], matrix: Sequence[Sequence[int]]) -> Figure | None:
    """Documents of one dump (row) that also have a copy in another (column)."""
    if len(dumps) < 2 or not any(matrix[i][j] for i in range(len(matrix)) for j in range(len(matrix[i])) if i != j):
        return None
    names = [label(dump, 24) for dump in dumps]
    values = [[None if i == j else value for j, value in enumerate(row)] for i, row in enumerate(matrix)]
    heat = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": values,
        "colorscale": HEAT,
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": "~s", "len": 1},
        "hovertemplate": "%{z:,} documents of <b>%{y}</b><br>have a copy in <b>%{x}</b><extra></extra>",
    }
    if len(dumps) <= 8:
        heat |= {"texttemplate": "%{z:.3~s}", "showscale": False}
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


def pair_similarity(samples: Sequence[Mapping[str, Any]], threshold: float | None) -> Figure | None:
    """Sampled candidate pairs by estimated similarity, and the threshold."""
    values = [pair["jaccard"] for pair in samples if pair["jaccard"] is not None]
    if len(values) < 10 or max(values) - min(values) < 0.1:  # a sample taken around the threshold has no shape to show
        return None
    bars = {
        "type": "histogram",
        "x": values,
        "xbins": {"start": 0, "end": 1.0001, "size": 0.025},
        "marker": {"color": KEPT, "line": {"color": "var(--surface)", "width": 1}},
        "hovertemplate": "%{y} sampled pairs at %{x}<extra></extra>",
    }
    lowest = min(0.5, *values, threshold if threshold is not None else 1)
    x = axis("estimated Jaccard similarity", range=[max(0, lowest - 0.05), 1.02], tickformat=".2~f")
    drawn = figure([bars], 260, x, axis("sampled pairs", rangemode="tozero"))
    drawn["layout"] |= {"bargap": 0.04}
    if threshold is not None:
        drawn["layout"]["margin"]["t"] = 28
        line = {"color": MARK, "width": 2, "dash": "dash"}
        drawn["layout"]["shapes"] = [
            {"type": "line", "x0": threshold, "x1": threshold, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        ]
        drawn["layout"]["annotations"] = [
            {
                "x": threshold,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "text": f"threshold {threshold:g}",
                "showarrow": False,
            }
        ]
    return drawn
