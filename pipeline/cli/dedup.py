"""Verbs below the stage `dedup`."""

from __future__ import annotations

import typer

from pipeline.cli.outputs import Output, folder_of


def report(output: Output) -> None:
    """Write what deduplication found: an HTML page, JSON and CSV files, into OUTPUT/dedup-report/.

    gristmill dedup report out/corpus
    """
    from pipeline.report.dedup_report import write_dedup_report

    typer.echo(write_dedup_report(folder_of(output)))
