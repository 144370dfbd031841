"""How much is removed: dumps together, beside the published figures, and dump by dump."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import dedup as charts
from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """The curve and what each dump brings."""
    cluster = report["cluster"]
    if not cluster:
        return []
    points, from_the_last = cluster["curve"], cluster["curve_reversed"]
    together = not (report["match"] and report["match"]["scope"] == "per-dump")
    published = f"what {report['reference']['source']}, gives for Common Crawl"
    if together:
        reading = (
            "A point is the share of documents removed when that many dumps are deduplicated together, each exactly as "
            f"a run over only those dumps; the dotted line is {published}."
        )
    else:
        reading = (
            "A point is the share of the documents of that many dumps that was removed, copies looked for inside each "
            f"dump only (scope: per-dump); the dotted line is {published}, of dumps deduplicated together, which "
            "scope: global can be compared with."
        )
    if outside := cluster["removed"]["outside"]:
        reading += f" {formats.count(outside)} of the documents removed have a copy in another corpus."
    if from_the_last:
        reading += " Dumps are taken from the first on, and from the last back."
    return [
        Card(
            "Removed against number of dumps",
            reading,
            charts.curve(points, from_the_last, report["reference"]["curve"], together),
            [
                Column("dumps", "dumps", "count"),
                Column("dump", "up to"),
                Column("documents", "documents", "count"),
                Column("removed", "removed", "count"),
                Column("share", "share", "share"),
                Column("reversed_dump", "back to"),
                Column("reversed_removed", "removed backwards", "count"),
                Column("reversed_share", "share backwards", "share"),
                Column("published", "DeepSeek LLM", "share"),
            ],
            _beside_reference(points, from_the_last, report["reference"]["curve"]) if points else [],
        ),
        Card(
            "What each dump brings",
            "The pale bar is the share of a dump's documents removed when it is deduplicated by itself, the strong one "
            "when the dumps before it are there too: a strong bar near 100 % is a dump that is hardly worth its "
            "processing."
            if together
            else "The share of a dump's documents removed when it is deduplicated by itself, as all were here; scope: "
            "global tells what of it the dumps before it hold already.",
            charts.by_dump(each_dump(points)),
            [
                Column("dump", "dump"),
                Column("documents", "documents", "count"),
                Column("alone_removed", "removed by itself", "count"),
                Column("alone_share", "share", "share"),
                Column("known", "removed after those before", "count"),
                Column("known_share", "share", "share"),
                Column("new", "new documents", "count"),
            ],
            each_dump(points),
        ),
    ]


def each_dump(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The curve dump by dump: ``documents`` of it, ``known`` of them removed once the dumps before it are there, and
    ``new`` ones that stay on top of theirs.
    """
    rows = []
    for before, point in zip([{"documents": 0, "removed": 0}, *points], points):
        documents, known = point["documents"] - before["documents"], point["removed"] - before["removed"]
        rows.append(
            {
                "dump": point["dump"],
                "documents": documents,
                "alone_removed": point["alone_removed"],
                "alone_share": point["alone_share"],
                "known": known,
                "known_share": known / documents if documents else None,
                "new": documents - known,
            }
        )
    return rows


def _beside_reference(
    points: Sequence[Mapping[str, Any]],
    from_the_last: Sequence[Mapping[str, Any]],
    reference: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """One row a number of dumps that this corpus or the published table has."""
    forward = {point["dumps"]: point for point in points}
    backward = {point["dumps"]: point for point in from_the_last}
    published = {point["dumps"]: point["share"] for point in reference}
    return [
        {
            "dumps": dumps,
            **{field: forward.get(dumps, {}).get(field) for field in ("dump", "documents", "removed", "share")},
            **{f"reversed_{field}": backward.get(dumps, {}).get(field) for field in ("dump", "removed", "share")},
            "published": published.get(dumps),
        }
        for dumps in sorted({*forward, *backward, *published})
    ]
