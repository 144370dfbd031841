"""The stages in order, and how a run goes through them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from pipeline import job, manifests, preflight, runners, storage
from pipeline.config import STAGES, CorpusConfig
from pipeline.config_file import show
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Job
from pipeline.jobs import (
    annotate,
    cluster,
    count,
    decide,
    drop_paragraphs,
    encode,
    gather,
    hash_paragraphs,
    ingest,
    match,
    mix,
    overlap,
    quality,
    score,
    select,
    sign,
    survey,
    tally,
    train_tokenizer,
    weigh,
    yardstick,
)

JOBS: dict[str, tuple[Job, ...]] = {
    "ingest": (ingest.JOB,),
    "dedup": (sign.JOB, match.JOB, score.JOB, cluster.JOB, hash_paragraphs.JOB, drop_paragraphs.JOB),
    "filter": (annotate.JOB, quality.JOB, overlap.JOB, decide.JOB, select.JOB),
    "mix": (survey.JOB, yardstick.JOB, weigh.JOB, tally.JOB, mix.JOB),
    "tokenizer": (count.JOB, train_tokenizer.JOB),
    "tokenize": (encode.JOB, gather.JOB),
}
assert tuple(JOBS) == STAGES


def jobs(stage: str, config: CorpusConfig) -> list[Job]:
    """The jobs of a stage that the config asks for, in order."""
    return [each for each in JOBS[stage] if each.asked_for(config)]


class Watcher(Protocol):
    """Is told what a run does; see ``pipeline.console``."""

    def started(self, stage: str, job: str) -> None:
        """A job begins."""

    def finished(self, stage: str, job: str, manifest: dict[str, Any], seconds: float, ran: bool) -> None:
        """A job is done, or was done already."""


def run(corpus: Corpus, stages: Sequence[str], watcher: Watcher, only: str | None = None) -> None:
    """Brings the stages of a corpus up to date, in order; ``only`` one job of them.

    Raises:
        ConfigError, GristmillError: with the one line a person needs.
    """
    runners.connect(corpus.config.engine)
    preflight.check(corpus.config, stages)
    with corpus.locked():
        corpus.claim()
        shown = corpus.config.model_copy(update={"engine": runners.without_secrets(corpus.config.engine)})
        with storage.atomic_write(corpus.path("corpus.yaml")) as file:
            file.stream.write(show(shown).encode())
        _check_before(corpus, stages[0])
        for stage in stages:
            for each in [each for each in JOBS[stage] if not each.asked_for(corpus.config)]:
                job.clear(each, corpus)
            asked = jobs(stage, corpus.config)
            if only is not None:
                _check_current(asked, only, corpus)
            for each in [each for each in asked if only in (None, each.name)]:
                started = time.monotonic()
                watcher.started(stage, each.name)
                ran = job.run(each, corpus)
                manifest = manifests.read_manifest(corpus.folder(each.folder)) or {}
                watcher.finished(stage, each.name, manifest, time.monotonic() - started, ran)


def _check_before(corpus: Corpus, first: str) -> None:
    """Refuses to build a stage on earlier ones that are not up to date with the config and with each other.

    The crawl files themselves are not asked: they may be gone once they are ingested.
    """
    for stage in STAGES[: STAGES.index(first)]:
        for each in jobs(stage, corpus.config):
            if each is ingest.JOB:
                corpus.manifest(each.folder)
            elif not job.state_of(each, corpus).current:
                raise GristmillError(
                    f"{first}: {corpus.folder(each.folder)} is not up to date with the config or with what it is made "
                    f"of: `gristmill run --until {first}` brings it up to date first"
                )


def _check_current(asked: Sequence[Job], only: str, corpus: Corpus) -> None:
    """Refuses to do one job of a stage where those of the stage before it are not up to date."""
    for each in asked[: [each.name for each in asked].index(only)]:
        if not job.state_of(each, corpus).current:
            stage = next(stage for stage in STAGES if each in JOBS[stage])
            raise GristmillError(
                f"{only}: {corpus.folder(each.folder)} is not up to date with the config or with what it is made of: "
                f"`gristmill {stage}` brings it up to date"
            )


def until(stage: str | None) -> list[str]:
    """The stages up to one, itself included; all of them for None."""
    return list(STAGES if stage is None else STAGES[: STAGES.index(stage) + 1])
