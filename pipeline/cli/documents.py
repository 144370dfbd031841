"""Documents that a verb is pointed at on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.sources.batches import SourceBatch

_FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".json": "jsonl", ".wet": "wet", ".warc": "warc", ".txt": "text"}
_COMPRESSED = (".gz", ".zst")


def batches_of(paths: list[str]) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The documents of files or globs, batch by batch, each with the name of its file; a text file is one document.

    Records that cannot be read are told on stderr, a line a file.

    Raises:
        ConfigError: a file of another kind, or a glob that finds none.
    """
    from pipeline.sources.paths import expand

    for file in expand(paths, folder=str(Path.cwd())):
        rejected, first = 0, ""
        for batch in _read(file.path):
            if batch.rejects.num_rows:
                reason, offset = (batch.rejects[name][0].as_py() for name in ("reason", "offset"))
                first = first or f"{reason} at byte {offset:,}"
                rejected += batch.rejects.num_rows
            yield Path(file.path).name, batch.documents
        if rejected:
            many = f"{rejected:,} records are" if rejected > 1 else "1 record is"
            typer.echo(f"! {file.path}: {many} left out, the first for {first}", err=True)


def _read(path: str) -> Iterator[SourceBatch]:
    from pipeline.errors import ConfigError
    from pipeline.sources.batches import BatchBuilder
    from pipeline.sources.read import open_input, read_documents

    suffixes = [suffix.lower() for suffix in PurePath(path).suffixes]
    plain = [suffix for suffix in suffixes[-2:] if suffix not in _COMPRESSED]
    kind = _FORMATS.get(plain[-1]) if plain else None
    if kind is None or (kind == "text" and suffixes[-1] in _COMPRESSED):
        kinds = ".jsonl, .parquet, .wet and .warc files (but for Parquet also .gz or .zst), and .txt as they are"
        raise ConfigError(f"{path}: documents are read from {kinds}")
    if kind != "text":
        yield from read_documents(path, kind)
        return
    builder = BatchBuilder(1)
    with open_input(path) as file:
        builder.add(file.read(), 0)
    yield builder.take(0)
