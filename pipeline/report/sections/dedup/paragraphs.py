"""Paragraphs that stand in several documents."""

from __future__ import annotations

from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """The most frequent ones."""
    found = report["paragraphs"]
    if not found:
        return []
    return [
        Card(
            "The most frequent paragraphs",
            "Paragraphs that stood word for word in several of the documents kept; their first copy stays, the others "
            "were removed.",
            None,
            [
                Column("copies", "copies", "count"),
                Column("text", "paragraph"),
                Column("key", "first in document", "code"),
            ],
            found["paragraphs"],
        )
    ]
