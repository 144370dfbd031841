"""The mixture."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.charts import mixture as charts
from pipeline.report.charts.amounts import shares_before_after
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, named, with_content


def section(report: Report) -> Section:
    """Shares before and after mixing, and how often each cell is repeated."""
    mix = report["mix"]
    if not mix:
        return absent(report, "mixture", "Mixture", "mix")
    counts = mix["counts"]
    tiles = [
        Tile("Documents", formats.compact(counts.get("documents")), "to draw from"),
        Tile("Copies", formats.compact(counts.get("copies")), "in the mixture"),
        Tile("Text", formats.size(counts.get("bytes")), "in the mixture"),
    ]
    columns = [
        Column("before", "before", "share"),
        Column("target", "target", "share"),
        Column("after", "after", "share"),
    ]
    reading = (
        "The share of all text before and after mixing; the tick is the target, and a bar that ends short of it ran "
        "into the cap on epochs."
    )
    cards = [
        Card(
            f"Share by {kind}",
            reading,
            shares_before_after(mix[field]),
            [Column("name", kind), *columns],
            named(mix[field]),
            wide=False,
        )
        for kind, field in (("source", "sources"), ("language", "languages"))
    ]
    cells = sorted(mix["cells"], key=lambda cell: -cell["bytes_after"])
    cards.append(
        Card(
            "Epochs by source and language",
            "How often each document is repeated on average: below one a part is left out, above one it is repeated.",
            charts.epochs(cells),
            [
                Column("source", "source"),
                Column("language", "language"),
                Column("documents", "documents", "count"),
                Column("bytes_before", "text before", "size"),
                Column("epochs", "epochs", "number"),
                Column("bytes_after", "text after", "size"),
            ],
            cells,
        )
    )
    return Section("mixture", "Mixture", "", tiles, with_content(cards))
