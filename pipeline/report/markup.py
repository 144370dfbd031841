"""HTML of the report's building blocks. Every value is escaped here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.report import formats
from pipeline.report.visible import visible

_LONG_TEXT = 22  # characters from which a cell may break its text, but keeps a readable width
_LONGEST_TEXT = 400  # characters shown of one cell; report.json has all of it
_LONGEST_NAME = 60  # characters of the address that tells one comparison from the others

_FORMATS: dict[str, Callable[[Any], str]] = {
    "count": formats.count,
    "size": formats.size,
    "share": formats.share,
    "number": formats.number,
    "similarity": formats.similarity,
    "duration": formats.duration,
    "rate": formats.rate,
    "time": formats.time,
}


class Column(NamedTuple):
    """A column of a table: the field it shows, its title, and ``text``, ``code`` or the name of a number format."""

    field: str
    title: str
    kind: str = "text"


class Tile(NamedTuple):
    """A summary figure: what it is, the figure, a few words below."""

    title: str
    value: str
    note: str = ""


class Comparison(NamedTuple):
    """Two texts side by side: a title, a few words beside it, the names of both, and what ``differences`` found."""

    title: str
    note: str
    left: str
    right: str
    difference: Mapping[str, Any]


class Passage(NamedTuple):
    """A text to read: what became of it, where it is from, a few words beside that."""

    fate: str
    name: str
    note: str
    text: str


class Excerpt(NamedTuple):
    """Texts to read under a title, with a few words beside it."""

    title: str
    note: str
    passages: Sequence[Passage]


class Card(NamedTuple):
    """A chart, a table, comparisons of texts or all of them, under a title, with one sentence on how to read it.

    ``wide`` cards take the full width; with ``beside`` the table stands right of the chart where there is room. A
    column without any value is left out. Comparisons and excerpts unfold one by one.
    """

    title: str
    reading: str
    figure: dict[str, Any] | None = None
    columns: Sequence[Column] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    wide: bool = True
    beside: bool = False
    comparisons: Sequence[Comparison] = ()
    excerpts: Sequence[Excerpt] = ()


class Section(NamedTuple):
    """A part of the report. ``problem`` says why there is nothing to show."""

    anchor: str
    title: str
    intro: str = ""
    tiles: Sequence[Tile] = ()
    cards: Sequence[Card] = ()
    problem: str = ""


def text(value: object) -> str:
    """Any value as escaped text."""
    shown = visible(value)
    return html.escape(shown if len(shown) <= _LONGEST_TEXT else shown[: _LONGEST_TEXT - 1] + "…")


def tiles(items: Sequence[Tile]) -> str:
    """Summary figures side by side."""
    cells = []
    for tile in items:
        value = text(tile.value).replace(" ", "\u00a0").replace("\u00a0→\u00a0", " →\u00a0")  # breaks at an arrow only
        shown = f"<dd class=value>{value}</dd><dd class=note>{text(tile.note)}</dd>"
        cells.append(f"<div class=tile><dt>{text(tile.title)}</dt>{shown}</div>")
    return f"<dl class=tiles>{''.join(cells)}</dl>" if items else ""


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """A table with a button that copies it: a cell shows a rounded value and holds the exact one for the copy."""
    head = "".join(f"<th scope=col class={_alignment(column)}>{text(column.title)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(column, row.get(column.field)) for column in columns)}</tr>" for row in rows)
    return (
        f'<div class=table><button type=button class=copy aria-label="Copy the table: {text(name)}">Copy</button>'
        f'<div class=scroll tabindex=0 role=region aria-label="{text(name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def comparison(item: Comparison) -> str:
    """A comparison, folded up under the name of its left text until it is asked for; left out are only stretches that
    are the same, and so it says.
    """
    found, shown = item.difference, []
    for row in found["rows"]:
        if "same" in row:
            words = "1 word is" if row["same"] == 1 else f"{formats.count(row['same'])} words are"
            shown.append(f"<p class=same>{words} the same</p>")
        else:
            sides = (_side(row[side], mark) for side, mark in (("left", "del"), ("right", "ins")))
            shown.append(f"<div class=pair>{''.join(sides)}</div>")
    if found["more"]:
        places = "place differs" if found["more"] == 1 else "places differ"
        shown.append(f"<p class=same>{formats.count(found['more'])} more {places}</p>")
    if found["cut"]:
        shown.append("<p class=same>only the beginning of these long texts was compared</p>")
    names = "".join(
        f"<div><bdi dir=auto>{text(name)}</bdi> <span>{formats.count(found[words])} words</span></div>"
        for name, words in ((item.left, "left_words"), (item.right, "right_words"))
    )
    return (
        f"<details class=comparison><summary>{text(item.title)} <span>{text(item.note)} · "
        f"<bdi dir=auto>{text(formats.shortened(item.left, _LONGEST_NAME))}</bdi></span></summary>"
        f'<div class="pair names">{names}</div>{"".join(shown)}</details>'
    )


def excerpt(item: Excerpt) -> str:
    """Texts to read, folded up under their title until they are asked for."""
    shown = "".join(
        f"<div class=passage><p><b class={passage.fate}>{text(passage.fate)}</b> "
        f"<bdi dir=auto>{text(passage.name)}</bdi> <span>{text(passage.note)}</span></p>"
        f'<div class=side dir=auto tabindex=0 role=region aria-label="{text(passage.name)}">'
        f"{_lines(passage.text)}</div></div>"
        for passage in item.passages
    )
    return (
        f"<details class=comparison><summary>{text(item.title)} <span>{text(item.note)}</span></summary>"
        f"{shown}</details>"
    )


def _lines(content: str) -> str:
    return "\n".join(html.escape(visible(line)) for line in content.split("\n"))


def _side(runs: Sequence[Mapping[str, str]], mark: str) -> str:
    parts = []
    for run in runs:
        content = _lines(run["text"])
        element = {"same": "", "changed": mark, "omitted": "small"}[run["kind"]]
        space = content[: len(content) - len(content.lstrip())]  # marked words, not the space before them
        parts.append(f"{space}<{element}>{content.lstrip()}</{element}>" if element else content)
    return f"<div class=side dir=auto>{''.join(parts)}</div>"


def card(item: Card, chart_id: str) -> str:
    """A card; its chart, if any, is drawn by the page into the element with the given id."""
    chart = ""
    if item.figure:
        height = item.figure["layout"]["height"]
        named = f'role=img aria-label="{text(item.title)}"'
        chart = f'<div class=chart id={chart_id} {named} style="min-height:{height}px"></div>'
    columns = [column for column in item.columns if any(row.get(column.field) is not None for row in item.rows)]
    rows = table(columns, item.rows, item.title) if columns else ""
    texts = "".join([*map(comparison, item.comparisons), *map(excerpt, item.excerpts)])
    kind = f"card{' wide' if item.wide else ''}{' beside' if item.beside and chart and rows else ''}"
    return (
        f'<div class="{kind}"><h3>{text(item.title)}</h3><p class=reading>{text(item.reading)}</p>'
        f"<div class=content>{chart}{rows}{texts}</div></div>"
    )


def section(item: Section) -> tuple[str, dict[str, dict[str, Any]]]:
    """A section, and its figures by the ids of the elements they belong in."""
    parts, figures = [], {}
    for index, block in enumerate(_without_gaps(item.cards)):
        chart_id = f"chart-{item.anchor}-{index}"
        parts.append(card(block, chart_id))
        if block.figure:
            figures[chart_id] = block.figure
    intro = f"<p class=intro>{text(item.intro)}</p>" if item.intro else ""
    problem = f"<p class=problem>{text(item.problem)}</p>" if item.problem else ""
    markup = (
        f"<section id={item.anchor} aria-labelledby=title-{item.anchor}>"
        f"<h2 id=title-{item.anchor}>{text(item.title)}</h2>"
        f"{intro}{problem}{tiles(item.tiles)}<div class=cards>{''.join(parts)}</div></section>"
    )
    return markup, figures


def _without_gaps(cards: Sequence[Card]) -> list[Card]:
    """Narrow cards stand in pairs; one left over takes the full width."""
    placed: list[Card] = []
    half = False  # whether the last row holds a single narrow card
    for item in cards:
        if item.wide and half:
            placed[-1] = placed[-1]._replace(wide=True)
        half = not item.wide and not half
        placed.append(item)
    if half:
        placed[-1] = placed[-1]._replace(wide=True)
    return placed


def _alignment(column: Column) -> str:
    return "text" if column.kind in ("text", "code") else "number"


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return f"<td class={_alignment(column)}>{formats.ABSENT}</td>"
    if column.kind in ("text", "code"):  # isolated, so that text from right to left leaves the other columns alone
        element = "code" if column.kind == "code" else "bdi"
        long = " long" if len(str(value)) > _LONG_TEXT else ""
        return f'<td class="text{long}"><{element} dir=auto>{text(value)}</{element}></td>'
    return f'<td class=number data-value="{text(value)}">{text(_FORMATS[column.kind](value))}</td>'
