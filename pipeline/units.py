"""Numbers for people."""

from __future__ import annotations

import re


def size(count: float) -> str:
    """Bytes: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds: 3.2 s, 4 min 05 s, 2 h 03 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def singular(text: str) -> str:
    """The same with what there is one of in the singular: 1 file, 1 copy."""
    return re.sub(
        r"(?<![\d,.])1 [a-z]+s\b",
        lambda found: found[0][:-3] + "y" if found[0].endswith("ies") else found[0][:-1],
        text,
    )
