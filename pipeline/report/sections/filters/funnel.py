"""What each rule removed."""

from __future__ import annotations

from pipeline.jobs.select import EMPTIED
from pipeline.report.charts import filters as charts
from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """The funnel by rule, in the order in which rules are asked; what line rules leave empty comes last."""
    decide, select = report["decide"], report["select"]
    if not decide:
        return []
    funnel = [dict(rule) for rule in decide["funnel"]]
    emptied = select["counts"].get("removed") if select else None
    if emptied:
        gone = select["counts"].get("removed_bytes")
        funnel.append({"rule": EMPTIED, "documents": emptied, "failing": None, "bytes": gone, "tokens_estimated": None})
    left, rows = decide["counts"].get("documents", 0), []
    for rule in funnel:
        left -= rule["documents"]
        rows.append({**rule, "left": left})
    return [
        Card(
            "Funnel by rule",
            "Rules stand in the order in which they are applied; the strong bar is what a rule was first to "
            "remove, the pale one all that fail it, so a pale bar alone is a rule that others make unnecessary. Tokens "
            "are what the text removed would be at the bytes a token of the text kept.",
            charts.filter_funnel([rule for rule in funnel if rule["documents"] or rule["failing"]]),
            [
                Column("rule", "rule"),
                Column("documents", "removed first", "count"),
                Column("failing", "failing at all", "count"),
                Column("bytes", "text removed", "size"),
                Column("tokens_estimated", "tokens, estimated", "count"),
                Column("left", "documents left", "count"),
            ],
            rows,
        )
    ]
