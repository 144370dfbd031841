"""Documents left after each step."""

from __future__ import annotations

from pipeline.report.charts import overview as charts
from pipeline.report.markup import Card, Column, Section
from pipeline.report.sections.shared import Report


def section(report: Report) -> Section:
    """Documents left after each step."""
    columns = [Column("title", "step"), Column("documents", "documents", "count"), Column("text_bytes", "text", "size")]
    card = Card(
        "From crawl to shards",
        "Each bar is what one step left for the next; the mixture can hold more documents than the filters kept, "
        "because it repeats those of a source that it raises.",
        charts.steps(report["steps"]),
        columns,
        report["steps"],
        beside=True,
    )
    missing = [stage["stage"] for stage in report["stages"] if stage["problem"]]
    problem = ""
    if missing:
        problem = (
            "No stage has run in this folder yet."
            if len(missing) == len(report["stages"])
            else (
                f"Not in this report: {', '.join(missing)}. {'Its' if len(missing) == 1 else 'Their'} part "
                f"below says why."
            )
        )
    return Section("overview", "Overview", cards=[card] if report["steps"] else [], problem=problem)
