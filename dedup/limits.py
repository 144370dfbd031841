"""Numbers beyond which a representation ends, for configs to refuse and code to check, without importing kernels."""

from __future__ import annotations

MOST_PAIRS = 2**30  # that one worker unites: positions of their 2³¹ ends are held in 32 bits; at 160 B each, 172 GB
