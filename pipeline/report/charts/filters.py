"""What the rules remove."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    BOUNDS,
    HEAT,
    KEPT,
    MARK,
    REMOVED,
    REMOVED_SOFT,
    Figure,
    axis,
    bars,
    figure,
    horizontal,
    label,
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


def rule_overlap(rules: Sequence[str], matrix: Sequence[Sequence[int]]) -> Figure | None:
    """Documents that fail both of two rules, coloured by their share of those that fail the row's."""
    failed = [place for place in range(len(rules)) if matrix[place][place]]
    if len(failed) < 2:
        return None
    names = [label(f"{number}  {rules[place]}", 52) for number, place in enumerate(failed, 1)]
    numbers = [str(number) for number in range(1, len(failed) + 1)]
    places = list(range(len(failed)))
    cells = [[matrix[row][column] for column in failed] for row in failed]
    heat = {
        "type": "heatmap",
        "x": places,
        "y": places,
        "z": [[None if i == j else cells[i][j] / cells[i][i] for j in range(len(failed))] for i in range(len(failed))],
        "zmin": 0,
        "zmax": 1,
        "customdata": [
            [
                f"{formats.count(cells[i][j])} of the {formats.count(cells[i][i])} documents that fail<br>"
                f"<b>{label(rules[failed[i]], 80)}</b><br>fail <b>{label(rules[failed[j]], 80)}</b>"
                for j in range(len(failed))
            ]
            for i in range(len(failed))
        ],
        "colorscale": HEAT,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorbar": {"thickness": 10, "outlinewidth": 0, "tickformat": ".0%", "len": 1},
        "hovertemplate": "%{customdata}, %{z:.1%}<extra></extra>",
    }
    y = axis(tickvals=places, ticktext=names, range=[len(failed) - 0.5, -0.5], showgrid=False, ticklabelstandoff=6)
    x = axis(tickvals=places, ticktext=numbers, range=[-0.5, len(failed) - 0.5], showgrid=False, tickangle=0)
    drawn = figure([heat], max(240, 22 * len(failed) + 60), x, y)
    drawn["layout"]["meta"] = {"short": numbers}  # on a narrow screen names would leave no room for the cells
    return drawn


def distribution(found: Mapping[str, Any]) -> Figure:
    """Documents by the value of a statistic, kept and removed, with a line at each threshold."""
    edges, log = found["edges"], found["scale"] == "log"
    spans = [f"{formats.number(low)} to {formats.number(high)}" for low, high in itertools.pairwise(edges)]
    at = [math.log10(edge) for edge in edges] if log else edges
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": [(low + high) / 2 for low, high in itertools.pairwise(at)],
            "width": [high - low for low, high in itertools.pairwise(at)],
            "y": found[name],
            "marker": {"color": colour},
            "customdata": [f"{formats.count(count)} {name}, {span}" for count, span in zip(found[name], spans)],
            "hovertemplate": "%{customdata}<extra></extra>",
        }
        for name, colour in (("kept", KEPT), ("removed", REMOVED))
    ]
    x = axis(showgrid=False, range=[at[0], at[-1]])
    if log:
        low, high = math.floor(at[0]), math.ceil(at[-1])
        powers = [power for power in range(low, high + 1) if at[0] <= power <= at[-1]]
        x |= {"tickvals": powers, "ticktext": [formats.compact(10**power) for power in powers]}
    drawn = figure(traces, 220, x, axis(tickformat="~s", rangemode="tozero", nticks=4), legend=True)
    drawn["layout"] |= {"barmode": "stack", "bargap": 0, "shapes": [], "annotations": []}
    drawn["layout"]["margin"]["b"] = 28
    for threshold in found["thresholds"]:
        value = threshold["value"]
        if (log and value <= 0) or not edges[0] <= value <= edges[-1]:
            continue
        place = math.log10(value) if log else value
        line = {"color": MARK, "width": 1.5, "dash": "dash"}
        drawn["layout"]["shapes"].append(
            {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": "paper", "line": line}
        )
        drawn["layout"]["annotations"].append(
            {
                "text": f"{BOUNDS[threshold['bound']]} {formats.number(value)}",
                "x": place,
                "y": 1,
                "yref": "paper",
                "xanchor": "left" if place - at[0] < (at[-1] - at[0]) / 2 else "right",
                "yanchor": "top",
                "showarrow": False,
                "font": {"color": MARK, "size": 12},
            }
        )
    return drawn
