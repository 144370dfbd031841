"""The stage `filter`, and the verbs below it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli import interruption, quiet
from pipeline.cli.running import Config, DryRun, Options, Runner, Workers, configured, run_jobs

SelectOnly = Annotated[
    bool,
    typer.Option(
        "--select-only", help="Apply the rules as they now are to what was measured, in seconds; write no text."
    ),
]


def run(
    config: Config,
    options: Options = None,
    runner: Runner = None,
    workers: Workers = None,
    dry_run: DryRun = False,
    select_only: SelectOnly = False,
) -> None:
    """Runs the stage, or of it only what thresholds change."""
    if dry_run or not select_only:
        run_jobs(config, ["filter"], runner, workers, options, dry_run)
        return
    interruption.stop_at_once()
    settings = configured(config, runner, workers, options)
    quiet.quieten_workers()
    from pipeline import manifests, stages
    from pipeline.console import Display
    from pipeline.corpus import Corpus
    from pipeline.funnel import show_funnel
    from pipeline.jobs import decide
    from pipeline.runners import runner_and_options

    corpus = Corpus(settings)
    runner_and_options(settings.engine)
    before = manifests.read_manifest(corpus.folder(decide.JOB.folder))
    with Display() as display:
        stages.run(corpus, ["filter"], display, only=decide.JOB.name)
    show_funnel(corpus.manifest(decide.JOB.folder), before)
    typer.echo(f"No text was written: `gristmill filter {config}` writes those that now stay.", err=True)


def explain(
    config: Config,
    document: Annotated[str, typer.Argument(metavar="KEY", help="The document's key, or its URL.", show_default=False)],
) -> None:
    """Say why a document went or stayed: what each rule measured and wanted, and where the rule comes from.

    gristmill filter explain corpus.yaml 4503599627370512

    A URL is looked for in all documents, which takes longer than a key.
    """
    settings = configured(config, None, None, None)
    from pipeline import runners
    from pipeline.corpus import Corpus
    from pipeline.explain import explain as explained
    from pipeline.explain import show

    runners.connect(settings.engine)
    show(explained(Corpus(settings, read_only=True), document))


def presets(
    name: Annotated[
        str | None, typer.Argument(metavar="[PRESET]", help="A preset, or a YAML of one; all of them when not given.")
    ] = None,
) -> None:
    """List the rule presets, or the rules of one with thresholds, reasons, source and known divergences.

    gristmill filter presets

    gristmill filter presets gopher-quality
    """
    from pipeline.cli.failures import as_one_line
    from pipeline.preset_tables import show_preset, show_presets

    with as_one_line():
        if name is None:
            show_presets()
        else:
            show_preset(name)
