"""Domains and tokens of documents → how much there is of each cell of the mixture over the range of the hash."""

from __future__ import annotations

from typing import Any

from pipeline import manifests, mixing
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.manifests import Outcome


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the sums depend on beside the files."""
    return config.mix.model_dump(include={"unit", "seed"})


def plan(corpus: Corpus) -> list[Task]:
    """One task: it reads a few bytes of each document of all parts, named by their manifests and not one by one."""
    contents = manifests.fingerprint([[file.sha256 for file in files] for files in mixing.measured(corpus)])
    return [Task("cells", {"contents": contents})]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Adds up."""
    rows, total, file = mixing.write_cells(corpus, settings["unit"], settings["seed"])
    return Outcome({"rows": rows, settings["unit"]: total}, {}, (file,))


JOB = Job("tally", mixing.CELLS, 1, settings_of, plan, work, asked_for=lambda config: config.mix.asked)
