"""The mixture: what there was, what was asked for, what was planned, and what was reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import mixture as charts
from pipeline.report.charts.amounts import shares_before_after
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, named, with_content

Mix = Mapping[str, Any]  # the details of the mixture's manifest, see ``mixture_tables.details``

_AXES = {"source": "source", "language": "language", "host": "list of hosts", "cluster_size": "size of the cluster"}


def section(report: Report) -> Section:
    """Shares before and after mixing, and how often each cell is repeated."""
    mix = report["mix"]
    if not mix:
        return absent(report, "mixture", "Mixture", "mix")
    counts = mix["counts"]
    tiles = [
        Tile("Documents", formats.compact(counts.get("documents")), "to draw from"),
        Tile("Copies", formats.compact(counts.get("copies")), "in the mixture"),
        Tile("Text", formats.size(counts.get("bytes")), "in the mixture"),
        *plan_tiles(mix),
    ]
    final = report["encode"]["domains"] if report["encode"] else {}
    return Section("mixture", "Mixture", sentence(mix["message"]), tiles, with_content(cards(mix, final)))


def plan_tiles(mix: Mix) -> list[Tile]:
    """What was asked for and planned, in the unit of the plan; none where nothing was."""
    if mix["planned"] is None:
        return []
    note = f"{mix['unit']} planned"
    if mix["asked"] and mix["planned"] < mix["asked"] * 0.999:
        note += f" of {formats.compact(mix['asked'])} asked for"
    return [Tile("Plan", formats.compact(mix["planned"]), note)]


def sentence(message: str) -> str:
    """A message of the plan as a sentence."""
    return f"The plan: {message}." if message else ""


def cards(mix: Mix, final: Mapping[str, Mapping[str, int]], applied: bool = True) -> list[Card]:
    """A card for each axis and one for the cells.

    Args:
        mix: the details of the mixture.
        final: tokens in the shards by axis and domain; empty before there are any.
        applied: whether documents have been drawn; before, ``after`` is what is planned.
    """
    found = [_axis_card(mix, axis, rows, final.get(axis, {}), applied) for axis, rows in mix["axes"].items()]
    cells = [
        {
            **cell,
            "name": " / ".join(cell["domains"].values()) or "all documents",
            "at_cap": "yes" if cell["binds"] else "",
        }
        for cell in sorted(mix["cells"], key=lambda cell: (-cell["amount_after"], -cell["amount_before"]))
    ]
    unit = mix["unit"]
    kind = "size" if unit == "bytes" else "count"
    columns = [
        Column("name", " / ".join(map(axis_name, cells[0]["domains"])) or "documents" if cells else ""),
        Column("documents", "documents", "count"),
        Column("amount_before", f"{unit} before", kind),
        Column("planned_epochs", "epochs planned", "number"),
        *([Column("epochs", "epochs reached", "number")] if applied else []),
        Column("amount_after", f"{unit} after", kind),
        Column("cap", "cap", "number"),
        *([Column("at_cap", "at the cap, and short")] if any(cell["binds"] for cell in cells) else []),
    ]
    reading = "How often each document is repeated on average: below one a part is left out, above one it is repeated."
    return [*found, Card("Epochs", reading, charts.epochs(cells), columns, cells)]


def axis_name(axis: str) -> str:
    """What an axis is called."""
    return _AXES.get(axis) or f"label of {axis.removeprefix('label_')}"


def _axis_card(
    mix: Mix, axis: str, rows: Mapping[str, Mapping[str, Any]], final: Mapping[str, int], applied: bool
) -> Card:
    unit, written = mix["unit"], sum(final.values())
    told = {name: {**row, "final": final.get(name, 0) / written if written else None} for name, row in rows.items()}
    columns = [
        Column("name", axis_name(axis)),
        Column("documents", "documents", "count"),
        Column("amount_before", f"{unit} before", "size" if unit == "bytes" else "count"),
        Column("before", "share before", "share"),
        Column("target", "target", "share"),
        Column("planned", "planned", "share"),
        *([Column("after", "reached", "share"), Column("final", "tokens in the shards", "share")] if applied else []),
        Column("epochs", "epochs", "number"),
    ]
    reading = f"The share of all {unit} before and after mixing."
    steered = any(row["target"] for row in rows.values())
    if steered:
        reading += " The tick is the target; a bar that ends short of it ran into the cap on epochs."
    drawn = shares_before_after(rows, "after mixing" if applied else "planned")
    ordered = sorted(named(told), key=lambda row: (-row["after"], -row["before"]))
    # In half the width the columns that matter, planned and reached, would have to be scrolled to.
    return Card(f"Share by {axis_name(axis)}", reading, drawn, columns, ordered, wide=steered)
