"""How far a tokenizer compresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import (
    KEPT,
    MOST_BARS,
    Figure,
    axis,
    bars,
    horizontal,
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
