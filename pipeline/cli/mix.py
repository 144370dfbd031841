"""The verb `mix`: draw the mixture, or only show what it would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.running import Config, Options, Runner, Workers, configured, run_jobs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pipeline.corpus import Corpus

_MOST = 30  # domains of an axis that are printed


def run(
    config: Config,
    options: Options = None,
    runner: Runner = None,
    workers: Workers = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Measure what there is, once texts are filtered, print the plan, and draw nothing."
        ),
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the plan with its charts as a page here.")] = None,
) -> None:
    """Draw the mixture: how often each document is used, so that domains have their shares.

    gristmill mix corpus.yaml --dry-run --html plan.html

    gristmill mix corpus.yaml

    Stages before it must be done; `gristmill run --until mix` does them too.
    """
    from pipeline.corpus import Corpus
    from pipeline.manifests import read_manifest
    from pipeline.stages import jobs

    corpus = Corpus(configured(config, runner, workers, options), read_only=True)
    measurable = corpus.config.mix.asked and (read_manifest(corpus.folder("filtered")) or {}).get("complete")
    if (dry_run or html is not None) and measurable:
        for each in jobs("mix", corpus.config)[:-1]:
            run_jobs(config, ["mix"], runner, workers, options, dry_run=False, only=each.name, tell=False)
        show_plan(corpus, html)
        if dry_run:
            return
    run_jobs(config, ["mix"], runner, workers, options, dry_run)


def show_plan(corpus: Corpus, html: Path | None) -> None:
    """Prints the plan of a corpus whose cells are measured, and writes its page if one is asked for."""
    from rich.console import Console

    from pipeline.mixture_tables import planned_details

    console = Console(highlight=False)
    found = planned_details(corpus)
    for axis, rows in found["axes"].items():
        if axis in found["steered"] or len(rows) > 1:
            _print_axis(console, axis, rows, found["unit"])
    if len(found["steered"]) > 1:
        _print_cells(console, found)
    console.print(found["message"], markup=False, soft_wrap=True)
    if html is not None:
        from pipeline.report.mixture_page import page_of
        from pipeline.report.page import write_page

        html.parent.mkdir(parents=True, exist_ok=True)
        write_page(str(html), page_of(corpus.config.name, found))
        typer.echo(str(html), err=True)


def _print_axis(console: Console, axis: str, rows: Mapping[str, Mapping[str, Any]], unit: str) -> None:
    from pipeline.report.formats import compact
    from pipeline.report.sections.mixture import axis_name

    table = _table(console, [axis_name(axis)], "docs", unit, "share", "target", "feasible", "epochs", "after", "cap")
    ordered = sorted(rows.items(), key=lambda row: (-row[1]["after"], -row[1]["before"], row[0]))
    for name, row in ordered[:_MOST]:
        shares = (_share(row[key]) for key in ("before", "target", "planned"))
        amounts = (compact(row[key]) for key in ("documents", "amount_before", "amount_after"))
        documents, before, after = amounts
        table.add_row(name, documents, before, *shares, f"{row['epochs']:.3g}", after, "binds" if row["binds"] else "")
    _print(console, table, len(rows))


def _print_cells(console: Console, found: Mapping[str, Any]) -> None:
    from pipeline.report.formats import compact
    from pipeline.report.sections.mixture import axis_name

    table = _table(console, [*map(axis_name, found["steered"])], "docs", found["unit"], "epochs", "after", "cap")
    ordered = sorted(found["cells"], key=lambda cell: (-cell["amount_after"], -cell["amount_before"]))
    for cell in ordered[:_MOST]:
        cap = "" if cell["cap"] is None else f"{cell['cap']:g}" + (" binds" if cell["binds"] else "")
        documents, before, after = (compact(cell[key]) for key in ("documents", "amount_before", "amount_after"))
        table.add_row(*cell["domains"].values(), documents, before, f"{cell['planned_epochs']:.3g}", after, cap)
    _print(console, table, len(ordered))


def _table(console: Console, names: Sequence[str], *numbers: str) -> Table:
    from rich import box
    from rich.table import Column, Table

    columns: list[Column | str] = [*names, *(Column(title, justify="right", no_wrap=True) for title in numbers)]
    return Table(*columns, box=box.HEAVY_HEAD if console.is_terminal else None, padding=(0, 1))


def _print(console: Console, table: Table, rows: int) -> None:
    console.print(table)
    if rows > _MOST:
        console.print(f"and {rows - _MOST:,} more", style="dim")
    console.print()


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"
