"""Numbers as people read them."""

from __future__ import annotations

from datetime import datetime, timezone

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_COUNTS = ("", " k", " M", " B", " T")
ABSENT = "–"


def count(value: float | None) -> str:
    """A whole number in full: ``1,234,567``."""
    return ABSENT if value is None else f"{value:,.0f}"


def compact(value: float | None) -> str:
    """A count in at most four digits: ``9,537``, ``62.1 k``, ``1.08 B`` (thousand millions)."""
    if value is None:
        return ABSENT
    return count(value) if abs(value) < 10_000 else _scaled(value, _COUNTS)


def size(value: float | None) -> str:
    """Bytes in decimal units: ``812 B``, ``62.1 MB``."""
    if value is None:
        return ABSENT
    return f"{value:,.0f} B" if abs(value) < 1000 else _scaled(value, tuple(f" {unit}" for unit in _SIZES))


def share(value: float | None) -> str:
    """A fraction of one as per cent: ``78.5 %``; small ones keep a digit that is not zero."""
    if value is None:
        return ABSENT
    percent = 100 * value
    if 0 < abs(percent) < 0.001:
        return "< 0.001 %"
    return f"{percent:.2g} %" if 0 < abs(percent) < 0.05 else f"{percent:,.1f} %"


def number(value: float | None) -> str:
    """A measure with three significant digits, never in powers of ten: ``4.13``, ``0.0021``, ``1,250``."""
    if value is None:
        return ABSENT
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    while digits < 9 and abs(value) < 10 ** (1 - digits):
        digits += 1
    return f"{value:.{digits}f}"


def similarity(value: float | None) -> str:
    """A Jaccard similarity, 0 to 1, fine enough to tell on which side of a threshold it lies: ``0.703``."""
    return ABSENT if value is None else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """A time in its two largest units: ``0.8 s``, ``3 min 5 s``, ``2 h 4 min``."""
    if seconds is None:
        return ABSENT
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, length, lower, lower_length in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // lower_length
            return f"{whole // length} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s"


def rate(bytes_per_second: float | None) -> str:
    """Bytes a second: ``31.0 MB/s``."""
    return ABSENT if bytes_per_second is None else f"{size(bytes_per_second)}/s"


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, its middle left out: both ends of an address tell it from others."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - (most - 1) // 2 :]}"


def time(iso: str | None) -> str:
    """A point in time, ISO 8601, as ``2026-11-22 06:14 UTC``; what is none is shown as it is."""
    if not iso:
        return ABSENT
    try:
        moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return iso
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    step = 0
    while step < len(units) - 1 and abs(value) >= 999.5:
        value /= 1000
        step += 1
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}{units[step]}"
