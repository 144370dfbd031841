"""What the jobs of the filter say of each document, from the folders that they say it in, as one table."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from pipeline import contamination
from pipeline.arrays import vector
from pipeline.corpus import Corpus
from pipeline.join import rows_of
from pipeline.parts import read_rows, read_schema, read_whole
from pipeline.storage import StoredFile


def files(corpus: Corpus, columns: Collection[str]) -> dict[str, tuple[StoredFile, ...]]:
    """The files of each part that hold these columns: annotations, the models asked for, and shared evaluation texts.

    Whoever plans by them does nothing again when a model or a set is added that it does not ask.
    """
    found = {receipt.task: receipt.outcome.files[:1] for receipt in corpus.receipts("annotations")}
    models = [
        name
        for name, model in corpus.config.filter.quality.items()
        if not set(columns).isdisjoint(model.columns(name).values())
    ]
    judged = {receipt.task: receipt.outcome.files for receipt in corpus.receipts("quality")} if models else {}
    shared = contamination.schema(list(corpus.config.filter.decontamination.sets)).names[1:]
    searched: dict[str, tuple[StoredFile, ...]] = {}
    if not set(columns).isdisjoint(shared):
        searched = {receipt.task: receipt.outcome.files[:1] for receipt in corpus.receipts("contamination")}
    return {
        part: (*own, *(file for name in models for file in judged[f"{name}/{part}"]), *searched.get(part, ()))
        for part, own in found.items()
    }


def read(
    corpus: Corpus, inputs: Sequence[StoredFile], columns: Sequence[str], keys: np.ndarray | None = None
) -> pa.Table:
    """Columns of one part, a row a document, joined by key.

    Args:
        corpus: whose they are.
        inputs: the part's files, as ``files`` gives them.
        columns: ``key`` among them.
        keys: uint64, ascending, of these documents only; all when None.

    Raises:
        GristmillError: a file is missing or damaged, or none has one of the columns.
    """
    first, *others = [corpus.path(file.path) for file in inputs]
    elsewhere = {
        path: [name for name in read_schema(path).names if name in columns and name != "key"] for path in others
    }
    taken = {name for names in elsewhere.values() for name in names}
    found = _read(first, [name for name in columns if name not in taken], keys)
    for path, names in elsewhere.items():
        table = _read(path, ["key", *names], keys)
        rows = pa.array(rows_of(vector(found["key"]), vector(table["key"])))
        for name in names:
            found = found.append_column(name, table[name].take(rows))
    return found.select(list(columns)).combine_chunks()


def _read(path: str, columns: list[str], keys: np.ndarray | None) -> pa.Table:
    if keys is None:
        return read_whole(path, columns)
    known = read_schema(path)
    return pa.Table.from_batches(read_rows(path, columns, keys), pa.schema([known.field(name) for name in columns]))
