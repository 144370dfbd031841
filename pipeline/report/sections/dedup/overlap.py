"""What dumps share."""

from __future__ import annotations

from pipeline.report.charts import dedup as charts
from pipeline.report.markup import Card, Column
from pipeline.report.sections.dedup.rates import each_dump
from pipeline.report.sections.shared import Report

_MOST_COLUMNS = 24  # dumps up to which the overlap stands in a table too


def cards(report: Report) -> list[Card]:
    """The dumps by one another."""
    cluster = report["cluster"]
    if not cluster:
        return []
    dumps, matrix = cluster["overlap"]["dumps"], cluster["overlap"]["matrix"]
    documents = {row["dump"]: row["documents"] for row in each_dump(cluster["curve"])}
    chart = charts.overlap(dumps, matrix, documents)
    small = chart is not None and len(dumps) <= _MOST_COLUMNS
    columns = [Column(str(place), name, "count") for place, name in enumerate(dumps)]
    rows = [{"dump": name, **{str(place): n for place, n in enumerate(row)}} for name, row in zip(dumps, matrix)]
    return [
        Card(
            "Overlap between dumps",
            "A cell is the share of its row's dump whose documents have a copy in its column's dump; a row of strong "
            "colour is a dump that brings little of its own."
            + (" The table counts them, on the diagonal those with another copy in the same dump." if small else ""),
            chart,
            [Column("dump", "dump"), *columns] if small else (),
            rows if small else (),
        )
    ]
