"""A page about one tokenizer or several on the same text: what each makes of it, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import tokenizer as charts
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.page import Page
from pipeline.report.visible import visible

Looks = Mapping[str, Mapping[str, Any]]  # by the tokenizer's name, what tokenizer.inspection.look gives
_MOST = 15

_READING = {
    "language": "Bytes of text one token stands for: longer bars need fewer tokens for the same text. Compare "
    "tokenizers within a language, not languages with each other, since scripts differ in bytes per character.",
    "domain": "The same by the host of each page, or its file where there is no address.",
}


_FERTILITY = (
    "Tokens a word: shorter bars are better. A word is a run of letters and numbers, or one character of a script "
    "written without spaces."
)


def page_of(looks: Looks) -> Page:
    """The page. The first tokenizer gives the order of languages and domains."""
    names = list(looks)
    first = looks[names[0]]
    title = names[0] if len(names) == 1 else f"{len(names)} tokenizers"
    text = f"{formats.count(first['all']['documents'])} documents, {formats.size(first['all']['bytes'])} of text"
    sections = [_compression(looks, by) for by in first["by"]]
    return Page(title, text, _tiles(looks), [*sections, _coverage(looks), _tokens(looks)], _FOOTER)


_FOOTER = "This file needs no network and sends nothing."


def _tiles(looks: Looks) -> list[Tile]:
    return [
        Tile(
            name if len(looks) > 1 else "Bytes a token",
            formats.number(look["all"]["bytes_per_token"]),
            f"bytes a token, {formats.number(look['all']['fertility'])} tokens a word, "
            f"{formats.count(look['vocabulary'])} regular tokens",
        )
        for name, look in looks.items()
    ]


def _compression(looks: Looks, by: str) -> Section:
    groups = [row["group"] for row in next(iter(looks.values()))["by"][by][:_MOST]]
    shown = {
        name: sorted(
            (row for row in look["by"][by] if row["group"] in groups), key=lambda row: groups.index(row["group"])
        )
        for name, look in looks.items()
    }
    rows = [{"tokenizer": name, **row} for of_group in zip(*shown.values()) for name, row in zip(looks, of_group)]
    columns = [
        Column("group", by),
        *([Column("tokenizer", "tokenizer")] if len(looks) > 1 else []),
        Column("documents", "documents", "count"),
        Column("bytes", "text", "size"),
        Column("tokens", "tokens", "count"),
        Column("bytes_per_token", "bytes a token", "number"),
        Column("fertility", "tokens a word", "number"),
    ]
    cards = [
        Card(f"Compression by {by}", _READING.get(by, ""), charts.comparison(shown), columns, rows),
        Card(f"Fertility by {by}", _FERTILITY, charts.comparison(shown, "fertility", "tokens a word")),
    ]
    return Section(by, f"By {by}", "", [], cards)


def _coverage(looks: Looks) -> Section:
    rows = [
        {"tokenizer": name, **row, "share": row["covered"] / row["in_text"] if row["in_text"] else None}
        for name, look in looks.items()
        for row in look["cjk"]
    ]
    columns = [
        *([Column("tokenizer", "tokenizer")] if len(looks) > 1 else []),
        Column("block", "characters of"),
        Column("characters", "characters", "count"),
        Column("tokens", "with a token", "count"),
        Column("in_text", "in the text", "count"),
        Column("share", "of these covered", "share"),
    ]
    reading = "A character without a token of its own is spelled in two to four pieces."
    return Section(
        "coverage",
        "Chinese, Japanese, Korean",
        "",
        [],
        [Card("Characters that are tokens", reading, None, columns, rows)],
    )


_TOKENS = [
    (
        "longest",
        "Longest tokens",
        "A whole sentence in one token is boilerplate that the training text held too often. A dot in the middle of "
        "the line (·) is a space. Of runs of one character only the longest is listed.",
    ),
    (
        "first_unused",
        "Unused tokens",
        "Those that were learned first. Many are steps on the way to longer tokens, such as <E4><BD> to a Chinese "
        "character; whole words here come from text unlike this one.",
    ),
]


def _tokens(looks: Looks) -> Section:
    columns = [Column("token", "token", "code"), Column("bytes", "bytes", "count"), Column("id", "id", "count")]
    cards = [
        Card(
            f"{title} of {name}" if len(looks) > 1 else title,
            reading,
            None,
            columns,
            [{**token, "token": visible(token["text"]).replace(" ", "·")} for token in look[field]],
            wide=False,
        )
        for field, title, reading in _TOKENS
        for name, look in looks.items()
    ]
    tiles = _unused(looks)
    return Section("tokens", "Tokens", "", tiles, [card for card in cards if card.rows])


def _unused(looks: Looks) -> Sequence[Tile]:
    return [
        Tile(
            "Unused" if len(looks) == 1 else f"Unused of {name}",
            formats.count(look["unused"]),
            f"of {formats.count(look['vocabulary'])} regular tokens do not occur in this text",
        )
        for name, look in looks.items()
    ]
