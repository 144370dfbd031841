"""Personal data that was replaced by placeholders."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, named, with_content

TITLES = {
    "email": "e-mail addresses",
    "ip": "IP addresses",
    "phone": "phone numbers",
    "card": "card numbers",
    "iban": "bank accounts (IBAN)",
    "national_id": "national ids",
}


def section(report: Report) -> Section:
    """How much of each kind was replaced."""
    select = report["select"]
    kept = select["counts"].get("kept")
    rows = [
        {**row, "kind": TITLES.get(row["name"], row["name"]), "share": row["documents"] / kept if kept else None}
        for row in named(select["personal_data"])
    ]
    tiles = [
        Tile(
            "Personal data replaced",
            formats.compact(sum(row["found"] for row in rows)),
            f"{formats.size(sum(row['bytes'] for row in rows))} of text",
        )
    ]
    cards = [
        Card(
            "Replaced, by kind",
            "Numbers that stand alone, pass their check and are no part of something longer. A kind that is far more "
            "frequent than in other corpora is worth a look at what was taken for it.",
            None,
            [
                Column("kind", "kind"),
                Column("found", "replaced", "count"),
                Column("documents", "documents", "count"),
                Column("share", "share of documents", "share"),
                Column("bytes", "text replaced", "size"),
            ],
            rows,
        )
    ]
    return Section("personal-data", "Personal data", "", tiles, with_content(cards))
