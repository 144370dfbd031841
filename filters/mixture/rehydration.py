"""Documents of which the crawls held copies, used more than once: weights by the size of the cluster of duplicates.

FineWeb2 (arXiv 2506.20920, section on rehydration) deduplicates globally, keeps the size of each kept document's
cluster, and repeats documents by it. Very small and very large clusters are of lower quality, as the filters see them,
those in between of higher; so its weights follow the share that the filters remove at each size: 1 where that is the
global rate or above, the most repetitions (10) where it is lowest, linear in between, smoothed over 5 sizes, rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

_WINDOW = 5  # sizes that are averaged
_FEWEST = 100  # documents by which a removal rate is judged; sizes with fewer join the next
SIZES = (*range(1, 21), *(round(20 * 1.25**step) for step in range(1, 25)))  # where classes begin; up to some 4,000


def class_names(begins: Sequence[int]) -> list[str]:
    """Names of classes of cluster sizes that begin at some sizes: 1, 2-4, 5+."""
    ends = [*(begin - 1 for begin in begins[1:]), None][: len(begins)]
    return [f"{b}+" if e is None else f"{b}" if b == e else f"{b}-{e}" for b, e in zip(begins, ends)]


def classes_of(sizes: np.ndarray, begins: Sequence[int]) -> pa.DictionaryArray:
    """The class of each cluster size [n]; sizes below the first begin are in the first."""
    index = np.searchsorted(np.asarray(begins, np.int64), sizes.astype(np.int64), side="right") - 1
    return pa.DictionaryArray.from_arrays(pa.array(np.maximum(index, 0).astype(np.int32)), class_names(begins))


def weights_of(table: Mapping[int, float]) -> dict[str, float]:
    """A table from the size at which a class begins to its weight, by the names of the classes."""
    begins = sorted(table)
    return {name: float(table[begin]) for name, begin in zip(class_names(begins), begins)}


def computed_weights(sizes: Mapping[str, Sequence[int]], begins: Sequence[int], most: int) -> dict[str, float]:
    """FineWeb2's weights, from what the filters did to each class of cluster sizes.

    Args:
        sizes: by the name of a class, the documents that deduplication kept and those of them that the filters kept.
        begins: where the classes begin.
        most: repetitions of the class of which least is removed.

    Returns:
        A whole weight for each class, from 1 to ``most``.
    """
    names = class_names(begins)
    groups: list[list[str]] = []
    seen = kept = 0
    counts: list[tuple[int, int]] = []
    for name in names:  # classes with too few documents join
        if not groups or counts[-1][0] >= _FEWEST:
            groups.append([])
            counts.append((0, 0))
        groups[-1].append(name)
        own: Sequence[int] = sizes.get(name, (0, 0))
        counts[-1] = (counts[-1][0] + own[0], counts[-1][1] + own[1])
        seen, kept = seen + own[0], kept + own[1]
    if len(groups) > 1 and counts[-1][0] < _FEWEST:
        few, last = counts.pop(), groups.pop()
        groups[-1] += last
        counts[-1] = (counts[-1][0] + few[0], counts[-1][1] + few[1])
    if not seen:
        return dict.fromkeys(names, 1.0)
    rates = np.array([1 - after / max(before, 1) for before, after in counts])
    overall, least = 1 - kept / seen, rates.min()
    repetitions = np.ones(len(rates))
    below = rates < overall
    if below.any():
        repetitions[below] = 1 + (most - 1) * (rates[below] - overall) / (least - overall)
    half = _WINDOW // 2
    smooth = repetitions.copy()
    if len(rates) >= _WINDOW:
        smooth[half : len(rates) - half] = np.convolve(repetitions, np.ones(_WINDOW) / _WINDOW, "valid")
    return {name: float(value) for group, value in zip(groups, np.round(smooth)) for name in group}
