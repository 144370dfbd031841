"""How much is left, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    BEFORE,
    KEPT,
    Figure,
    axis,
    bars,
    horizontal,
)


def steps(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Documents left after each step of the pipeline."""
    first = next((row["documents"] for row in rows if row["documents"]), 0)
    if not first:
        return None
    texts = [
        formats.compact(row["documents"])
        + (f" · {formats.size(row['text_bytes'])}" if row["text_bytes"] is not None else "")
        for row in rows
    ]
    hovers = [
        f"{formats.count(row['documents'])} documents, {formats.share(row['documents'] / first)} of the first step"
        for row in rows
    ]
    colours = [BEFORE if row["step"] in ("read", "documents") else KEPT for row in rows]
    drawn = bars([row["documents"] for row in rows], "documents", colours, hovers, texts)
    return horizontal([drawn], [row["title"] for row in rows], axis(showticklabels=False, showgrid=False), texts=True)
