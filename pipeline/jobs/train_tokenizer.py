"""Counts → merges → a tokenizer in its folder; or an existing tokenizer, checked and copied there."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from pipeline import progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.manifests import Outcome
from pipeline.storage import StoredFile
from pipeline.tokenizer_files import checkpoint_in, drop_checkpoint, files_of, read_tokenizer, write_tokenizer
from tokenizer import fill_in_middle, formats
from tokenizer.count_files import CountFile
from tokenizer.forbidden import check_forbidden, read_forbidden
from tokenizer.learning import learn
from tokenizer.pretokenizers import pretokenizer

FOLDER = "tokenizer"


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the tokenizer depends on; of an existing one, its content."""
    given = config.tokenizer
    if given.path:
        return {"path": given.path, "content": _content(given.path, "path")}
    settings = given.model_dump(exclude={"path", "weights", "forbidden_file"})
    settings["special_tokens"] = list(map(list, given.special_tokens.items()))  # a fingerprint sorts the keys of a dict
    if given.extend:
        settings["content"] = _content(given.extend, "extend")
    if given.forbidden_file:
        try:
            with storage.open_read(given.forbidden_file) as file:
                settings["forbidden"] += read_forbidden(file.read())
            check_forbidden(settings["forbidden"])
        except OSError as error:
            raise _unreadable("forbidden_file", given.forbidden_file, error) from error
        except ValueError as error:
            raise GristmillError(f"tokenizer.forbidden_file: {given.forbidden_file}: {error}") from error
    return settings


def _content(path: str, key: str) -> list[str]:
    file, beside = files_of(path)
    try:
        return [storage.sha256_of(file), storage.sha256_of(beside) if storage.exists(beside) else ""]
    except OSError as error:
        raise _unreadable(key, file, error) from error


def _unreadable(key: str, file: str, error: OSError) -> GristmillError:
    return GristmillError(f"tokenizer.{key}: {file} cannot be read ({error.strerror or error})")


def plan(corpus: Corpus) -> list[Task]:
    """One task: merges know no parts."""
    total = [StoredFile(**file) for file in corpus.manifest("counts")["summary_files"]]
    return [Task("tokenizer", {}, tuple(total))]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Trains, or takes what is given, and saves in Hugging Face's format."""
    try:
        counts: dict[str, int] = {}
        if "path" in settings:
            tokenizer = read_tokenizer(settings["path"])
        else:
            tokenizer, counts = trained(task.inputs[0], settings, corpus, FOLDER)
    except ValueError as error:
        raise GristmillError(f"tokenizer: {error}") from error
    files = [corpus.stored(file) for file in write_tokenizer(tokenizer, corpus.path(FOLDER))]
    drop_checkpoint(corpus.path(FOLDER))
    counts |= {"vocabulary": tokenizer.merges.vocabulary_size, "model_vocabulary": tokenizer.model_vocabulary}
    details = {"hash": tokenizer.hash, "special_ids": dict(tokenizer.special_ids)}
    return Outcome(counts, details, tuple(files))


def trained(
    counted: StoredFile, settings: dict[str, Any], corpus: Corpus, folder: str
) -> tuple[formats.Tokenizer, dict[str, int]]:
    """Learns the merges from the counts of all parts; one that was killed goes on from its last checkpoint.

    Args:
        counted: the counts.
        settings: those of ``settings_of``, without a path.
        corpus: whose they are.
        folder: where the tokenizer will lie, and its checkpoint until then.
    """
    asked = {name: value for name, value in settings.items() if name not in ("pretokenizer", "extend", "content")}
    scheme, vocabulary = pretokenizer(settings["pretokenizer"]), asked.pop("vocabulary")
    asked["special_tokens"] = dict(settings["special_tokens"])  # ids in this order
    base = read_tokenizer(settings["extend"]) if settings["extend"] else None
    with storage.open_read(corpus.path(counted.path)) as stream:
        counts = CountFile(stream, scheme, counted.path)
        learned = learn(
            counts,
            scheme,
            vocabulary,
            base=base,
            checkpoint=checkpoint_in(corpus.path(folder), _key(counted, settings)),
            progress=lambda done, of: progress.expect(done, of),
            **asked,
        )
        pieces = sum(int(np.sum(batch["count"].to_numpy())) for batch in counts.batches())
    return learned, {"pieces": pieces, "distinct_pieces": counts.num_rows, "asked": vocabulary}


def _key(counted: StoredFile, settings: dict[str, Any]) -> str:
    told = json.dumps([settings, [counted.sha256]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The counts and details of the one task."""
    return Outcome(outcomes[0].counts, outcomes[0].details)


def tokenizer_of(output: str) -> formats.Tokenizer:
    """The tokenizer in an output folder, once the stage is done."""
    return read_tokenizer(storage.join(output, FOLDER))


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
    lacking = [name for name in fill_in_middle.TOKENS if name not in ids]
    if config.fill_in_middle and lacking:
        raise ConfigError(
            f"shards.fill_in_middle: the tokenizer has no {', '.join(lacking)}: name them in tokenizer.special_tokens, "
            "or set it to 0"
        )
    return {
        "tokenizer": manifest["details"]["hash"],
        "vocabulary": manifest["counts"]["model_vocabulary"],
        "begin": ids["begin"] if config.begin_token else None,
        "end": ids["end"] if config.end_token else None,
    }


JOB = Job("tokenizer", FOLDER, 3, settings_of, plan, work, summarise=summarise)
