"""The mechanism under every job: plan tasks, run the pending ones as a Beam pipeline, gather what they made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import apache_beam as beam

from pipeline import manifests, progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError, as_marked, from_marked
from pipeline.manifests import Outcome, Receipt
from pipeline.runners import runner_and_options, workers_of
from pipeline.storage import StoredFile


@dataclass(frozen=True)
class Task:
    """One unit of work that is done whole or not at all.

    ``arguments`` (JSON) go to the job's work function; ``inputs`` are the files it reads, whose checksums are part of
    its fingerprint; ``bytes`` of text it will read, for the progress bar.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[StoredFile, ...] = ()
    bytes: int = 0


Work = Callable[[Task, dict[str, Any], Corpus], Outcome]


@dataclass(frozen=True)
class Job:
    """A Beam job over tasks.

    Attributes:
        name: for messages and the manifest.
        folder: stage folder below the output folder; holds the manifest.
        beside: further folders that the job's files lie in.
        version: raised whenever the same inputs and settings give other bytes.
        settings: the part of the config that the outputs depend on, as JSON.
        plan: the tasks, in a fixed order.
        work: does one task on a worker. Unused when ``expand`` is given.
        expand: wires pending tasks into Beam where the work is more than one function a task; yields (task, outcome).
        summarise: the manifest's counts and details from all outcomes, in the order of the tasks, and files of the
            whole, such as an index. It may refuse the result.
        summary_settings: what only the summary depends on: a change does no task again.
        before: jobs to run first, told one by one, for how many there are may only turn out as they finish.
        division: into how many pieces a run cuts the work, for the manifest; it changes no byte of the result.
        asked_for: whether the config asks for this job at all; where it does not, there is no trace of it.
    """

    name: str
    folder: str
    version: int
    settings: Callable[[CorpusConfig], dict[str, Any]]
    plan: Callable[[Corpus], list[Task]]
    work: Work | None = None
    beside: tuple[str, ...] = ()
    expand: Callable[[beam.Pipeline, list[Task], dict[str, Any], Corpus], beam.PCollection] | None = None
    summarise: Callable[[Corpus, list[Outcome]], Outcome] = lambda corpus, outcomes: Outcome(
        manifests.add_counts([outcome.counts for outcome in outcomes])
    )
    summary_settings: Callable[[CorpusConfig], dict[str, Any]] = lambda config: {}
    before: Callable[[Corpus], Iterable[Job]] = lambda corpus: ()
    division: Callable[[Corpus], dict[str, int]] = lambda corpus: {}
    asked_for: Callable[[CorpusConfig], bool] = lambda config: True


@dataclass(frozen=True)
class State:
    """Where a job stands: its tasks, what each depends on, what is done and what is not."""

    settings: dict[str, Any]
    tasks: list[Task]
    fingerprints: dict[str, str]
    receipts: dict[str, Receipt]
    present: dict[str, int]
    whole: str  # fingerprint of all of it
    summarised: bool  # whether the manifest is that of ``whole``, and the files of the summary lie there

    @property
    def current(self) -> bool:
        """Whether there is nothing to do."""
        return self.summarised and not self.pending

    @property
    def pending(self) -> list[Task]:
        """Tasks still to do."""
        return [task for task in self.tasks if task.name not in self.receipts]


def state_of(job: Job, corpus: Corpus) -> State:
    """Plans a job and compares the plan with what lies in its folders."""
    settings = job.settings(corpus.config)
    tasks = job.plan(corpus)
    fingerprints = {task.name: _fingerprint(job, settings, task) for task in tasks}
    present = {
        f"{name}/{path}": size
        for name in (job.folder, *job.beside)
        for path, size in storage.list_files(corpus.folder(name)).items()
    }

    def stands(receipt: Receipt) -> bool:
        files_lie_there = all(present.get(file.path) == file.bytes for file in receipt.outcome.files)
        again = receipt.outcome.details.get("retry", False)  # what failed for a reason that may have gone
        return receipt.fingerprint == fingerprints.get(receipt.task) and files_lie_there and not again

    folder = corpus.folder(job.folder)
    receipts = {name: receipt for name, receipt in manifests.known_receipts(folder).items() if stands(receipt)}
    whole = manifests.fingerprint(job.name, job.version, settings, job.summary_settings(corpus.config), fingerprints)
    manifest = manifests.read_manifest(folder) or {}
    summarised = manifest.get("complete", False) and manifest["fingerprint"] == whole
    summarised = summarised and all(
        present.get(file["path"]) == file["bytes"] for file in manifest.get("summary_files", [])
    )
    return State(settings, tasks, fingerprints, receipts, present, whole, summarised)


