"""Documents → the hashes of their paragraphs, one file beside each part; like signatures, computed once a dump."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from dedup.paragraphs import paragraphs
from pipeline import progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs import sign
from pipeline.manifests import Outcome
from pipeline.parts import read_part, text_bytes, write_part

# In the order of keys and lines. ``accompanied``: the document has words outside its paragraphs; see dedup.paragraphs.
SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("line", pa.uint32()),
        ("hash", pa.uint64()),
        ("bytes", pa.uint32()),
        ("accompanied", pa.bool_()),
    ]
)


def asked_for(config: CorpusConfig) -> bool:
    """Whether paragraphs are to be deduplicated."""
    return config.dedup.paragraphs


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the hashes depend on."""
    return config.dedup.model_dump(include={"paragraph_words"})


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Hashes one part, the copies among its documents too: which of them stay may change, and their hashes do not."""
    documents = 0
    with write_part(corpus.path(f"paragraph_hashes/{task.name}.parquet"), SCHEMA) as (out, file):
        for batch in read_part(corpus.path(task.inputs[0].path), ["key", "text"]):
            found = paragraphs(batch["text"], settings["paragraph_words"])
            keys = vector(batch["key"])[found.documents]
            columns = [keys, found.lines, found.hashes, found.sizes, found.accompanied]
            out.write(pa.record_batch([pa.array(column) for column in columns], schema=SCHEMA))
            documents += batch.num_rows
            progress.advance(batch.num_rows, text_bytes(batch["text"]))
    counts = {"documents": documents, "paragraphs": out.rows, "text_bytes": task.bytes}
    return Outcome(counts, {}, (corpus.stored(file),))


JOB = Job("hash", "paragraph_hashes", 1, settings_of, sign.plan, work, asked_for=asked_for)
