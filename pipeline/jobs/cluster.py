"""Pairs of copies → clusters: which document belongs to which, and which copy stays; and the dedup rates.

The pairs of a corpus are few beside its documents (16 bytes each), so one worker unites them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from dedup import policies, rates
from pipeline import progress
from pipeline.arrays import vector
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs.match import urls_of
from pipeline.manifests import Outcome
from pipeline.parts import read_whole, write_part

SCHEMA = pa.schema(
    [("key", pa.uint64()), ("cluster", pa.uint64()), ("cluster_size", pa.uint32()), ("kept", pa.bool_())]
)
_LARGEST, _URLS = 20, 5


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What clusters depend on."""
    return config.dedup.model_dump(include={"keep"})


def plan(corpus: Corpus) -> list[Task]:
    """One task for all: components know no parts."""
    inputs = [
        file for stage in ("signatures", "candidates") for r in corpus.receipts(stage) for file in r.outcome.files
    ]
    parts = [receipt.task for receipt in corpus.receipts("signatures")]
    return [Task("clusters", {"parts": parts}, tuple(inputs))]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Unites all pairs and writes one file beside each part."""
    parts = task.arguments["parts"]
    keys_by_part = [_column(corpus, f"signatures/{part}.parquet", "key") for part in parts]
    keys = np.concatenate(keys_by_part) if keys_by_part else np.empty(0, np.uint64)
    order = np.argsort(keys, kind="stable")  # a dump seen later may come earlier in the order of parts
    left = np.concatenate([_column(corpus, f"candidates/{part}.parquet", "left") for part in parts])
    right = np.concatenate([_column(corpus, f"candidates/{part}.parquet", "right") for part in parts])
    found = policies.clusters(keys[order], left, right, settings["keep"])
    ids, sizes, kept = (np.empty_like(column) for column in found)
    for column, sorted_column in zip((ids, sizes, kept), found, strict=True):
        column[order] = sorted_column

    files = []
    start = 0
    for part, part_keys in zip(parts, keys_by_part, strict=True):
        here = slice(start, start + len(part_keys))
        start = here.stop
        with write_part(corpus.path(f"clusters/{part}.parquet"), SCHEMA) as (out, file):
            out.write(pa.record_batch([part_keys, ids[here], sizes[here], kept[here]], schema=SCHEMA))
        files.append(corpus.stored(file))
        progress.advance(len(part_keys))
    kept_count = int(kept.sum())
    counts = {
        "documents": len(keys),
        "clusters": len(np.unique(ids)),
        "kept": kept_count,
        "removed": len(keys) - kept_count,
    }
    return Outcome(counts, _rates(corpus, keys[order], left, right, found.cluster_id), tuple(files))


def _rates(corpus: Corpus, keys: np.ndarray, left: np.ndarray, right: np.ndarray, ids: np.ndarray) -> dict[str, Any]:
    dumps = corpus.dumps()
    overlapping, overlap = rates.overlap(keys, ids)
    largest = rates.largest_clusters(ids, _LARGEST)
    members = {cluster: keys[ids == cluster][:_URLS].tolist() for cluster, _ in largest}
    urls = urls_of(corpus, [key for some in members.values() for key in some])
    return {
        "curve": [
            {
                "dump": dumps[point.dump],
                "dumps": together,
                "documents": point.documents,
                "removed": point.removed,
                "share": point.share,
                "alone_removed": point.removed_alone,
                "alone_share": point.share_alone,
            }
            for together, point in enumerate(rates.curve(keys, left, right), 1)
        ],
        "overlap": {"dumps": [dumps[index] for index in overlapping.tolist()], "matrix": overlap.tolist()},
        "sizes": [list(pair) for pair in zip(*(column.tolist() for column in rates.cluster_sizes(ids)), strict=True)],
        "largest": [
            {"cluster": str(cluster), "size": size, "urls": [urls[key] for key in members[cluster]]}
            for cluster, size in largest
        ],
    }


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """The counts and rates of the one task."""
    return Outcome(outcomes[0].counts, outcomes[0].details)


def _column(corpus: Corpus, path: str, name: str) -> np.ndarray:
    return vector(read_whole(corpus.path(path), [name])[name])


JOB = Job("cluster", "clusters", 1, settings_of, plan, work, summarise=summarise)
