"""What sections share: why a stage has nothing to show, and rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.markup import Card, Section
from pipeline.report.schema import NOT_RUN, UNFINISHED

Report = Mapping[str, Any]


def absent(report: Report, anchor: str, title: str, stage: str) -> Section:
    """A section that says why its stage has nothing to show."""
    return Section(anchor, title, problem=problem_of(report, stage))


def partial(report: Report, *stages: str) -> str:
    """What is missing of a section that several stages fill; empty when nothing is."""
    return " ".join(problem_of(report, stage) for stage in stages if not report[stage])


def problem_of(report: Report, stage: str) -> str:
    """Why a stage has nothing to show, as a sentence."""
    found = next(row for row in report["stages"] if row["stage"] == stage)
    if found["problem"] == NOT_RUN:
        return f"The stage {stage} has not run yet: there is no {found['folder']}/manifest.json in this folder."
    if found["problem"] == UNFINISHED:
        return f"The stage {stage} has not finished: run the corpus again, and it goes on where it stopped."
    return f"{found['problem'][:1].upper()}{found['problem'][1:]}."


def with_content(cards: Sequence[Card]) -> list[Card]:
    """The cards that hold anything."""
    return [card for card in cards if card.figure or card.rows or card.comparisons or card.excerpts]


def named(rows: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table out of objects by name."""
    return [{"name": name, **row} for name, row in rows.items()]


def counted(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Rows of a table out of counts by name, the largest first."""
    return [{"name": name, "count": value} for name, value in sorted(counts.items(), key=lambda row: (-row[1], row[0]))]


def url(address: str | None) -> str:
    """An address, or that there is none."""
    return address or "(no URL)"
