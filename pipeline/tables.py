"""Tables for people: drawn on a terminal, plain aligned columns in a file or a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Cell = str | Text


def show_table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    totals: Sequence[Sequence[Cell]] = (),
    console: Console | None = None,
    left: int = 1,
    prose: bool = False,
) -> None:
    """Prints a table.

    Args:
        title: what it shows.
        headings: one a column.
        rows: cells by row; text as it is, never as markup.
        totals: rows below a line.
        console: where to; standard output when None.
        left: how many columns, from the first on, stand to the left; the others are numbers and stand to the right.
        prose: whether the last stands to the left, too.
    """
    console = console or Console(highlight=False)
    to_left = [place < left or (prose and place == len(headings) - 1) for place in range(len(headings))]
    if not console.is_terminal:
        _plain(title, headings, [*rows, *totals], console, to_left)
        return
    table = Table(title=escape(title), title_justify="left")
    for heading, at_left in zip(headings, to_left, strict=True):
        table.add_column(heading, justify="left" if at_left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    if totals:
        table.add_section()
    for row in totals:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row), style="bold")
    console.print(table)


def _plain(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]], console: Console, to_left: Sequence[bool]
) -> None:
    lines = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(headings))]
    console.print(title, markup=False, soft_wrap=True)
    for line in lines:
        cells = [
            cell.ljust(width) if at_left else cell.rjust(width)
            for cell, width, at_left in zip(line, widths, to_left, strict=True)
        ]
        console.print("  ".join(cells).rstrip(), markup=False, soft_wrap=True)
