"""Tables of numbers for a terminal."""

from __future__ import annotations

from rich.table import Table


def numbers_table(first: str, *headings: str) -> Table:
    """A column of names, which fold where there is no room, and columns of numbers."""
    table = Table()
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
