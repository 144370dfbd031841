"""How far a tokenizer compresses."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    KEPT,
    MOST_BARS,
    SERIES,
    Figure,
    axis,
    bars,
    horizontal,
    label,
)


def compression(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Bytes of text a token stands for, by language."""
    shown = sorted((row for row in rows if row["bytes_per_token"]), key=lambda row: -row["bytes_per_token"])[:MOST_BARS]
    if not shown:
        return None
    texts = [formats.number(row["bytes_per_token"]) for row in shown]
    hovers = [
        f"{text} bytes a token<br>{formats.size(row['bytes'])} in {formats.compact(row['tokens'])} tokens"
        for text, row in zip(texts, shown)
    ]
    drawn = bars([row["bytes_per_token"] for row in shown], "bytes a token", KEPT, hovers, texts)
    return horizontal(
        [drawn], [row["language"] for row in shown], axis(showticklabels=False, showgrid=False), texts=True
    )


def comparison(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], field: str = "bytes_per_token", unit: str = "bytes a token"
) -> Figure | None:
    """One figure of each group, such as bytes a token, a bar for each tokenizer; the first one gives the groups."""
    names = list(rows)
    groups = [row["group"] for row in rows[names[0]]]
    if not groups:
        return None
    traces = []
    for name, colour in zip(names, itertools.cycle(SERIES)):
        found = {row["group"]: row for row in rows[name]}
        values = [found[group][field] if group in found else None for group in groups]
        texts = [formats.number(value) if value is not None else "" for value in values]
        hovers = [f"{label(name)}<br>{text} {unit}" for text in texts]
        traces.append(bars(values, label(name), colour if len(names) > 1 else KEPT, hovers, texts))
    several = len(names) > 1
    blank = axis(showticklabels=False, showgrid=False)
    return horizontal(traces, groups, blank, legend=several, texts=True, row=max(30, 22 * len(names)))
