"""The figures at the top."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.markup import Tile
from pipeline.report.sections.shared import Report


def tiles(report: Report) -> list[Tile]:
    """The figures at the top."""
    match, cluster = report["match"], report["cluster"]
    found = []
    if cluster:
        counts, removed = cluster["counts"], cluster["removed"]
        documents, kept = counts.get("documents"), counts.get("kept")
        share = removed["documents"] / documents if documents and removed["documents"] is not None else None
        found += [
            Tile(
                "Documents",
                f"{formats.compact(documents)} → {formats.compact(kept)}",
                f"{formats.count(removed['documents'])} removed, {formats.share(share)}",
            ),
            Tile("Text removed", formats.size(removed["bytes"]), _of_the_text(report)),
            Tile("Words removed", formats.compact(removed["words"]), "in the removed documents"),
        ]
        if removed["tokens_estimated"] is not None:
            found.append(
                Tile(
                    "Tokens removed",
                    f"≈ {formats.compact(removed['tokens_estimated'])}",
                    "estimated by the shards' bytes a token",
                )
            )
        several = sum(clusters for size, clusters in cluster["sizes"] if size > 1)
        found.append(Tile("Clusters", formats.compact(several), "of two or more documents"))
        if removed["outside"]:
            found.append(Tile("Known elsewhere", formats.compact(removed["outside"]), "removed for copies outside"))
    if match and match["counts"].get("pairs_accepted") is not None:
        counts = match["counts"]
        rejected = f"{formats.compact(counts.get('pairs_rejected'))} candidates rejected"
        found.append(Tile("Pairs joined", formats.compact(counts["pairs_accepted"]), rejected))
    if report["paragraphs"]:
        counts = report["paragraphs"]["counts"]
        found.append(
            Tile(
                "Paragraphs removed",
                formats.compact(counts.get("removed")),
                f"{formats.size(counts.get('removed_bytes'))} of kept texts",
            )
        )
    return [tile for tile in found if tile.value != formats.ABSENT]


def _of_the_text(report: Report) -> str:
    left = {step["step"]: step["text_bytes"] for step in report["steps"]}
    removed = report["cluster"]["removed"]["bytes"]
    documents = left.get("documents")
    return f"{formats.share(removed / documents)} of all text" if documents and removed is not None else "in UTF-8"
