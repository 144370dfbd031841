"""``report.html``, one page of everything that happened to a corpus, and ``report.json`` beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import GristmillError
from pipeline.report import data, formats
from pipeline.report.page import Page, html_of, write_page
from pipeline.report.schema import NOT_RUN
from pipeline.report.sections import sections
from pipeline.report.sections.headline import headline


def write_report(output: str | Path) -> str:
    """Writes ``report.json`` and ``report.html`` into an output folder; stages that have not run are left out with a
    note.

    Args:
        output: the folder a run wrote to, or a training run's folder, local or remote.

    Returns:
        The path of ``report.html``.

    Raises:
        GristmillError: there is nothing in the folder that a report can be made of.
    """
    folder = str(output)
    report = data.assemble(folder)
    if not report["training"] and all(stage["problem"] == NOT_RUN for stage in report["stages"]):
        raise GristmillError(
            f"{folder} holds no stage's manifest.json and no metrics.jsonl, so there is nothing to report: give the "
            "output folder of a corpus or of a training run"
        )
    storage.write_json(storage.join(folder, "report.json"), report)
    path = storage.join(folder, "report.html")
    write_page(path, page_of(report))
    return path


def render(report: Mapping[str, Any]) -> str:
    """The page for what ``data.assemble`` returned."""
    return html_of(page_of(report))


def page_of(report: Mapping[str, Any]) -> Page:
    """What stands on the page."""
    footer = (
        "Everything on this page, unrounded and in full, is in report.json beside it. This file needs no network and "
        "sends nothing."
    )
    return Page(report["name"], subtitle(report) or "training runs", headline(report), sections(report), footer)


def subtitle(report: Mapping[str, Any]) -> str:
    """When the last stage finished, and the version that did it."""
    words = [f"finished {formats.time(report['created'])}"] if report["created"] else []
    if report["version"] not in ("", "unknown"):
        words.append(f"gristmill {report['version']}")
    return " · ".join(words)
