"""The report of deduplication by itself: a page for people, JSON for programs, CSV files for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline import storage
from pipeline.errors import GristmillError
from pipeline.report import data
from pipeline.report.corpus_report import subtitle
from pipeline.report.page import Page, write_page
from pipeline.report.sections import dedup
from pipeline.report.sections.dedup.tiles import tiles
from pipeline.report.sections.shared import problem_of

FOLDER = "dedup-report"
_TABLES = ("curve", "curve_reversed", "overlap", "sizes", "clusters", "pairs", "paragraphs")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a text begins that a spreadsheet takes for a formula


def write_dedup_report(output: str) -> str:
    """Writes the folder ``dedup-report`` into an output folder, local or remote.

    Returns:
        The path of its ``index.html``.

    Raises:
        GristmillError: deduplication has not run there.
    """
    report = data.assemble(output)
    if not report["cluster"]:
        raise GristmillError(
            f"{output}: {problem_of(report, 'cluster')} `gristmill run --until dedup` does all it needs"
        )
    folder = storage.join(output, FOLDER)
    storage.write_json(storage.join(folder, "dedup.json"), as_json(report))
    written = tables(report)
    # Of an earlier report: what it found and this one does not.
    gone = [storage.join(folder, f"{name}.csv") for name in _TABLES if name not in written]
    storage.delete([path for path in gone if storage.exists(path)])
    for name, rows in written.items():
        with storage.atomic_write(storage.join(folder, f"{name}.csv")) as file:
            file.stream.write(_csv(rows))
    path = storage.join(folder, "index.html")
    write_page(path, page_of(report))
    return path


def as_json(report: Mapping[str, Any]) -> dict[str, Any]:
    """What of the whole report is about deduplication, under the same names."""
    about = (
        "name",
        "created",
        "version",
        "reference",
        "match",
        "cluster",
        "paragraphs",
        "dedup_settings",
        "texts_missing",
    )
    return {name: report[name] for name in about}


def page_of(report: Mapping[str, Any]) -> Page:
    """What stands on the page."""
    footer = (
        "Everything on this page, unrounded, is in dedup.json beside it, and its tables in the CSV files. This file "
        "needs no network and sends nothing."
    )
    words = ["deduplication", *filter(None, [subtitle(report)])]
    return Page(report["name"], " · ".join(words), tiles(report), dedup.parts(report), footer)


def tables(report: Mapping[str, Any]) -> dict[str, list[Sequence[Any]]]:
    """The tables by the names of their files: rows of cells, the first row the names of the columns."""
    match, cluster = report["match"], report["cluster"]
    published = {point["dumps"]: point["share"] for point in report["reference"]["curve"]}
    points = [{**point, "deepseek_llm_share": published.get(point["dumps"])} for point in cluster["curve"]]
    fields = ("dumps", "dump", "documents", "removed", "share", "alone_removed", "alone_share")
    found: dict[str, list[Sequence[Any]]] = {
        "curve": _rows((*fields, "deepseek_llm_share"), points),
    }
    if cluster["curve_reversed"]:
        found["curve_reversed"] = _rows(fields, cluster["curve_reversed"])
    dumps = cluster["overlap"]["dumps"]
    found["overlap"] = [
        ("dump", *dumps),
        *((name, *row) for name, row in zip(dumps, cluster["overlap"]["matrix"], strict=True)),
    ]
    found["sizes"] = [("size", "clusters"), *cluster["sizes"]]
    found["clusters"] = [
        ("cluster", "size", "key", "url"),
        *(
            (each["cluster"], each["size"], key, url)
            for each in cluster["largest"]
            for key, url in zip(each["keys"], each["urls"])
        ),
    ]
    of_pairs = ("left", "right", "jaccard", "left_url", "right_url")
    found["pairs"] = [("verdict", *of_pairs)]
    for verdict in ("accepted", "rejected") if match else ():
        found["pairs"] += [(verdict, *row) for row in _rows(of_pairs, match[f"{verdict}_samples"])[1:]]
    if report["paragraphs"]:
        found["paragraphs"] = _rows(("copies", "key", "line", "text"), report["paragraphs"]["paragraphs"])
    return found


def _rows(fields: Sequence[str], values: Iterable[Mapping[str, Any]]) -> list[Sequence[Any]]:
    return [fields, *([value.get(field) for field in fields] for value in values)]


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """CSV in UTF-8. A text that a spreadsheet would take for a formula gets an apostrophe before it, for it may come
    from a crawl.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell for cell in row])
    return out.getvalue().encode("utf-8", "replace")
