"""Documents that a verb is pointed at on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import typer


def batches_of(paths: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The documents of JSONL and Parquet files or globs, batch by batch, each with the name of its file.

    Records that cannot be read are told on stderr, a line a file.

    Raises:
        ConfigError: a file of another kind, or a glob that finds none.
    """
    from pipeline.errors import ConfigError
    from pipeline.sources.paths import expand
    from pipeline.sources.read import read_documents

    for file in expand(paths, folder=str(Path.cwd())):
        kind = "parquet" if file.path.endswith(".parquet") else "jsonl" if ".json" in file.path else None
        if kind is None:
            raise ConfigError(f"{file.path}: documents are read from .jsonl (.gz, .zst) and .parquet files")
        rejected, reason = 0, ""
        for batch in read_documents(file.path, kind):
            if batch.rejects.num_rows:
                reason = reason or batch.rejects["reason"][0].as_py()
                rejected += batch.rejects.num_rows
            yield Path(file.path).name, batch.documents
        if rejected:
            typer.echo(f"! {file.path}: {rejected:,} records are left out, the first for {reason}", err=True)
