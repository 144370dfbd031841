"""What the filters removed: by which rule, of which sites and languages, and what it looks like."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.markup import Section, Tile
from pipeline.report.sections.filters import distributions, examples, funnel, overlap, shares
from pipeline.report.sections.shared import Report, absent, partial, with_content


def section(report: Report) -> Section:
    """Everything from the funnel to documents to read."""
    if not report["decide"] and not report["select"] and not report["annotate"]:
        return absent(report, "filters", "Filters", "decide")
    parts = (funnel, overlap, shares, distributions, examples)
    cards = with_content([card for part in parts for card in part.cards(report)])
    sample = sample_of(report)
    problems = [partial(report, "annotate", "decide", "select"), sample["missing"] if sample else ""]
    return Section("filters", "Filters", _intro(report), _tiles(report), cards, " ".join(filter(None, problems)))


def sample_of(report: Report) -> dict | None:
    """What was sampled of the decisions, if they are there."""
    return report["decide"].get("sample") if report["decide"] else None


def _intro(report: Report) -> str:
    sample = sample_of(report)
    if not sample or not sample["documents"]:
        return ""
    of = report["decide"]["counts"].get("documents", 0)
    every = (
        f"all {formats.count(of)}"
        if sample["documents"] == of
        else f"{formats.count(sample['documents'])} of {formats.count(of)}"
    )
    return f"Overlap, sites, statistics and documents to read are taken from {every} documents; all else is of all."


def _tiles(report: Report) -> list[Tile]:
    decide, select = report["decide"], report["select"]
    if not decide:
        return []
    counts = decide["counts"]
    tiles = [
        Tile("Kept", formats.compact(counts.get("kept")), f"{formats.size(counts.get('kept_bytes'))} of text"),
        Tile(
            "Removed",
            formats.compact(counts.get("removed")),
            f"{formats.size(counts.get('removed_bytes'))} of text",
        ),
    ]
    edited = select["counts"].get("edited_bytes") if select else None
    return [*tiles, Tile("Cut from kept text", formats.size(edited), "by rules that edit lines")] if edited else tiles
