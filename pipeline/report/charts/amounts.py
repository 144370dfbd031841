"""Named amounts side by side: counts, and shares before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    BEFORE,
    KEPT,
    MARK,
    MOST_BARS,
    Figure,
    axis,
    bars,
    horizontal,
)


def ranked(amounts: Mapping[str, int], unit: str, colour: str) -> Figure | None:
    """Named counts, the largest first."""
    rows = sorted(((name, value) for name, value in amounts.items() if value), key=lambda row: (-row[1], row[0]))
    if not rows:
        return None
    rows = rows[:MOST_BARS]
    texts = [formats.compact(value) for _, value in rows]
    drawn = bars(
        [value for _, value in rows], unit, colour, [f"{formats.count(value)} {unit}" for _, value in rows], texts
    )
    return horizontal([drawn], [name for name, _ in rows], axis(showticklabels=False, showgrid=False), texts=True)


def shares_before_after(rows: Mapping[str, Mapping[str, Any]], after: str = "after mixing") -> Figure | None:
    """Shares of bytes before and after, and the target where one was asked for; the largest first."""
    if not rows:
        return None
    ordered = sorted(rows.items(), key=lambda row: (-(row[1].get("after") or 0), -(row[1].get("before") or 0), row[0]))
    ordered = ordered[:MOST_BARS]
    names = [name for name, _ in ordered]
    traces = [
        bars(
            [share.get(field) for _, share in ordered],
            title,
            colour,
            [f"{formats.share(share.get(field))} {title}" for _, share in ordered],
        )
        for field, title, colour in (("before", "before", BEFORE), ("after", after, KEPT))
    ]
    targets = [(index, share["target"]) for index, (_, share) in enumerate(ordered) if share.get("target") is not None]
    if targets:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "target",
                "x": [target for _, target in targets],
                "y": [index for index, _ in targets],
                "marker": {"symbol": "line-ns-open", "size": 24, "color": MARK, "line": {"color": MARK, "width": 3}},
                "customdata": [formats.share(target) for _, target in targets],
                "hovertemplate": "target %{customdata}<extra></extra>",
            }
        )
    drawn = horizontal(traces, names, axis(tickformat=".0%", rangemode="tozero"), legend=True, row=44)
    drawn["layout"]["barmode"] = "group"
    return drawn
