"""Where representations and tables end, for configs and reports that import no kernels."""

from __future__ import annotations

FARTHEST = 10  # pairs between a removed document and the copy that stays; farther ones are counted as this far
MOST_PAIRS = 2**30  # that one worker unites: positions of their 2³¹ ends are held in 32 bits; at 160 B each, 172 GB
MOST_VALUES = 65_536  # MinHash values in a signature, and so bands, rows and their product
MOST_WORDS = 65_536  # in a shingle
