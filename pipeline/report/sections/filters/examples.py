"""Documents to read: removed by a rule, and kept by a hair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts.drawing import BOUNDS
from pipeline.report.markup import Card, Excerpt, Passage
from pipeline.report.sections.shared import Report, url


def cards(report: Report) -> list[Card]:
    """One fold a rule that removes something."""
    sample = report["decide"].get("sample") if report["decide"] else None
    if not sample or not sample["documents"]:
        return []
    return [
        Card(
            "Documents to read",
            "For each rule some documents that it was the first to remove, drawn by chance, and those that stayed "
            "though they are nearest to its threshold. If the removed ones are good, loosen the rule; if the kept ones "
            "are bad, tighten it. Only their beginnings are shown.",
            excerpts=[
                Excerpt(
                    each["rule"],
                    " · ".join(filter(None, (_condition(each), each["reason"]))),
                    [
                        *(_passage("removed", each, document) for document in each["removed"]),
                        *(_passage("kept", each, document) for document in each["kept"]),
                    ],
                )
                for each in sample["examples"]
            ],
        )
    ]


def _condition(each: Mapping[str, Any]) -> str:
    """What a document must meet to stay."""
    if each["threshold"] is None:
        return ""
    return f"stays if {each['statistic']} {BOUNDS[each['bound']]} {each['threshold']:g}"


def _passage(fate: str, each: Mapping[str, Any], document: Mapping[str, Any]) -> Passage:
    value = document["value"]
    shown = formats.number(value) if isinstance(value, (int, float)) else value
    told = f"{each['statistic']} {shown} · " if value is not None else ""
    return Passage(fate, url(document["url"]), f"{told}document {document['key']}", document["text"])
