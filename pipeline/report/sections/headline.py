"""The figures at the top of the report."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.markup import Tile
from pipeline.report.sections.shared import Report


def headline(report: Report) -> list[Tile]:
    """The figures at the top; those of stages that have not run are left out."""
    summary, tiles = report["summary"], []
    documents, kept, tokens = summary["documents"], summary["kept"], summary["tokens"]
    if documents is not None:
        value = formats.compact(documents) + (f" → {formats.compact(kept)}" if kept is not None else "")
        note = f"{formats.share(kept / documents)} kept" if kept is not None and documents else "read from the crawl"
        tiles.append(Tile("Documents", value, note))
    if summary["text_bytes"] is not None:
        value = formats.size(summary["text_bytes"]) + (f" → {formats.compact(tokens)}" if tokens is not None else "")
        note = "of text"
        if summary["bytes_per_token"]:
            note = f"tokens, {formats.number(summary['bytes_per_token'])} bytes each"
        tiles.append(Tile("Text to tokens" if tokens is not None else "Text", value, note))
    if summary["removed_by_deduplication"] is not None:
        counts = report["cluster"]["counts"]
        note = f"{formats.count(counts['removed'])} of {formats.count(counts['documents'])} documents"
        tiles.append(Tile("Removed by deduplication", formats.share(summary["removed_by_deduplication"]), note))
    if summary["removed_by_filters"] is not None:
        documents = report["decide"]["counts"]["documents"]
        removed = round(summary["removed_by_filters"] * documents)
        note = f"{formats.count(removed)} of {formats.count(documents)} documents"
        tiles.append(Tile("Removed by filters", formats.share(summary["removed_by_filters"]), note))
    if summary["seconds"] is not None:
        workers = summary["workers"]
        note = f"{workers} worker{'' if workers == 1 else 's'}, all stages" if workers else "all stages"
        tiles.append(Tile("Run time", formats.duration(summary["seconds"]), note))
    if summary["bytes_per_second"] is not None:
        apart = ", tokenizer training apart" if report["tokenizer"] else ""
        tiles.append(Tile("Speed", formats.rate(summary["bytes_per_second"]), f"of text read{apart}"))
    return tiles
