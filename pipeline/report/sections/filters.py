"""What the filters removed, and languages before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import filters as charts
from pipeline.report.charts.amounts import shares_before_after
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, partial, with_content


def section(report: Report) -> Section:
    """The funnel by rule, and languages before and after."""
    annotate, decide, select = report["annotate"], report["decide"], report["select"]
    if not decide and not select and not annotate:
        return absent(report, "filters", "Filters", "decide")
    tiles, cards = [], []
    if decide:
        counts = decide["counts"]
        left, rows = counts.get("documents", 0), []
        for rule in decide["funnel"]:
            left -= rule["documents"]
            rows.append({**rule, "left": left})
        tiles += [
            Tile("Kept", formats.compact(counts.get("kept")), f"{formats.size(counts.get('kept_bytes'))} of text"),
            Tile(
                "Removed",
                formats.compact(counts.get("removed")),
                f"{formats.size(counts.get('removed_bytes'))} of text",
            ),
        ]
        edited = select["counts"].get("edited_bytes") if select else None
        if edited:
            tiles.append(Tile("Cut from kept text", formats.size(edited), "by rules that edit lines"))
        cards.append(
            Card(
                "Funnel by rule",
                "Rules stand in the order in which they are applied; the strong bar is what a rule was first to "
                "remove, the pale one all that fail it, so a pale bar alone is a rule that others make unnecessary.",
                charts.filter_funnel(decide["funnel"]),
                [
                    Column("rule", "rule"),
                    Column("documents", "removed first", "count"),
                    Column("failing", "failing at all", "count"),
                    Column("bytes", "text removed", "size"),
                    Column("left", "documents left", "count"),
                ],
                rows,
            )
        )
    before = annotate["languages"] if annotate else {}
    after = select["languages"] if select else {}
    rows = _languages(before, after)
    shares = {row["language"]: {"before": row["share_before"], "after": row["share_after"]} for row in rows}
    cards.append(
        Card(
            "Languages",
            "The share of the text in each language before and after the filters; a bar that shrinks is a language "
            "that the rules treat worse than the others.",
            shares_before_after(shares, "after filters") if select else shares_before_after(shares),
            [
                Column("language", "language"),
                Column("documents_before", "documents", "count"),
                Column("before", "text", "size"),
                Column("documents_after", "kept", "count"),
                Column("after", "text kept", "size"),
            ],
            rows,
            beside=True,
        )
    )
    return Section(
        "filters", "Filters", "", tiles, with_content(cards), partial(report, "annotate", "decide", "select")
    )


def _languages(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a language, the largest before filtering first, with its shares of all text."""
    total_before = sum(row["text_bytes"] for row in before.values())
    total_after = sum(row["text_bytes"] for row in after.values())
    rows = []
    for language in {**before, **after}:
        old, new = before.get(language), after.get(language)
        rows.append(
            {
                "language": language,
                "documents_before": old and old["documents"],
                "before": old and old["text_bytes"],
                "share_before": old["text_bytes"] / total_before if old and total_before else None,
                "documents_after": new["documents"] if new else 0 if after else None,
                "after": new["text_bytes"] if new else 0 if after else None,
                "share_after": new["text_bytes"] / total_after if new and total_after else None,
            }
        )
    return sorted(rows, key=lambda row: (-(row["before"] or 0), row["language"]))
