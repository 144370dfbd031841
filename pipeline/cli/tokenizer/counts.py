"""Count files added together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import as_one_line
from pipeline.cli.tokenizer.given import CountPaths, count_files, source_of

if TYPE_CHECKING:
    from fractions import Fraction


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(name="merge-counts")(merge_counts)


def merge_counts(
    counts: CountPaths,
    out: Annotated[str, typer.Option("--out", help="The count file to write.")],
    weight: Annotated[
        list[str],
        typer.Option(metavar="COUNTS=NUMBER", help="What one of them counts by; 1 for the others. May be repeated."),
    ] = [],  # noqa: B006 typer copies it
) -> None:
    """Add count files together, each by a weight of its own; sums are rounded once, half to even.

    gristmill tokenizer merge-counts out/web/counts out/books/counts --out all.parquet

    gristmill tokenizer merge-counts web.parquet code.parquet --weight code.parquet=2.5 --out all.parquet
    """
    from fractions import Fraction

    from pipeline import storage
    from pipeline.errors import ConfigError
    from pipeline.units import singular
    from tokenizer.count_addition import merge_count_files

    weights = _weights(weight, counts)
    files = [(source_of(file), weights.get(path, Fraction(1))) for path in counts for file in count_files(path)]
    with as_one_line(), storage.atomic_write(out) as written:
        rows = merge_count_files([file for file, _ in files], written.stream, [share for _, share in files])
        if not rows and weight:
            raise ConfigError(
                f"--weight {' '.join(weight)}: no piece is left, every count rounds to 0: give larger ones"
            )
    amounts = f"{rows:,} distinct pieces from {len(files):,} files"
    typer.echo(f"{out}: {singular(amounts)}")


_NUMBER = re.compile(r"[^eE]*([eE][+-]?[0-9]{1,3})?")  # 1e1000000000 would fill the memory with its digits


def _weights(given: list[str], counts: list[str]) -> dict[str, Fraction]:
    from fractions import Fraction

    from pipeline.config import nearest
    from pipeline.errors import ConfigError

    weights = {}
    for each in given:
        name, equals, number = each.rpartition("=")
        if not equals:
            raise ConfigError(f"--weight {each}: give COUNTS=NUMBER, such as {each}=2.5")
        if name not in counts:
            raise ConfigError(f"--weight {each}: {name!r} is none of the counts; {nearest(name, counts)}")
        try:
            if not _NUMBER.fullmatch(number):
                raise ValueError
            weights[name] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise ConfigError(f"--weight {each}: {number!r} is no number: give one such as {name}=2.5") from None
        if weights[name] < 0:
            raise ConfigError(f"--weight {each}: a file counts 0 times or more")
    return weights
