"""Curves as a small SVG picture, for pages that show what a benchmark measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 60, 40, 20, 50
COLOURS = ("#2f6fb0", "#d9822b", "#3d9970", "#b0413e")
_GREY = "#888"  # seen on a light and on a dark page
_STEPS = (0.2, 0.25, 0.5, 1, 2)

Points = Sequence[tuple[float, float]]


def write_curves(path: Path, curves: Mapping[str, Points], title: str, x_title: str, y_title: str) -> None:
    """Draws named curves of (x, y) points into ``path``; x from 0, y from a round number below the lowest point."""
    xs, ys = ([point[i] for points in curves.values() for point in points] for i in (0, 1))
    x_ticks, y_ticks = _ticks(0, max(xs)), _ticks(min(ys), max(ys))
    low, high, right = y_ticks[0], y_ticks[-1], x_ticks[-1]

    def across(x: float) -> float:
        return LEFT + x / right * (WIDTH - LEFT - RIGHT)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="{_GREY}"><title>{escape(title)}</title>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for tick in y_ticks:
        parts.append(f'<path d="M{LEFT} {down(tick):.1f}H{WIDTH - RIGHT}" stroke="{_GREY}" stroke-opacity=".3"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in x_ticks:
        parts.append(
            f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_short(tick)}</text>'
        )
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">{escape(x_title)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 6}">{escape(y_title)}</text>')
    for i, (name, points) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        line = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = TOP + 14 + 18 * i
        parts.append(f'<path d="M{WIDTH - 210} {at - 4}h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - 180}" y="{at}">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that cover two others, two to seven of them."""
    span = (high - low) or 1.0
    size = 10.0 ** math.floor(math.log10(span))
    step = next(size * each for each in _STEPS if span / (size * each) <= 5)
    first = math.floor(low / step)
    return [round(step * i, 10) for i in range(first, max(math.ceil(high / step), first + 1) + 1)]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
