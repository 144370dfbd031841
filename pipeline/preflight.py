"""What a run needs beside its crawl files, looked at before hours of work: models, other corpora, the tokenizer."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import storage
from pipeline.config import CorpusConfig, QualityModel
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from tokenizer.formats import Tokenizer


def check(config: CorpusConfig, stages: Sequence[str]) -> None:
    """Opens what the stages will need.

    Raises:
        ConfigError: something is not there, or not what it should be; names the key.
    """
    if "filter" in stages:
        _check_models(config.filter.quality)
    elif "dedup" in stages and config.dedup.keep == "best-quality":
        _check_models(dict([config.best_quality_model()]))
    if "filter" in stages and config.filter.urls.given():
        from pipeline.url_lists import rules_of

        rules_of(config.filter.urls)
    if "dedup" in stages and config.dedup.against:
        from pipeline.corpus import Corpus
        from pipeline.matching.indexes import indexes_of

        indexes_of(Corpus(config, read_only=True))
    if "filter" in stages and config.filter.decontamination.sets:
        from pipeline import evaluation_sets

        evaluation_sets.check(config.filter.decontamination)
    if "filter" in stages or "mix" in stages or ("tokenizer" in stages and config.tokenizer.weights.languages):
        _check_languages(config, _language_labels(config.filter.language.model))
    if "mix" in stages and config.mix.hosts:
        from pipeline.mixing import host_lists

        host_lists(config.mix.hosts)
    if config.tokenizer.path and ("tokenizer" in stages or "tokenize" in stages):
        _check_tokenizer(config, config.tokenizer.path)
    if config.tokenizer.extend and "tokenizer" in stages:
        from tokenizer.learning import check_base
        from tokenizer.pretokenizers import pretokenizer

        with _of("tokenizer.extend"):
            check_base(
                _tokenizer_at("tokenizer.extend", config.tokenizer.extend),
                pretokenizer(config.tokenizer.model_dump()["pretokenizer"]),
                config.tokenizer.vocabulary,
            )


def _check_models(models: dict[str, QualityModel]) -> None:
    """Reads quality models whole, one at a time."""
    from filters import quality

    for name, model in models.items():
        key = f"filter.quality.{name}"
        _check_local(f"{key}.model", model.model)
        with _of(key):
            quality.QualityModel(model.model, model.scored_label)


def _check_local(key: str, path: str) -> None:
    if not storage.is_local(path):
        raise ConfigError(
            f"{key}: {path} lies in a remote store, and models are read from local disk only: "
            "copy it to the same local path on every worker first, and give that path"
        )


def _language_labels(path: str | None) -> list[str]:
    """The languages that the model can find. Of the embedded one, which is whole, nothing else is read."""
    from filters import fasttext_model
    from filters.language import LanguageIdentifier, default_model

    with _of("filter.language.model"):
        if path is None:
            return fasttext_model.labels(default_model())
        _check_local("filter.language.model", path)
        return LanguageIdentifier(path).model.labels


def _check_languages(config: CorpusConfig, labels: list[str]) -> None:
    """Refuses languages that no document will ever be in."""
    from filters.language import UNKNOWN
    from pipeline.config.languages import languages_of
    from pipeline.preset_uses import entries

    named = [("filter.language.keep", language) for language in config.filter.language.keep]
    for use in entries(config.filter):
        if use.group is None:
            named += [(f"{use.key}.languages", language) for language in use.scope.only or ()]
    for key in config.filter.by_language:
        named += [(f"filter.by_language.{key}", language) for language in languages_of(key)]
    for name, model in config.filter.quality.items():
        named += [(f"filter.quality.{name}.languages", language) for language in model.languages or ()]
    named += [("mix.languages", language) for language in config.mix.languages.named]
    named += [("tokenizer.weights.languages", language) for language in config.tokenizer.weights.languages]
    for key, language in named:
        if language != UNKNOWN and language not in labels:
            raise ConfigError(f"{key}: the language model has no `{language}`; {_nearest_language(language, labels)}")


def _nearest_language(language: str, labels: list[str]) -> str:
    """The label that a code begins with (`eng`, `zh-CN`), else those that look alike, else what labels look like."""
    begun = [label for label in labels if language.lower().startswith(label)]
    near = [max(begun, key=len)] if begun else difflib.get_close_matches(language, labels, 3, 0.6)
    if near:
        return f"did you mean {' or '.join(f'`{label}`' for label in near)}?"
    return f"its {len(labels)} labels are such as {', '.join(labels[:6])}"


def _check_tokenizer(config: CorpusConfig, path: str) -> None:
    """Reads the tokenizer, wherever it lies, and looks for the tokens that the shards ask for."""
    tokenizer = _tokenizer_at("tokenizer.path", path)
    for name, wanted in [("begin", config.shards.begin_token), ("end", config.shards.end_token)]:
        if wanted and name not in tokenizer.special_ids:
            raise ConfigError(
                f"shards.{name}_token: {path} has no such token, only {', '.join(tokenizer.special_ids) or 'none'}: "
                "set it to false, or name the token in the tokenizer_config.json beside it"
            )


def _tokenizer_at(key: str, path: str) -> Tokenizer:
    from tokenizer import formats

    file = path if path.endswith(".json") else storage.join(path, "tokenizer.json")
    beside = storage.join(file.rpartition("/")[0], "tokenizer_config.json")
    with _of(key):
        if storage.is_local(path) and not Path(path).exists():  # rather than what would lie in it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        settings = storage.read_text(beside) if storage.exists(beside) else None
        return formats.from_json(storage.read_text(file), settings, file)


@contextlib.contextmanager
def _of(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        raise ConfigError(f"{key}: {what}") from error
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from error
