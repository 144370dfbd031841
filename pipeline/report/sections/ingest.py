"""What was read, and what could not be."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.charts import ingest as charts
from pipeline.report.charts.amounts import ranked
from pipeline.report.charts.drawing import REMOVED
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, absent, counted, named, with_content


def section(report: Report) -> Section:
    """What was read, and what could not be."""
    found = report["ingest"]
    if not found:
        return absent(report, "input", "Input", "ingest")
    counts = found["counts"]
    tiles = [
        Tile("Files", formats.count(counts.get("files")), f"{formats.size(counts.get('input_bytes'))} as they lie"),
        Tile(
            "Records",
            formats.compact(counts.get("records")),
            f"{formats.compact(counts.get('documents'))} became documents",
        ),
        Tile("Skipped", formats.compact(counts.get("skipped")), "no documents by design"),
        Tile(
            "Rejected",
            formats.compact(counts.get("rejects")),
            f"{formats.share(report['summary']['rejected'])} of the records",
        ),
    ]
    amounts = [
        Column("documents", "documents", "count"),
        Column("text_bytes", "text", "size"),
        Column("rejects", "rejects", "count"),
        Column("files", "files", "count"),
    ]
    cards = [
        Card(
            "Text by dump",
            "The height of a bar is the text read from that dump, before anything was removed.",
            charts.input_by_dump(found["dumps"]),
            [Column("name", "dump"), *amounts],
            named(found["dumps"]),
            beside=True,
        ),
        Card(
            "Sources",
            "Each source of the configuration, and what it brought.",
            None,
            [Column("name", "source"), *amounts],
            named(found["sources"]),
            wide=False,
        ),
        Card(
            "Skipped records",
            "Records that are no documents by design, such as requests and redirects; they are counted and nothing is "
            "wrong.",
            None,
            [Column("name", "kind"), Column("count", "records", "count")],
            counted(found["skipped"]),
            wide=False,
        ),
        Card(
            "Rejects by reason",
            "Records that should have been documents and could not be read; a long bar is worth a look at the files "
            "below.",
            ranked(found["rejects"], "records", REMOVED),
            [Column("name", "reason"), Column("count", "records", "count")],
            counted(found["rejects"]),
            beside=True,
        ),
        Card(
            "Rejected records",
            "A sample; all of them, with the same file, offset and reason, are in the folder rejects/.",
            None,
            [
                Column("file", "file"),
                Column("offset", "offset", "count"),
                Column("reason", "reason"),
                Column("detail", "detail"),
            ],
            found["reject_samples"],
        ),
    ]
    intro = "Every record of the input is a document, a reject or skipped; nothing disappears."
    return Section("input", "Input", intro, tiles, with_content(cards))
