"""The corpora that this one is held against: found, and refused where their signatures cannot answer."""

from __future__ import annotations

from dataclasses import replace

from dedup.minhash import MinHashSettings
from dedup.signature_files import check_schema, schema
from pipeline import manifests, storage
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.jobs import sign

_MARK = "corpus.json"


def indexes_of(corpus: Corpus) -> list[Corpus]:
    """The corpora of ``dedup.against``, to be read only.

    Raises:
        ConfigError: a folder is no corpus, is this one, or holds a dump that this one holds too.
        GristmillError: its signatures are not finished, or a file of them is not what its manifest says.
    """
    return [_index(corpus, folder) for folder in corpus.config.dedup.against]


def _index(corpus: Corpus, folder: str) -> Corpus:
    if folder.rstrip("/") == corpus.config.output.rstrip("/"):
        raise ConfigError(f"dedup.against: {folder} is the output folder of this corpus itself: name another one")
    if not storage.exists(storage.join(folder, _MARK)):
        raise ConfigError(f"dedup.against: {folder} is no output folder of a corpus, for it has no {_MARK}")
    index = Corpus(corpus.config.model_copy(update={"output": folder}), read_only=True)
    if not manifests.exists(index.folder("signatures")):
        raise ConfigError(f"dedup.against: {folder} has no signatures yet: run `gristmill dedup` on that corpus first")
    both = sorted(set(index.dumps()) & {*corpus.dumps(), *_named_dumps(corpus)})
    if both:
        raise ConfigError(
            f"dedup.against: the dump `{both[0]}` stands in {folder} and in this corpus, {corpus.config.output}, too: "
            "each of its documents would be a copy of itself; leave the folder out, or the dump"
        )
    _check_settings(corpus, index, folder)
    _check_sizes(index, folder)
    return index


def _check_settings(corpus: Corpus, index: Corpus, folder: str) -> None:
    dedup = corpus.config.dedup
    wanted = replace(sign.minhash_settings(dedup), permutations=sign.banding(dedup).values)
    try:
        check_schema(schema(MinHashSettings(**index.manifest("signatures")["settings"])), wanted)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"dedup.against: {folder}: {error}") from error


def _named_dumps(corpus: Corpus) -> set[str]:
    return {source.dump for source in corpus.config.sources if source.dump}


def _check_sizes(index: Corpus, folder: str) -> None:
    present = storage.list_files(index.folder("signatures"))
    for receipt in index.receipts("signatures"):
        for file in receipt.outcome.files:
            found = present.get(file.path.removeprefix("signatures/"))
            if found != file.bytes:
                has = "is missing" if found is None else f"has {found:,} bytes"
                raise GristmillError(
                    f"dedup.against: {storage.join(folder, file.path)} {has}, where its manifest says "
                    f"{file.bytes:,}: run `gristmill dedup` on that corpus again"
                )
