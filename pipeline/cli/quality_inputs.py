"""What verbs over quality models are given: documents by class, and shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

Positive = Annotated[
    list[str] | None,
    typer.Option(help="Good documents: JSONL or Parquet files or globs with a `text` column. As often as needed."),
]
Negative = Annotated[list[str] | None, typer.Option(help="Other documents, as they come: a random part of the crawl.")]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="NAME=FILES", help="A class of documents, in place of the two; twice or more."),
]
SampleBytes = Annotated[
    int | None,
    typer.Option(help="Bytes read of a document, half its beginning, half its middle. All when not given.", min=16),
]


def share(value: str, option: str) -> float:
    """A share as people write it, 10% or 0.1.

    Raises:
        ConfigError: it is none between 0 and 1.
    """
    from pipeline.errors import ConfigError

    text = value.strip()
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ConfigError(f"{option}: {value!r} is no share; give one such as 10% or 0.1")
    return number


def files_by_class(
    positive: list[str] | None, negative: list[str] | None, classes: list[str] | None
) -> dict[str, list[str]]:
    """The files of each class, as options name them.

    Raises:
        ConfigError: neither the two nor several classes, or both.
    """
    from pipeline.errors import ConfigError

    if classes and (positive or negative):
        raise ConfigError("--class takes the place of --positive and --negative: give one or the other")
    if not classes:
        for option, files in (("--positive", positive), ("--negative", negative)):
            if not files:
                raise ConfigError(f"{option}: no files; give both --positive and --negative, or --class twice or more")
        return {"positive": positive or [], "negative": negative or []}
    named: dict[str, list[str]] = {}
    for value in classes:
        name, equals, files_of_class = value.partition("=")
        if not (name and equals and files_of_class):
            raise ConfigError(f"--class: {value!r} is no NAME=FILES, such as 'law=law/*.jsonl'")
        named.setdefault(name, []).append(files_of_class)
    if len(named) < 2:
        raise ConfigError(f"--class: {next(iter(named))} alone has nothing to be told apart from; give two or more")
    return named


def texts(paths: list[str]) -> Iterator[Any]:
    """The text columns of JSONL and Parquet files, batch by batch."""
    from pipeline.cli.documents import batches_of

    for _, batch in batches_of(paths):
        yield batch["text"]


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no NaN."""
    return {name: None if value != value else value for name, value in values.items()}
