"""What the report says: one module a section, from ``report.json`` to figures, tables and how to read them."""

from __future__ import annotations

from pipeline.report.markup import Section
from pipeline.report.sections import (
    dedup,
    filters,
    ingest,
    mixture,
    overview,
    quality,
    shards,
    stages,
    tokenizer,
    training,
)
from pipeline.report.sections.shared import Report


def sections(report: Report) -> list[Section]:
    """All sections in the order of the pipeline. Quality models and training are there only where there are any."""
    models = (quality,) if report["quality"] else ()
    parts = (overview, ingest, dedup, filters, *models, mixture, tokenizer, shards)
    runs = (training,) if report["training"] else ()
    return [part.section(report) for part in (*parts, *runs, stages)]
