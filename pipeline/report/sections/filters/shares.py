"""Languages, sources and sites before and after the filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report.charts.amounts import shares_before_after
from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report

_COLUMNS = (
    Column("documents_before", "documents", "count"),
    Column("before", "text", "size"),
    Column("documents_after", "kept", "count"),
    Column("after", "text kept", "size"),
)


def cards(report: Report) -> list[Card]:
    """A card each; sources where there are several."""
    annotate, decide, select = report["annotate"], report["decide"], report["select"]
    before = annotate["languages"] if annotate else {}
    after = (decide or select or {}).get("languages", {})
    found = [
        _card(
            "Languages",
            "language",
            "The share of the text in each language before and after the filters; a bar that shrinks is a language "
            "that the rules treat worse than the others.",
            _rows("language", before, after),
        )
    ]
    sources = decide["sources"] if decide else {}
    if len(sources) > 1:
        reading = "The share of each source before and after."
        found.append(_card("Sources", "source", reading, _rows("source", sources, _kept(sources))))
    sample = decide.get("sample") if decide else None
    if sample and sample["documents"]:
        hosts = sample["hosts"]
        reading = "The largest sites, and their share of the text of these before and after."
        found.append(_card("Sites", "host", reading, _rows("host", hosts, _kept(hosts))))
    return found


def _card(title: str, name: str, reading: str, rows: list[dict[str, Any]]) -> Card:
    shares = {row[name]: {"before": row["share_before"], "after": row["share_after"]} for row in rows}
    filtered = any(row["after"] is not None for row in rows)
    drawn = shares_before_after(shares, "after filters") if filtered else shares_before_after(shares)
    return Card(title, reading, drawn, [Column(name, name), *_COLUMNS], rows, beside=True)


def _kept(rows: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {name: {"documents": row["kept"], "text_bytes": row["kept_bytes"]} for name, row in rows.items()}


def _rows(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row each, the largest before filtering first, with its shares of all text."""
    total_before = sum(row["text_bytes"] for row in before.values())
    total_after = sum(row["text_bytes"] for row in after.values())
    rows = []
    for each in {**before, **after}:
        old, new = before.get(each), after.get(each)
        kept = new["text_bytes"] if new else 0 if after else None
        rows.append(
            {
                name: each,
                "documents_before": old and old["documents"],
                "before": old and old["text_bytes"],
                "share_before": old["text_bytes"] / total_before if old and total_before else None,
                "documents_after": new["documents"] if new else 0 if after else None,
                "after": kept,
                "share_after": kept / total_after if kept is not None and total_after else None,
            }
        )
    return sorted(rows, key=lambda row: (-(row["before"] or 0), row[name]))
