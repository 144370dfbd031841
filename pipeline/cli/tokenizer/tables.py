"""What tokenizers do to text, as tables that fit a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline.cli.terminal_tables import numbers_table
from pipeline.report.visible import visible
from pipeline.units import size

Look = Mapping[str, Any]  # what tokenizer.inspection.look gives
_MOST_GROUPS = 15
_ROOM_FOR_NAMES = 30  # columns of 80 that are left for the names of tokenizers, at the head of columns


def show_look(console: Console, name: str, look: Look) -> None:
    """Everything there is to see of one tokenizer."""
    console.print(_facts(name, look), markup=False, soft_wrap=True)
    for by, rows in look["by"].items():
        table = numbers_table(by, "documents", "text", "tokens", "bytes a\ntoken", "tokens\na word")
        for row in [look["all"], *rows[:_MOST_GROUPS]]:
            rates = f"{row['bytes_per_token']:.2f}", f"{row['fertility']:.2f}"
            table.add_row(
                visible(row["group"]), f"{row['documents']:,}", size(row["bytes"]), f"{row['tokens']:,}", *rates
            )
        console.print(table)
        _more(console, rows)
    table = numbers_table("characters", "in all", "with a token\nof their own", "in the\ntext", "of these\ncovered")
    for row in look["cjk"]:
        counts = (f"{row[key]:,}" for key in ("characters", "tokens", "in_text"))
        table.add_row(row["block"], *counts, _covered([row]))
    console.print(table)
    _show_tokens(console, "the longest tokens", look["longest"])
    console.print(f"{look['unused']:,} of {look['vocabulary']:,} regular tokens do not occur in this text")
    _show_tokens(console, "of these the first that were learned", look["first_unused"])


def show_comparison(console: Console, looks: Mapping[str, Look]) -> None:
    """Several tokenizers beside one another on the same text, the best of each row in bold."""
    names = list(looks)
    headings = names
    if sum(map(len, names)) > _ROOM_FOR_NAMES:
        headings = [str(number) for number in range(1, len(names) + 1)]
        for number, name in zip(headings, names):
            console.print(f"{number}: {name}", markup=False, soft_wrap=True)
    table = numbers_table(
        "tokenizer", "regular\ntokens", "of them\nunused", "bytes a\ntoken", "tokens\na word", "CJK\ncovered"
    )
    for heading, look in zip(headings, looks.values()):
        counts = f"{look['vocabulary']:,}", f"{look['unused']:,}"
        rates = f"{look['all']['bytes_per_token']:.3f}", f"{look['all']['fertility']:.3f}"
        table.add_row(heading, *counts, *rates, _covered(look["cjk"]))
    console.print(table)
    for by, rows in looks[names[0]]["by"].items():
        table = numbers_table(f"{by}:\nbytes a token", "documents", "text", *headings)
        by_group = [{row["group"]: row for row in look["by"][by]} for look in looks.values()]
        table.add_row(*_compared([look["all"] for look in looks.values()]))
        for row in rows[:_MOST_GROUPS]:
            table.add_row(*_compared([rows_of[row["group"]] for rows_of in by_group]))
        console.print(table)
        _more(console, rows)


def _compared(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The cells of one group: its name and amounts, and the rate of each tokenizer."""
    best = max(row["bytes_per_token"] for row in rows)
    rates = [f"{row['bytes_per_token']:.3f}" for row in rows]
    rates = [f"[bold]{rate}[/bold]" if rate == f"{best:.3f}" else rate for rate in rates]
    return [_name(rows[0]), f"{rows[0]['documents']:,}", size(rows[0]["bytes"]), *rates]


def _name(row: Mapping[str, Any]) -> str:
    return escape(visible(row["group"]))


def _facts(name: str, look: Look) -> str:
    return f"{name}: {look['vocabulary']:,} regular tokens, {look['model_vocabulary']:,} rows of the model"


def _covered(rows: Sequence[Mapping[str, Any]]) -> str:
    """The share of the text's Chinese, Japanese and Korean characters that have a token of their own."""
    in_text = sum(row["in_text"] for row in rows)
    return f"{sum(row['covered'] for row in rows) / in_text:.1%}" if in_text else "–"


def _more(console: Console, rows: Sequence[object]) -> None:
    if len(rows) > _MOST_GROUPS:
        console.print(f"and {len(rows) - _MOST_GROUPS:,} more", style="dim")


def _show_tokens(console: Console, title: str, tokens: Sequence[Mapping[str, Any]]) -> None:
    if tokens:
        console.print(f"{title}:")
    for token in tokens:
        text = visible(token["text"]).replace(" ", "·")
        console.print(f"{token['id']:>8}  {token['bytes']:>4} bytes  {text}", markup=False, soft_wrap=True)
