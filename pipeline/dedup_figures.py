"""What a report says of deduplication, out of what the parts and the components of a corpus add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dedup import rates
from dedup.tallies import Tally
from pipeline.addresses import urls_of
from pipeline.corpus import Corpus


def details(corpus: Corpus, tally: Tally, counts: dict[str, int], parts: Sequence[tuple[str, dict[str, int]]]) -> Any:
    """The details of the manifest.

    Args:
        corpus: whose dedup it is.
        tally: of all documents in pairs.
        counts: of all documents; parts: the counts of each part, by its name.
    """
    dedup = corpus.config.dedup
    names = corpus.dumps()
    dumps = np.array(sorted({names.index(dump_name(part)) for part, _ in parts}), np.int64)
    documents, outside = np.zeros(len(dumps), np.int64), np.zeros(len(dumps), np.int64)
    for part, own in parts:
        at = np.searchsorted(dumps, names.index(dump_name(part)))
        documents[at] += own["documents"]
        outside[at] += own["outside_alone"]

    def curve(order: np.ndarray, removed: np.ndarray, alone: np.ndarray) -> list[dict[str, Any]]:
        together = removed + np.cumsum(outside[order])
        points = rates.curve_points(dumps[order], documents[order], together, alone + outside[order])
        return [
            {
                "dump": names[point.dump],
                "dumps": number,
                "documents": point.documents,
                "removed": point.removed,
                "share": point.share,
                "alone_removed": point.removed_alone,
                "alone_share": point.share_alone,
            }
            for number, point in enumerate(points, 1)
        ]

    order = np.arange(len(dumps))
    sizes = dict(tally.sizes)
    if alone := counts["documents"] - tally.documents:
        sizes[1] = sizes.get(1, 0) + alone
    by_distance = tally.by_distance.copy()
    by_distance[0] += counts["outside_alone"]
    urls = urls_of(corpus, [key for _, _, keys in tally.largest for key in keys])
    found = {
        "chains": {
            "max_chain": dedup.max_chain,
            "documents_spared": tally.spared,
            "by_distance": [[far, n] for far, n in enumerate(by_distance.tolist(), 1) if n],
        },
        "curve": curve(order, tally.removed, tally.removed_alone),
        "overlap": {"dumps": [names[index] for index in dumps.tolist()], "matrix": tally.overlap.tolist()},
        "sizes": [list(each) for each in sorted(sizes.items())],
        "largest": [
            {
                "cluster": str(cluster),
                "size": size,
                "keys": [str(key) for key in keys],
                "urls": [urls[key] for key in keys],
            }
            for size, cluster, keys in tally.largest
        ],
        "removed": {
            "documents": counts["removed"],
            "bytes": counts["removed_bytes"],
            "words": counts["removed_words"],
            "outside": tally.outside + counts["outside_alone"],
        },
    }
    if dedup.both_orders:
        found["curve_reversed"] = curve(order[::-1], tally.reversed_removed, tally.reversed_alone)
    return found


def dump_name(part: str) -> str:
    """The dump in the name of a part."""
    return part.split("/")[0].removeprefix("dump=")
