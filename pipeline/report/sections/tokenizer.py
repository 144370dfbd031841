"""The tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import tokenizer as charts
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, with_content
from pipeline.report.visible import visible


def section(report: Report) -> Section:
    """Compression by language, and the longest tokens."""
    found = report["tokenizer"]
    if not found:
        return absent(report, "tokenizer", "Tokenizer", "tokenizer")
    counts = found["counts"]
    tiles = [
        Tile("Vocabulary", formats.count(counts.get("vocabulary")), _asked(counts)),
        Tile("Pieces", formats.compact(counts.get("pieces")), "counted in the training text"),
        Tile("Distinct pieces", formats.compact(counts.get("distinct_pieces")), "merged into tokens"),
    ]
    longest = [{**(item if isinstance(item, dict) else {}), "token": _token(item)} for item in found["longest"]]
    cards = [
        Card(
            "Compression by language",
            "Bytes of text one token stands for: longer bars need fewer tokens for the same text. Compare a language "
            "between tokenizers, not languages with each other, since scripts differ in bytes per character.",
            charts.compression(found["compression"]),
            [
                Column("language", "language"),
                Column("bytes", "text", "size"),
                Column("tokens", "tokens", "count"),
                Column("bytes_per_token", "bytes per token", "number"),
            ],
            found["compression"],
            wide=False,
        ),
        Card(
            "Longest tokens",
            "Boilerplate shows here first: a whole sentence in one token is text that should have been removed. A dot "
            "in the middle of the line (·) is a space.",
            None,
            [Column("token", "token", "code"), Column("bytes", "bytes", "count"), Column("id", "id", "count")],
            [row for row in longest if row["token"]],
            wide=False,
        ),
    ]
    return Section("tokenizer", "Tokenizer", "", tiles, with_content(cards))


def _asked(counts: Mapping[str, int]) -> str:
    asked, got = counts.get("asked"), counts.get("vocabulary")
    if asked is None or got is None or asked == got:
        return "tokens"
    return f"tokens; {formats.count(asked)} were asked for"


def _token(item: Any) -> str:
    token = item if isinstance(item, str) else item.get("token", item.get("text", "")) if isinstance(item, dict) else ""
    return visible(token).replace(" ", "·")
