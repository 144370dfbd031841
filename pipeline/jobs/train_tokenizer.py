"""Counts → merges → a tokenizer in its folder; or an existing tokenizer, checked and copied there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from tokenizer import formats, merges
from tokenizer.count_addition import merge_counts
from tokenizer.count_files import read_counts
from tokenizer.pretokenizers import PRETOKENIZERS, Pretokenizer

FOLDER = "tokenizer"


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the tokenizer depends on; of an existing one, its content."""
    if config.tokenizer.path:
        return {"path": config.tokenizer.path, "content": _content(config.tokenizer.path)}
    return config.tokenizer.model_dump(exclude={"path"})


def _content(path: str) -> list[str]:
    file, beside = _files_of(path)
    try:
        return [storage.sha256_of(file), storage.sha256_of(beside) if storage.exists(beside) else ""]
    except OSError as error:
        raise GristmillError(f"tokenizer.path: {file} cannot be read ({error.strerror or error})") from error


def _files_of(path: str) -> tuple[str, str]:
    """The tokenizer.json that a path means, and the config that may lie beside it."""
    file = path if path.endswith(".json") else storage.join(path, "tokenizer.json")
    return file, storage.join(os.path.dirname(file), "tokenizer_config.json")


def plan(corpus: Corpus) -> list[Task]:
    """One task: merges know no parts."""
    counts = [file for receipt in corpus.receipts("counts") for file in receipt.outcome.files]
    return [Task("tokenizer", {}, tuple(counts))]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Trains, or takes what is given, and saves in Hugging Face's format."""
    try:
        tokenizer, counts = _given(settings) if "path" in settings else _trained(task, settings, corpus)
    except ValueError as error:
        raise GristmillError(f"tokenizer: {error}") from error
    files = []
    for name, content in sorted(formats.to_json(tokenizer).items()):
        with storage.atomic_write(corpus.path(f"{FOLDER}/{name}")) as file:
            file.stream.write(content.encode())
        files.append(corpus.stored(file))
    counts |= {"vocabulary": tokenizer.merges.vocabulary_size, "model_vocabulary": tokenizer.model_vocabulary}
    details = {"hash": tokenizer.hash, "special_ids": dict(tokenizer.special_ids)}
    return Outcome(counts, details, tuple(files))


def _given(settings: dict[str, Any]) -> tuple[formats.Tokenizer, dict[str, int]]:
    """Reads an existing tokenizer; its folder may be remote."""
    file, beside = _files_of(settings["path"])
    config = storage.read_text(beside) if storage.exists(beside) else None
    return formats.from_json(storage.read_text(file), config, file), {}


def _trained(task: Task, settings: dict[str, Any], corpus: Corpus) -> tuple[formats.Tokenizer, dict[str, int]]:
    """Adds up the counts of all parts and learns the merges."""
    pretokenizer = PRETOKENIZERS[settings["pretokenizer"]]
    counts = added(_counts_of(task, corpus, pretokenizer))
    learned = merges.train(
        counts,
        settings["vocabulary"],
        lambda done, asked: progress.expect(done, asked),
        minimum_count=settings["min_frequency"],
        strict=settings["strict"],
    )
    tokenizer = formats.Tokenizer(pretokenizer, learned, model_vocabulary=settings["model_vocabulary"] or 0)
    pieces = pc.sum(counts["count"]).as_py() or 0
    return tokenizer, {"pieces": pieces, "distinct_pieces": counts.num_rows, "asked": settings["vocabulary"]}


def _counts_of(task: Task, corpus: Corpus, pretokenizer: Pretokenizer) -> Iterator[pa.Table]:
    for file in task.inputs:
        with storage.open_read(corpus.path(file.path)) as stream:
            yield read_counts(stream, pretokenizer)


def added(tables: Iterable[pa.Table]) -> pa.Table:
    """Adds up count tables as they come, so that no more lie in memory than twice the sum's size and one table."""
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(each.num_rows for each in pending[1:]) > pending[0].num_rows:
            pending = [merge_counts(pending)]
    return merge_counts(pending)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The counts and details of the one task."""
    return Outcome(outcomes[0].counts, outcomes[0].details)


def tokenizer_of(output: str) -> formats.Tokenizer:
    """The tokenizer in an output folder, once the stage is done."""
    path = storage.join(output, FOLDER, "tokenizer.json")
    config = storage.read_text(storage.join(output, FOLDER, "tokenizer_config.json"))
    return formats.from_json(storage.read_text(path), config, path)


def shard_facts(corpus: Corpus) -> dict[str, Any]:
    """What shards say of their tokenizer: its hash, the model's vocabulary, and the ids around every document.

    Raises:
        ConfigError: the tokenizer lacks a token that the config asks for.
    """
    manifest, config = corpus.manifest(FOLDER), corpus.config.shards
    ids = manifest["details"]["special_ids"]
    for name, wanted in [("begin", config.begin_token), ("end", config.end_token)]:
        if wanted and name not in ids:
            raise ConfigError(
                f"shards.{name}_token: the tokenizer has only {', '.join(ids) or 'no special tokens'}: set it to false"
            )
    return {
        "tokenizer": manifest["details"]["hash"],
        "vocabulary": manifest["counts"]["model_vocabulary"],
        "begin": ids["begin"] if config.begin_token else None,
        "end": ids["end"] if config.end_token else None,
    }


JOB = Job("tokenizer", FOLDER, 1, settings_of, plan, work, summarise=summarise)
