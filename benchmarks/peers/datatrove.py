"""datatrove's MinHash deduplication as its examples run it: four stages, two or more worker processes.

    python -m benchmarks.peers.datatrove DOCUMENTS FOLDER --workers 2

Prints one JSON object: seconds of each stage and the documents removed. The fourth stage reads the documents again and
passes on those that stay; they are not written, as ours are not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

BANDS, ROWS, NGRAM = 14, 8, 5


def main() -> int:
    """Runs the four stages over the Parquet files below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", help="folder of Parquet files with id and text")
    parser.add_argument("folder", help="where it may write")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr):
        found = deduplicate(Path(arguments.documents), Path(arguments.folder), arguments.workers)
    print(json.dumps(found))
    return 0


def deduplicate(documents: Path, folder: Path, workers: int) -> dict[str, Any]:
    """Runs the four stages; a task a file, as many at once as there are workers."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader

    files = len(list(documents.rglob("*.parquet")))
    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    signatures, buckets, removed = (str(folder / name) for name in ("signatures", "buckets", "removed"))

    def reader() -> ParquetReader:
        return ParquetReader(str(documents), read_metadata=False, glob_pattern="**/*.parquet")

    stages = {
        "signatures": ([reader(), MinhashDedupSignature(output_folder=signatures, config=config)], files),
        "buckets": ([MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)], BANDS),
        "cluster": ([MinhashDedupCluster(input_folder=buckets, output_folder=removed, config=config)], 1),
        "filter": ([reader(), MinhashDedupFilter(input_folder=removed)], files),
    }
    seconds = {}
    for name, (pipeline, tasks) in stages.items():
        started = time.monotonic()
        executor = LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=min(workers, tasks), logging_dir=str(folder / "logs" / name)
        )
        executor.run()
        seconds[name] = time.monotonic() - started
    numbers = sum(path.stat().st_size for path in Path(removed).glob("*.remove"))
    return {"seconds": seconds, "removed": numbers // 4}  # a uint32 each


if __name__ == "__main__":
    sys.exit(main())
