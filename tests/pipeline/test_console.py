"""What a run says of a job that is done: how much of it is new, and what there is one of."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.console import Display, summary
from pipeline.units import singular


def said(tasks: int, tasks_run: int) -> str:
    console = Console(file=io.StringIO(), width=140)
    counts = {"files": tasks, "documents": 5934, "text_bytes": 100, "rejects": 1, "skipped": 0}
    manifest = {"counts": counts, "tasks": [{}] * tasks, "tasks_run": tasks_run}
    Display(console).finished("ingest", "ingest", manifest, 1.0, True)
    return console.file.getvalue()


def test_a_line_tells_how_much_is_new():
    assert "28 files → 5,934 documents" in said(28, 4) and "(4 new, 24 as they were)" in said(28, 4)
    assert "as they were" not in said(28, 28)


def test_one_is_singular():
    assert summary("tokenize", {"files": 1, "documents": 21, "tokens": 1001}) == "1 shard, 21 documents, 1,001 tokens"
    assert singular("1 copies of 0.1 files, 1 counts, 1,001 pieces") == "1 copy of 0.1 files, 1 count, 1,001 pieces"
