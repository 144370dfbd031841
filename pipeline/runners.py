"""Engines: Beam options for each. The local engine is FnApiRunner, by name, so that it is the same on every machine."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
from argparse import ArgumentError
from typing import TYPE_CHECKING

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.job.utils import dict_to_struct
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, worker_handlers
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.runner import PipelineRunner

from pipeline import stores
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import Engine

# Beam's local engine empties a worker's output buffer once a second from a second thread, which takes no heed of the
# one that writes: what is written meanwhile is lost or cut in two, without a word. Full buffers are emptied between
# elements by the thread that fills them, and the rest at the end of the bundle: nothing else is needed.
worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0

_REMOTE = {"spark": "SparkRunner", "flink": "FlinkRunner", "dataflow": "DataflowRunner"}


def workers_of(engine: Engine) -> int:
    """Workers of the direct engine: as configured, or one for each core this process may use."""
    if engine.workers:
        return engine.workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def runner_and_options(engine: Engine, tasks: int | None = None) -> tuple[PipelineRunner | str, PipelineOptions]:
    """Beam's runner and its options for an engine; a job of few tasks gets no more workers than that.

    Raises:
        ConfigError: an option that Beam does not know.
    """
    if engine.name == "direct":
        workers = workers_of(engine) if tasks is None else min(workers_of(engine), tasks)
        mode = ["--direct_running_mode=multi_threading", f"--direct_num_workers={workers}"] if workers > 1 else []
        options = _options([*mode, *engine.options])
        return FnApiRunner(provision_info=_provision(options)), options
    return _REMOTE[engine.name], _options([f"--runner={_REMOTE[engine.name]}", *engine.options])


def _provision(options: PipelineOptions) -> ExtendedProvisionInfo:
    """Hands the options on to workers that are processes of their own, which FnApiRunner leaves without any."""
    known = options.get_all_options(drop_default=True)
    values = {f"beam:option:{k}:v1": v if isinstance(v, (bool, list, dict)) else str(v) for k, v in known.items()}
    return ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=dict_to_struct(values)))


def connect(engine: Engine) -> None:
    """Lets this process reach remote stores with the engine's options: endpoint, region, credentials, project.

    Raises:
        ConfigError: an option that Beam does not know.
    """
    stores.connect(runner_and_options(engine)[1])


def without_secrets(engine: Engine) -> Engine:
    """The engine with what its options keep secret blotted out, for files and terminals."""
    secret = re.compile(r"(--\w*(?:secret|password|token|access_key)\w*)=.*", re.DOTALL)
    options = [secret.sub(r"\1=***", text) for text in engine.options]
    return engine.model_copy(update={"options": options})


def _options(arguments: list[str]) -> PipelineOptions:
    """Beam's options, each checked: Beam itself passes over what it does not know."""
    flags = _flags()
    value_may_follow = False
    for argument in arguments:
        flag, equals, _ = argument.partition("=")
        if not argument.startswith("--"):
            if not value_may_follow:
                raise ConfigError(f"engine.options: `{argument}` is no option; options are written --name=value")
        elif flag not in flags:
            near = difflib.get_close_matches(flag, flags, 1, 0.6)
            hint = f"did you mean `{near[0]}`?" if near else "see the options of Beam and of the engine"
            raise ConfigError(f"engine.options: Beam knows no {flag}; {hint}")
        value_may_follow = argument.startswith("--") and not equals
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse prints all its options before it exits
            options = PipelineOptions(arguments)
            options.get_all_options()
    except SystemExit:
        problem = said.getvalue().strip().splitlines()[-1].split("error: ")[-1]
        raise ConfigError(f"engine.options: {problem}") from None
    return options


def _flags() -> set[str]:
    """Every option of Beam as it is written."""
    parser = _BeamArgumentParser(allow_abbrev=False)
    for kind in PipelineOptions.__subclasses__():
        with contextlib.suppress(ArgumentError):  # said by another class already
            kind._add_argparse_args(parser)
    return {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
