"""Which rules fail the same documents."""

from __future__ import annotations

from pipeline.report.charts import filters as charts
from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """Rules by one another, those that some document fails."""
    sample = report["decide"].get("sample") if report["decide"] else None
    if not sample or not sample["documents"]:
        return []
    overlap = sample["overlap"]
    found = zip(overlap["rules"], overlap["alone"], (row[place] for place, row in enumerate(overlap["matrix"])))
    rows = [
        {"number": number, "rule": rule, "failing": failing, "alone": alone}
        for number, (rule, alone, failing) in enumerate(((r, a, f) for r, a, f in found if f), 1)
    ]
    return [
        Card(
            "Overlap between rules",
            "A cell is the share of the documents that fail its row's rule which fail its column's, too: a row of "
            "strong colour is a rule that others make unnecessary, a pale one finds what no other does. Columns bear "
            "the numbers of the rows.",
            charts.rule_overlap(overlap["rules"], overlap["matrix"]),
            [
                Column("number", "", "count"),
                Column("rule", "rule"),
                Column("failing", "fail it", "count"),
                Column("alone", "fail it alone", "count"),
            ],
            rows,
        )
    ]
