"""What a run would do, before it does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from pipeline import job, preflight
from pipeline.corpus import Corpus
from pipeline.dedup_forecast_table import show_dedup
from pipeline.errors import ConfigError, GristmillError
from pipeline.runners import connect, without_secrets, workers_of
from pipeline.stages import jobs
from pipeline.units import size


def show_plan(corpus: Corpus, stages: Sequence[str], console: Console | None = None) -> None:
    """Prints each job with the tasks it has and those still to do. Writes nothing.

    Raises:
        ConfigError: the run could not even begin.
    """
    console = console or Console()
    engine = corpus.config.engine
    connect(engine)
    preflight.check(corpus.config, stages)
    corpus = dataclasses.replace(corpus, read_only=True)
    corpus.check_owner()
    table = Table(title=f"{corpus.config.name} → {corpus.config.output}", title_justify="left")
    for heading, justify in [
        ("stage", "left"),
        ("job", "left"),
        ("tasks", "right"),
        ("to do", "right"),
        ("input", "right"),
    ]:
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    waiting = ""
    for stage in stages:
        for each in jobs(stage, corpus.config):
            try:
                state = job.state_of(each, corpus)
            except ConfigError:
                raise
            except GristmillError:
                waiting = waiting or "after the stages before it"
            if waiting:
                table.add_row(stage, each.name, "", waiting, "")
                continue
            to_read = sum(task.bytes for task in state.pending)
            table.add_row(
                stage,
                each.name,
                f"{len(state.tasks):,}",
                f"{len(state.pending):,}" if state.pending else "up to date" if state.current else "the summary",
                size(to_read) if to_read else "",  # jobs over signatures and pairs do not know theirs
            )
            if not state.current:
                waiting = "after the jobs before it"
    console.print(table)
    workers = f"{workers_of(engine)} workers" if engine.name == "direct" else " ".join(without_secrets(engine).options)
    console.print(f"engine: {engine.name}, {workers}")
    if "dedup" in stages:
        show_dedup(corpus, console, ingesting="ingest" in stages)
