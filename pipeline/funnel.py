"""The funnel of the rules on a terminal, beside the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from pipeline.tables import Cell, show_table
from pipeline.units import size

_Manifest = Mapping[str, Any]


def show_funnel(now: _Manifest, before: _Manifest | None = None, console: Console | None = None) -> None:
    """Prints what each rule removes, in the order in which rules are asked.

    Args:
        now: the manifest of the job ``decide``.
        before: the same of the run before, for a second column; None where there was none.
        console: where to print; a table with lines on a terminal, else plain columns.
    """
    before = before if before and before.get("complete") else None
    rules = {row["rule"]: row for row in now["details"]["funnel"]}
    earlier = {row["rule"]: row for row in before["details"]["funnel"]} if before else {}
    gone = [rule for rule in earlier if rule not in rules]  # rules that are no longer in force, last
    headings = ["rule", "removed first", "text", "failing at all"] + (["removed before", "change"] if before else [])
    rows: list[list[Cell]] = []
    for rule in [*rules, *gone]:
        row, old = rules.get(rule), earlier.get(rule)
        cells: list[Cell] = [
            rule if row else f"{rule} (switched off)",
            f"{row['documents']:,}" if row else "",
            size(row["bytes"]) if row else "",
            f"{row['failing']:,}" if row else "",
        ]
        if before:
            cells += [f"{old['documents']:,}" if old else "", _change(row, old)]
        rows.append(cells)
    counts, old_counts = now["counts"], before["counts"] if before else {}
    totals: list[list[Cell]] = []
    for name, what in (("removed", "removed"), ("kept", "kept")):
        total: list[Cell] = [what, f"{counts[name]:,}", size(counts[f"{name}_bytes"]), ""]
        if before:
            total += [f"{old_counts[name]:,}", _signed(counts[name] - old_counts[name])]
        totals.append(total)
    show_table(f"{counts['documents']:,} documents, rule by rule", headings, rows, totals, console)


def _change(row: Mapping[str, int] | None, old: Mapping[str, int] | None) -> str:
    if row is None or old is None:
        return "" if old else "new"
    return _signed(row["documents"] - old["documents"])


def _signed(number: int) -> str:
    return f"{number:+,}" if number else ""
