"""The forecast of deduplication, as a table for a person."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from pipeline.config import Engine
from pipeline.corpus import Corpus
from pipeline.dedup_forecast import Forecast, forecast, try_out
from pipeline.errors import GristmillError
from pipeline.runners import workers_of
from pipeline.units import duration, size
from pipeline.workload import Workload, workload_of


def show_dedup(corpus: Corpus, console: Console, ingesting: bool = False) -> None:
    """Prints what is left of deduplication, on this machine and, where a number of workers is given, with so many.

    What is done already costs nothing; all of it from the start is told beside what is left. ``ingesting``: whether the
    run reads crawl files before.
    """
    try:
        workload = workload_of(corpus, ingesting)
    except (GristmillError, ConnectionError) as error:
        console.print(f"dedup cannot be foretold: {error}")
        return
    here = workers_of(Engine())
    engine = corpus.config.engine
    many = engine.workers if engine.workers not in (0, here) else None
    if workload.done:
        console.print("sign, match and cluster are up to date: nothing of them is left to foretell")
        if not many:
            return
    machine = try_out(corpus, workload, here)
    left, whole = (forecast(corpus, each, machine, here) for each in (workload, workload.anew))
    columns = [] if workload.done else [(left, None), *([(left, many)] if many else [])]
    if left != whole:
        columns.append((whole, many))
    table = Table(title="deduplication, foretold", title_justify="left")
    table.add_column("")
    for found, workers in columns:
        of = "" if left == whole else "all anew, " if found is whole else "left for this run, "
        on = f"{workers:,} workers like its" if workers else f"this machine, {here} workers"
        table.add_column(of + on, justify="right")

    def add(what: str, value: str) -> None:
        table.add_row(what, *([value] * len(columns)))

    add("documents, counted" if workload.counted else f"documents, {_origin(workload)}", f"{whole.documents:,}")
    add("text", size(whole.text_bytes))
    share = (
        "as here before"
        if workload.removed_share is not None
        else "assumed: DeepSeek LLM's at "
        + ("one dump" if corpus.config.dedup.scope == "per-dump" else "as many dumps")
    )
    add(f"removed, {share}", f"{whole.removed / max(1, whole.documents):.0%}")
    add("signatures", size(whole.signature_bytes))
    for what, value in _COSTS.items():
        table.add_row(what, *(value(found, workers, here) for found, workers in columns))
    console.print(table)
    if not many:
        console.print("`--workers N` foretells it for as many workers of an engine, too")


_COSTS: dict[str, Callable[[Forecast, int | None, int], str]] = {
    "through shuffles": lambda found, workers, here: size(found.shuffle_bytes),
    "work of one core": lambda found, workers, here: duration(found.core_seconds),
    "time": lambda found, workers, here: duration(found.seconds(workers or here)),
    "memory": lambda found, workers, here: (
        f"{size(found.worker_memory)} each" if workers else f"{size(found.local_memory)} in all"
    ),
}


def _origin(workload: Workload) -> str:
    """Which of the documents were counted, and which not."""
    sampled = "from the start of some input files"
    if workload.new_files == workload.parts:
        return sampled
    counted = workload.documents - workload.new_documents
    files = "1 new file" if workload.new_files == 1 else f"{workload.new_files:,} new files"
    return f"{counted:,} counted, about {workload.new_documents:,} in {files}"
