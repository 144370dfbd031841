"""What a run needs beside its crawl files, looked at before hours of work are spent: models and the tokenizer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from pipeline import storage
from pipeline.config import CorpusConfig
from pipeline.errors import ConfigError


def check(config: CorpusConfig, stages: Sequence[str]) -> None:
    """Opens what the stages will need; what lies in a remote store is left to them.

    Raises:
        ConfigError: something is not there, or not what it should be; names the key.
    """
    if "filter" in stages:
        from filters.language import LanguageIdentifier
        from filters.quality import QualityModel

        if config.filter.language.model:
            with _of("filter.language.model"):
                LanguageIdentifier(config.filter.language.model)
        if config.filter.quality:
            with _of("filter.quality"):
                QualityModel(config.filter.quality.model, config.filter.quality.label)
    if "tokenizer" in stages and config.tokenizer.path and storage.is_local(config.tokenizer.path):
        from tokenizer import formats

        with _of("tokenizer.path"):
            formats.load(config.tokenizer.path)


@contextlib.contextmanager
def _of(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{key}: {error.filename}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from error
