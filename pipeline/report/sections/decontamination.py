"""Text that the corpus shares with evaluation sets."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.differences import difference
from pipeline.report.markup import Card, Column, Comparison, Section, Tile
from pipeline.report.sections.shared import Report, named, with_content


def section(report: Report) -> Section:
    """What was found of each set, and its texts beside the documents that have most of them."""
    overlap, select = report["overlap"], report["select"]
    rules = {rule["rule"]: rule for rule in report["decide"]["funnel"]} if report["decide"] else {}
    rows = [
        {
            **row,
            "share_found": row["items_found"] / row["items"] if row["items"] else None,
            "removed": rules.get(f"decontamination/{row['name']}", {}).get("failing"),
        }
        for row in named(overlap["sets"])
    ]
    tiles = [
        Tile(
            "Evaluation sets", formats.compact(len(rows)), f"{formats.compact(sum(row['items'] for row in rows))} items"
        ),
        Tile("Items found", formats.compact(sum(row["items_found"] for row in rows)), "in one document or more"),
    ]
    if select and select["counts"].get("masked_documents"):
        counts = select["counts"]
        note = f"{formats.size(counts.get('masked_bytes'))} cut out"
        tiles.append(Tile("Documents masked", formats.compact(counts["masked_documents"]), note))
    cards = [
        Card(
            "What was found of each set",
            "Scores on a set of which a large share was found say little. Every item that was found is listed with its "
            "file and line in contamination/items.parquet, so that a set can be scored without them.",
            None,
            [
                Column("name", "set"),
                Column("items", "items", "count"),
                Column("items_found", "items found", "count"),
                Column("share_found", "share found", "share"),
                Column("documents", "documents with shared text", "count"),
                Column("runs", "shared runs", "count"),
                Column("removed", "documents its rule fails", "count"),
                Column("texts", "texts", "count"),
                Column("texts_too_short", "too short to look for", "count"),
            ],
            rows,
        ),
        Card(
            "Texts of the sets beside documents",
            "The texts that documents have most of. Where common phrases were found and no question, raise `runs` or "
            "`share` of the set.",
            None,
            [
                Column("set", "set"),
                Column("line", "line", "count"),
                Column("share", "share of its runs", "share"),
                Column("key", "document", "code"),
            ],
            overlap["samples"],
            comparisons=[
                Comparison(
                    f"{sample['set']}, line {formats.count(sample['line'])}",
                    f"{formats.share(sample['share'])} of its runs",
                    f"{sample['file']}, line {sample['line']}",
                    f"document {sample['key']}",
                    difference(sample["text"], sample["document"]),
                )
                for sample in overlap["samples"]
            ],
        ),
    ]
    return Section("decontamination", "Decontamination", "", tiles, with_content(cards))
