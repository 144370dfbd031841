"""Counts → merges → a tokenizer in its folder; or an existing tokenizer, checked and copied there."""

from __future__ import annotations

from typing import Any

from pipeline import storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.job import Task
from pipeline.manifests import Outcome
from tokenizer import formats

FOLDER = "tokenizer"


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the tokenizer depends on; of an existing one, its content."""
    if config.tokenizer.path:
        return {"path": config.tokenizer.path, "content": _content(config.tokenizer.path)}
    return config.tokenizer.model_dump(exclude={"path"})


def _content(path: str) -> str:
    file = path if path.endswith(".json") else storage.join(path, "tokenizer.json")
    try:
        return storage.sha256_of(file)
    except OSError as error:
        raise GristmillError(f"tokenizer.path: {file} cannot be read ({error.strerror or error})") from error


def plan(corpus: Corpus) -> list[Task]:
    """One task: merges know no parts."""
    counts = [file for receipt in corpus.receipts("counts") for file in receipt.outcome.files]
    return [Task("tokenizer", {}, tuple(counts))]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Trains, or takes what is given, and saves in Hugging Face's format."""
    try:
        tokenizer, counts, details = _given(settings) if "path" in settings else _trained(task, settings, corpus)
    except ValueError as error:
        raise GristmillError(f"tokenizer: {error}") from error
    files = []
    for name, content in formats.to_files(tokenizer).items():
        with storage.atomic_write(corpus.path(f"{FOLDER}/{name}")) as file:
            file.stream.write(content)
        files.append(corpus.stored(file))
    counts |= {"vocabulary": len(tokenizer.merges) + 256, "model_vocabulary": tokenizer.model_vocabulary}
    return Outcome(counts, details | {"hash": tokenizer.hash}, tuple(files))
