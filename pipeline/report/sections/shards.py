"""The token shards."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.charts.amounts import ranked
from pipeline.report.charts.drawing import KEPT
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, named, with_content


def section(report: Report) -> Section:
    """Tokens by source and split, and the files."""
    found = report["tokenize"]
    if not found:
        return absent(report, "shards", "Shards", "tokenize")
    counts = found["counts"]
    stage = next(stage for stage in report["stages"] if stage["stage"] == "tokenize")
    tiles = [
        Tile(
            "Tokens", formats.compact(counts.get("tokens")), f"in {formats.compact(counts.get('documents'))} documents"
        ),
        Tile("Files", formats.count(counts.get("files")), f"{formats.size(stage['written_bytes'])} written"),
    ]
    for name, split in found["splits"].items():
        tiles.append(
            Tile(
                name.capitalize(),
                formats.compact(split["tokens"]),
                f"tokens in {formats.compact(split['documents'])} documents",
            )
        )
    total = counts.get("tokens") or 0
    rows = [{**row, "share": row["tokens"] / total if total else None} for row in named(found["sources"])]
    cards = [
        Card(
            "Tokens by source",
            "What a training run will see of each source.",
            ranked({name: source["tokens"] for name, source in found["sources"].items()}, "tokens", KEPT),
            [
                Column("name", "source"),
                Column("documents", "documents", "count"),
                Column("tokens", "tokens", "count"),
                Column("share", "share", "share"),
            ],
            rows,
            beside=True,
        ),
        Card(
            "Files",
            "The checksums are those in shards.json; sha256sum prints the same.",
            None,
            [
                Column("path", "file"),
                Column("rows", "documents", "count"),
                Column("bytes", "size", "size"),
                Column("sha256", "SHA-256", "code"),
            ],
            stage["files"],
        ),
    ]
    return Section("shards", "Shards", "", tiles, with_content(cards))
