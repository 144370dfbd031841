"""What the report says: one module a section, from ``report.json`` to figures, tables and how to read them."""

from __future__ import annotations

from pipeline.report.markup import Section
from pipeline.report.sections import (
    decontamination,
    dedup,
    filters,
    ingest,
    mixture,
    overview,
    personal_data,
    quality,
    shards,
    stages,
    tokenizer,
    training,
)
from pipeline.report.sections.shared import Report


def sections(report: Report) -> list[Section]:
    """All sections in the order of the pipeline; of those that not every corpus asks for, the ones with content."""
    asked_for = [
        (quality, report["quality"]),
        (decontamination, report["overlap"]),
        (personal_data, report["select"] and report["select"]["personal_data"]),
    ]
    before, after = (overview, ingest, dedup, filters), (mixture, tokenizer, shards)
    runs = (training,) if report["training"] else ()
    parts = [*before, *(part for part, content in asked_for if content), *after, *runs, stages]
    return [part.section(report) for part in parts]
