"""Time and speed of each stage."""

from __future__ import annotations

from pipeline.report.charts import stages as charts
from pipeline.report.markup import Card, Column, Section
from pipeline.report.sections.shared import Report, with_content


def section(report: Report) -> Section:
    """Time and speed of each stage, and where everything came from."""
    rows = [
        {
            **stage,
            "state": stage["problem"] or "done",
            "ran": f"{stage['tasks_run']:,} of {stage['tasks']:,}" if stage.get("tasks") else None,
        }
        for stage in report["stages"]
    ]
    ran = [stage for stage in report["stages"] if not stage["problem"]]
    cards = [
        Card(
            "Time",
            "Wall time of each stage when it last ran; what had been done before and still held is not in it.",
            charts.stage_seconds(ran),
            wide=False,
        ),
        Card(
            "Speed",
            "Text each stage read in a second; stages that read signatures or statistics instead of text have no bar.",
            charts.stage_rates(ran),
            wide=False,
        ),
        Card(
            "Stages",
            "A stage runs again when its fingerprint changes: its inputs, its part of the configuration or its code.",
            None,
            [
                Column("stage", "stage"),
                Column("state", "state"),
                Column("seconds", "time", "duration"),
                Column("ran", "tasks run"),
                Column("bytes_per_second", "text", "rate"),
                Column("documents_per_second", "documents/s", "count"),
                Column("workers", "workers", "count"),
                Column("written_files", "files", "count"),
                Column("written_bytes", "written", "size"),
                Column("created", "finished", "time"),
                Column("version", "version"),
                Column("fingerprint", "fingerprint", "code"),
            ],
            rows,
        ),
    ]
    return Section("stages", "Time and stages", "", (), with_content(cards))
