"""A page about a mixture that is planned and not yet applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.markup import Section, Tile
from pipeline.report.page import Page
from pipeline.report.sections.mixture import cards, plan_tiles, sentence
from pipeline.report.sections.shared import with_content

_FOOTER = "Nothing has been drawn yet. This file needs no network and sends nothing."


def page_of(name: str, mix: Mapping[str, Any]) -> Page:
    """The page of a corpus's plan, from the details that ``mixture_tables.planned_details`` gives."""
    rows = mix["axes"]["source"].values()
    documents, before = (sum(row[key] for row in rows) for key in ("documents", "amount_before"))
    unit = mix["unit"]
    tiles = [
        Tile("Available", formats.compact(before), f"{unit} in {formats.compact(documents)} documents"),
        *plan_tiles(mix),
    ]
    section = Section("mixture", "The plan", sentence(mix["message"]), [], with_content(cards(mix, {}, applied=False)))
    return Page(f"{name}: the mixture", "as planned", tiles, [section], _FOOTER)
