"""The texts that dedup leaves to the filter: documents that it kept, without the paragraphs that it drops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dedup.paragraphs import without_lines
from pipeline.arrays import vector
from pipeline.corpus import Corpus
from pipeline.join import found_rows, matching_rows
from pipeline.parts import read_part, read_whole, text_bytes
from pipeline.storage import StoredFile


def kept(corpus: Corpus) -> dict[str, StoredFile]:
    """The file of each part that says which documents are kept, with the checksum of just that.

    What depends on it is not done again when another dump makes the cluster of a kept document larger.
    """
    return {
        receipt.task: receipt.outcome.files[0]._replace(sha256=receipt.outcome.details["kept"])
        for receipt in corpus.receipts("clusters")
        if receipt.outcome.files
    }


def files(corpus: Corpus) -> dict[str, tuple[StoredFile, ...]]:
    """For each part the files that its kept texts come out of, for ``read``."""
    keeping = kept(corpus)
    dropping = {}
    if corpus.config.dedup.paragraphs:
        dropping = {receipt.task: receipt.outcome.files for receipt in corpus.receipts("paragraphs")}
    return {
        receipt.task: (receipt.outcome.files[0], keeping[receipt.task], *dropping.get(receipt.task, ()))
        for receipt in corpus.receipts("documents")
    }


def read(
    corpus: Corpus, files: Sequence[StoredFile], columns: Sequence[str] | None = None, only: pa.Array | None = None
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Reads the kept texts of one part, a row group at a time.

    Args:
        corpus: whose they are.
        files: those of the part.
        columns: of the documents, ``key`` and ``text`` among them; all when None.
        only: sorted keys [m]: of the kept documents only these.

    Yields:
        The documents, and the bytes of text that were read for them.
    """
    documents, clusters, *dropped = (corpus.path(file.path) for file in files)
    decided = read_whole(clusters, ["key", "kept"])
    keys = decided.filter(decided["kept"])["key"].combine_chunks()
    lines = read_whole(dropped[0]) if dropped else None
    if lines is not None:  # no word of these is left
        keys = keys.filter(pc.invert(matching_rows(keys, lines.filter(lines["emptied"])["key"])))
    for batch in read_part(documents, columns):
        whole_bytes = text_bytes(batch["text"])
        batch = batch.filter(matching_rows(batch["key"], keys))
        if only is not None:
            batch = batch.filter(matching_rows(batch["key"], only))
        yield (batch if lines is None else _without(batch, lines)), whole_bytes


def _without(batch: pa.RecordBatch, dropped: pa.Table) -> pa.RecordBatch:
    """Documents without the lines that are to go from them; both sorted by key."""
    rows, here = found_rows(vector(dropped["key"]), vector(batch["key"]))
    text = without_lines(batch["text"], rows[here], vector(dropped["line"])[here])
    return batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), text)
