"""Model shapes by name: the reference's two models and a ladder of small ones for experiments.

Names of the small ones count non-embedding parameters: with 102,400 entries the two embedding tables outweigh the
decoder of any small model, so a total would say little about its work. At every step the ladder gains layers faster
than width, as the reference does (arXiv 2401.02954, table 2: 30 → 95 layers, 4096 → 8192); heads are 64 or 128 wide.
"""

from __future__ import annotations

from typing import Any

_KEYS = ("layers", "width", "feed_forward", "heads", "kv_heads", "vocabulary", "context")
_SHAPES: dict[str, tuple[int | None, ...]] = {
    "2m": (4, 192, 512, 3, 3, None, 2048),
    "10m": (9, 320, 832, 5, 5, None, 4096),
    "30m": (14, 448, 1152, 7, 7, None, 4096),
    "100m": (22, 640, 1664, 10, 10, None, 4096),
    "300m": (32, 896, 2432, 14, 14, None, 4096),
    "1b": (50, 1280, 3456, 10, 10, None, 4096),
    "deepseek-7b": (30, 4096, 11008, 32, 32, 102_400, 4096),
    "deepseek-67b": (95, 8192, 22016, 64, 8, 102_400, 4096),
}
PRESETS: dict[str, dict[str, Any]] = {name: dict(zip(_KEYS, shape, strict=True)) for name, shape in _SHAPES.items()}
