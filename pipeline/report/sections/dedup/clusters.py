"""Which clusters there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dedup.limits import FARTHEST
from pipeline.report import formats
from pipeline.report.charts import dedup as charts
from pipeline.report.markup import Card, Column, Comparison
from pipeline.report.sections.shared import Report, url

_URLS = 4  # addresses of a cluster in its table


def cards(report: Report) -> list[Card]:
    """Sizes, and the largest ones with texts."""
    cluster = report["cluster"]
    if not cluster:
        return []
    sizes = [{"size": size, "clusters": clusters, "documents": size * clusters} for size, clusters in cluster["sizes"]]
    chains = cluster["chains"]
    removed = sum(documents for _, documents in chains["by_distance"])
    return [
        Card(
            "How far removed documents are from what stays",
            "Pairs on the shortest way from a removed document to the copy that stays for it. Beyond one the two were "
            "never compared and may be less alike than the threshold; with max_chain: 1 such documents stay.",
            None,
            [
                Column("pairs", "pairs"),
                Column("documents", "documents removed", "count"),
                Column("share", "share", "share"),
            ],
            [
                {"pairs": f"{far}{' or more' * (far == FARTHEST)}", "documents": n, "share": n / removed}
                for far, n in chains["by_distance"]
            ],
        ),
        Card(
            "Cluster sizes",
            "Points that fall along a line are a natural web; a lone point far to the right is boilerplate or a chain "
            "that merged too much, so look at the largest clusters.",
            charts.cluster_sizes(cluster["sizes"]),
            [
                Column("size", "documents in it", "count"),
                Column("clusters", "clusters", "count"),
                Column("documents", "documents", "count"),
            ],
            sizes,
            beside=True,
        ),
        Card(
            "Largest clusters",
            "Some members of each, and the first of them beside the one that is least like it: addresses or texts that "
            "do not belong together are a sign of over-merging.",
            None,
            [Column("cluster", "cluster"), Column("size", "documents", "count"), Column("sample", "members")],
            [
                {**large, "sample": "  ·  ".join(map(url, large["urls"][:_URLS])) or None}
                for large in cluster["largest"]
            ],
            comparisons=[
                Comparison(
                    f"{formats.count(large['size'])} documents",
                    f"the two shown have {formats.share(large['difference']['alike'])} of their words in common",
                    *_names(large),
                    large["difference"],
                )
                for large in cluster["largest"]
                if large.get("difference")
            ],
        ),
    ]


def _names(large: Mapping[str, Any]) -> tuple[str, str]:
    urls = dict(zip(large["keys"], large["urls"]))
    left, right = (url(urls.get(key)) for key in large["compared"])
    return left, right
