"""The forecast of deduplication, as a table for a person."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pipeline.config import Engine
from pipeline.corpus import Corpus
from pipeline.dedup_forecast import forecast, try_out
from pipeline.errors import GristmillError
from pipeline.runners import workers_of
from pipeline.units import duration, size
from pipeline.workload import workload_of


def show_dedup(corpus: Corpus, console: Console) -> None:
    """Prints what deduplication will take, on this machine and, where a number of workers is given, with so many."""
    try:
        workload = workload_of(corpus)
    except (GristmillError, ConnectionError) as error:
        console.print(f"dedup cannot be foretold: {error}")
        return
    here = workers_of(Engine())
    engine = corpus.config.engine
    found = forecast(corpus, workload, try_out(corpus, workload, here), here)
    many = engine.workers if engine.workers not in (0, here) else None
    origin = "counted" if workload.counted else "from the start of some input files"
    table = Table(title="deduplication, foretold", title_justify="left")
    table.add_column("")
    table.add_column(f"this machine, {here} workers", justify="right")
    if many:
        table.add_column(f"{many:,} workers like its", justify="right")

    def add(what: str, value: str, others: str | None = None) -> None:
        table.add_row(what, value, *([value if others is None else others] if many else []))

    add(f"documents, {origin}", f"{found.documents:,}")
    add("text", size(found.text_bytes))
    share = "assumed: DeepSeek LLM's at as many dumps" if workload.removed_share is None else "as here before"
    add(f"removed, {share}", f"{found.removed / found.documents:.0%}")
    add("signatures", size(found.signature_bytes))
    add("through shuffles", size(found.shuffle_bytes))
    add("core-hours", f"{found.core_seconds / 3600:,.3g}")
    add("time", duration(found.seconds(here)), duration(found.seconds(many or here)))
    add("memory", f"{size(found.local_memory)} in all", f"{size(found.worker_memory)} each")
    console.print(table)
    if not many:
        console.print("`--workers N` foretells it for as many workers of an engine, too")