def run(job: Job, corpus: Corpus) -> bool:
    """Brings a job's folder up to date.

    Returns:
        False when everything was done already.

    Raises:
        GristmillError: with the one line a person needs; finished tasks stay finished.
    """
    folder = corpus.folder(job.folder)
    state = state_of(job, corpus)
    if state.current:
        return False
    for each in job.before(corpus):
        run(each, corpus)

    # From here on the folder is in motion: only tasks that stay valid are remembered, in case this run is killed too.
    kept = [state.receipts[task.name].to_json() for task in state.tasks if task.name in state.receipts]
    in_motion = {"stage": job.name, "complete": False, "tasks": kept}
    storage.write_json(storage.join(folder, manifests.MANIFEST), in_motion)
    manifests.delete_receipts(folder)
    progress.start(job.name, len(state.pending), sum(task.bytes for task in state.pending))
    started = time.monotonic()
    if state.pending:
        _run_pipeline(job, state, corpus)
    done = state.receipts | manifests.known_receipts(folder)
    lost = [task.name for task in state.tasks if task.name not in done]
    if lost:
        raise GristmillError(f"{job.name}: {len(lost)} tasks left no receipt ({lost[0]}, …): run again")
    receipts = [done[task.name] for task in state.tasks]
    _delete_strays(job, corpus, receipts, state.present)
    outcomes = [receipt.outcome for receipt in receipts]
    summary = job.summarise(corpus, outcomes)
    files = [file for outcome in [*outcomes, summary] for file in outcome.files]
    storage.write_json(
        storage.join(folder, manifests.MANIFEST),
        {
            "stage": job.name,
            "complete": True,
            "fingerprint": state.whole,
            "version": manifests.code_version(),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - started, 3),
            "tasks_run": len(state.pending),
            "workers": workers_of(corpus.config.engine),
            "division": job.division(corpus),
            "settings": state.settings,
            "counts": summary.counts,
            "details": summary.details,
            "files": [file._asdict() for file in files],
            "summary_files": [file._asdict() for file in summary.files],
            "tasks": [receipt.to_json() for receipt in receipts],
        },
    )
    manifests.delete_receipts(folder)
    return True


def clear(job: Job, corpus: Corpus) -> None:
    """Deletes what a job left that the config no longer asks for."""
    for name in (job.folder, *job.beside):
        files = storage.list_files(corpus.folder(name))
        storage.delete([corpus.path(f"{name}/{path}") for path in files])


def _fingerprint(job: Job, settings: dict[str, Any], task: Task) -> str:
    inputs = [(file.path, file.sha256) for file in task.inputs]
    return manifests.fingerprint(job.name, job.version, settings, task.name, task.arguments, inputs)


def _delete_strays(job: Job, corpus: Corpus, receipts: list[Receipt], present: dict[str, int]) -> None:
    """Deletes files of tasks that are no longer planned, and what a killed run left half-written."""
    made = {file.path for receipt in receipts for file in receipt.outcome.files}
    own = (f"{job.folder}/{manifests.MANIFEST}", f"{job.folder}/{manifests.RECEIPTS}/")
    storage.delete([corpus.path(path) for path in present if path not in made and not path.startswith(own)])


def _run_pipeline(job: Job, state: State, corpus: Corpus) -> None:
    # A job with a wiring of its own may have more to do than tasks that are left.
    runner, options = runner_and_options(corpus.config.engine, None if job.expand else len(state.pending))
    try:
        with beam.Pipeline(runner=runner, options=options) as pipeline:
            if job.expand:
                outcomes = job.expand(pipeline, state.pending, state.settings, corpus)
            else:
                assert job.work is not None
                outcomes = pipeline | job.name >> EachTask(job.work, state.pending, state.settings, corpus)
            outcomes | "Leave receipts" >> beam.ParDo(_LeaveReceipt(corpus.folder(job.folder), state.fingerprints))
    except BaseException as error:
        told = from_marked(error)
        if told is None:
            raise
        raise told from error


class EachTask(beam.PTransform):
    """Runs a function once for each task, spread over the workers; yields (task name, outcome)."""

    def __init__(self, work: Work, tasks: list[Task], settings: dict[str, Any], corpus: Corpus):
        super().__init__()
        self._work, self._tasks, self._settings, self._corpus = work, tasks, settings, corpus

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Tasks → spread → work."""
        # The largest first, so that the last worker to finish has only a small one left.
        tasks = sorted(self._tasks, key=lambda task: (-task.bytes, task.name))
        return (
            pipeline
            | "Tasks" >> beam.Create(tasks)
            | "Spread" >> beam.Reshuffle()
            | "Work" >> beam.ParDo(_Work(self._work, self._settings, self._corpus))
        )


class _Work(beam.DoFn):
    def __init__(self, work: Work, settings: dict[str, Any], corpus: Corpus):
        self._work, self._settings, self._corpus = work, settings, corpus

    def process(self, task: Task) -> Any:
        with telling_errors():
            outcome = self._work(task, self._settings, self._corpus)
        progress.advance(tasks=1)
        yield task.name, outcome


class telling_errors:
    """Lets an error that is meant for a person survive the runner."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Replaces the error by one that carries its text in a form that can be found again."""
        marked = as_marked(error) if error is not None else None
        if marked is not None:
            raise marked from error


class _LeaveReceipt(beam.DoFn):
    def __init__(self, folder: str, fingerprints: dict[str, str]):
        self._folder, self._fingerprints = folder, fingerprints

    def process(self, element: tuple[str, Outcome]) -> None:
        task, outcome = element
        with telling_errors():
            manifests.write_receipt(self._folder, Receipt(task, self._fingerprints[task], outcome))
