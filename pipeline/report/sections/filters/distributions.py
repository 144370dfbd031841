"""The statistics of the documents, and where the thresholds lie among them."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.charts import filters as charts
from pipeline.report.charts.drawing import BOUNDS
from pipeline.report.markup import Card
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """One chart a statistic."""
    sample = report["decide"].get("sample") if report["decide"] else None
    if not sample or not sample["documents"]:
        return []
    return [
        Card(
            each["statistic"].replace("_", " "),
            f"{each['help'][:1].upper()}{each['help'][1:]}. ".lstrip(". ")
            + "Stays: "
            + "; ".join(
                f"{BOUNDS[one['bound']]} {formats.number(one['value'])} ({one['rule']})" for one in each["thresholds"]
            ),
            charts.distribution(each),
            wide=False,
        )
        for each in sample["distributions"]
    ]
