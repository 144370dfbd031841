"""Deduplication."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.charts import dedup as charts
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, partial, with_content


def section(report: Report) -> Section:
    """The curve, overlap, cluster sizes and candidate pairs."""
    match, cluster = report["match"], report["cluster"]
    if not match and not cluster:
        return absent(report, "deduplication", "Deduplication", "cluster")
    tiles, cards = [], []
    if cluster:
        counts = cluster["counts"]
        tiles += [
            Tile("Removed", formats.compact(counts.get("removed")), _text_removed(report)),
            Tile(
                "Kept", formats.compact(counts.get("kept")), f"of {formats.compact(counts.get('documents'))} documents"
            ),
        ]
        if cluster["sizes"]:
            several = sum(clusters for size, clusters in cluster["sizes"] if size > 1)
            tiles.append(Tile("Clusters", formats.compact(several), "of two or more documents"))
        cards += [
            Card(
                "Removed against number of dumps",
                "A point is the share of documents removed when that many dumps, in their order, are deduplicated "
                "together; the dotted line is what DeepSeek LLM measured on Common Crawl, and circles are each dump "
                "deduplicated by itself.",
                charts.dedup_curve(cluster["curve"], report["reference"]["curve"]),
                [
                    Column("dumps", "dumps", "count"),
                    Column("dump", "up to"),
                    Column("documents", "documents", "count"),
                    Column("removed", "removed", "count"),
                    Column("share", "share", "share"),
                    Column("alone_share", "alone", "share"),
                ],
                cluster["curve"],
            ),
            Card(
                "Overlap between dumps",
                "A cell is the number of documents of its row's dump that have a copy in its column's dump; a row of "
                "strong colour is a dump that brings little of its own.",
                charts.overlap(cluster["overlap"]["dumps"], cluster["overlap"]["matrix"]),
                wide=False,
            ),
            Card(
                "Cluster sizes",
                "Points that fall along a line are a natural web; a lone point far to the right is boilerplate or a "
                "chain that merged too much, so look at the largest clusters.",
                charts.cluster_sizes(cluster["sizes"]),
                wide=False,
            ),
            Card(
                "Largest clusters",
                "Some members of each; URLs that do not belong together are a sign of over-merging.",
                None,
                [Column("cluster", "cluster"), Column("size", "documents", "count"), Column("sample", "members")],
                [
                    {**large, "sample": "  ·  ".join(url or "(no URL)" for url in large["urls"][:4])}
                    for large in cluster["largest"]
                ],
            ),
            Card(
                "The published curve",
                f"Documents removed with n Common Crawl dumps together, from {report['reference']['source']}.",
                None,
                [Column("dumps", "dumps", "count"), Column("share", "removed", "share")],
                report["reference"]["curve"],
                wide=False,
            ),
        ]
    if match:
        counts = match["counts"]
        accepted, rejected = counts.get("pairs_accepted"), counts.get("pairs_rejected")
        if accepted is not None:
            tiles.append(
                Tile("Pairs verified", formats.compact(accepted), f"{formats.compact(rejected)} candidates rejected")
            )
        threshold = match["threshold"]
        cards += [
            Card(
                "Similarity of candidate pairs",
                "Sampled candidates by their estimated similarity; those left of the threshold were rejected.",
                charts.pair_similarity(match["samples"], threshold),
                wide=False,
            ),
            Card(
                "Candidate pairs to judge by eye",
                "Open both pages of a pair near the threshold: if they are the same text lower it, if not raise it.",
                None,
                [Column("jaccard", "similarity", "number"), Column("left_url", "one"), Column("right_url", "other")],
                sorted(match["samples"], key=lambda pair: abs((pair["jaccard"] or 0) - (threshold or 0))),
            ),
        ]
    return Section(
        "deduplication", "Deduplication", "", tiles, with_content(cards), partial(report, "match", "cluster")
    )


def _text_removed(report: Report) -> str:
    left = {step["step"]: step["text_bytes"] for step in report["steps"]}
    before, after = left.get("documents"), left.get("unique")
    return "documents" if before is None or after is None else f"documents, {formats.size(before - after)} of text"
