"""Time and speed of the stages."""

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


def stage_seconds(stages: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Time each stage took."""
    return _stage_bars(stages, "seconds", formats.duration, BEFORE)


def stage_rates(stages: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Text each stage read in a second."""
    return _stage_bars(stages, "bytes_per_second", formats.rate, KEPT)


def _stage_bars(stages: Sequence[Mapping[str, Any]], field: str, format: Any, colour: str) -> Figure | None:
    shown = [stage for stage in stages if stage.get(field) is not None]
    if not shown:
        return None
    texts = [format(stage[field]) for stage in shown]
    drawn = bars([stage[field] for stage in shown], field, colour, texts, texts)
    return horizontal(
        [drawn], [stage["stage"] for stage in shown], axis(showticklabels=False, showgrid=False), texts=True
    )
