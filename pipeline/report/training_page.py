"""A page about training runs alone, several over each other: ``gristmill report RUN RUN``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline import storage
from pipeline.errors import GristmillError
from pipeline.report.page import Page, write_page
from pipeline.report.sections import training
from pipeline.report.training_runs import read_runs

FILE_NAME = "runs.html"


def write_training_report(folders: Sequence[str], path: str | None = None) -> str:
    """Writes one page that overlays the runs of several folders, and what it shows as JSON beside it.

    Args:
        folders: folders of runs, or of corpora with runs in ``training/``, local or remote.
        path: the page; ``runs.html`` in the folder above the first run by default.

    Returns:
        The path of the page.

    Raises:
        GristmillError: a folder holds no run.
    """
    runs: list[dict[str, Any]] = []
    for folder, short in zip(folders, distinct_names(folders), strict=True):
        found = read_runs(folder)
        if not found:
            raise GristmillError(f"{folder} holds no metrics.jsonl: give the output folder of a training run")
        runs += [run | {"name": short if len(found) == 1 else f"{short}/{run['name']}"} for run in found]
    if path is None:
        first = folders[0].rstrip("/")
        above = str(Path(first).resolve().parent) if storage.is_local(first) else first.rsplit("/", 1)[0]
        path = storage.join(above, FILE_NAME)
    storage.write_json(f"{path.removesuffix('.html')}.json", {"runs": runs})
    steps = sum(len(run["steps"]) for run in runs)
    footer = "Everything on this page is in the JSON file beside it. This file needs no network and sends nothing."
    page = Page(f"{len(runs)} training runs", f"{steps:,} points", [], [training.section({"training": runs})], footer)
    write_page(path, page)
    return path


def distinct_names(folders: Sequence[str]) -> list[str]:
    """The shortest ends of the paths that tell them apart, of as many parts each."""
    parts = [PurePosixPath(folder.rstrip("/")).parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return list(folders)  # the same folder twice
