"""Engines: Beam options for each. The local engine is FnApiRunner, by name, so that it is the same on every machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineRunner

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import Engine

_REMOTE = {"spark": "SparkRunner", "flink": "FlinkRunner", "dataflow": "DataflowRunner"}


def workers_of(engine: Engine) -> int:
    """Workers of the direct engine: as configured, or one for each core this process may use."""
    if engine.workers:
        return engine.workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def runner_and_options(engine: Engine) -> tuple[PipelineRunner | str, PipelineOptions]:
    """Beam's runner and its options for an engine.

    Raises:
        ConfigError: an option that Beam does not know.
    """
    if engine.name == "direct":
        workers = workers_of(engine)
        mode = ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers}"] if workers > 1 else []
        return FnApiRunner(), _options([*mode, *engine.options])
    return _REMOTE[engine.name], _options([f"--runner={_REMOTE[engine.name]}", *engine.options])


def _options(arguments: list[str]) -> PipelineOptions:
    options = PipelineOptions(arguments)
    unknown = [text for text in arguments if text.startswith("--") and _name(text) not in _known_options(options)]
    if unknown:
        raise ConfigError(f"engine.options: Beam knows no {', '.join(unknown)}; see `gristmill run --help`")
    return options


def _name(argument: str) -> str:
    return argument.removeprefix("--").split("=")[0].removeprefix("no_")


def _known_options(options: PipelineOptions) -> set[str]:
    return set(options.get_all_options()) | {_name(text) for text in ("--runner", "--save_main_session")}
