"""text-dedup's MinHash deduplication, through its own command line.

    python -m benchmarks.peers.text_dedup DOCUMENTS FOLDER --workers 2

Prints one JSON object: seconds of the whole, start-up included, and the documents removed. It splits words at what is
no letter, digit or underscore, so a sentence of Chinese is one word to it, and drops documents of fewer than 5 words.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BANDS, ROWS, NGRAM = 14, 8, 5


def main() -> int:
    """Runs it over the Parquet files below a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", help="folder of Parquet files with id and text")
    parser.add_argument("folder", help="where it may write")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(json.dumps(deduplicate(Path(arguments.documents), Path(arguments.folder), arguments.workers)))
    return 0


def deduplicate(documents: Path, folder: Path, workers: int) -> dict[str, Any]:
    """Runs its command; raises RuntimeError with what it said when it fails."""
    options = {
        "path": "parquet",
        "data_files": f"{documents}/**/*.parquet",
        "split": "train",
        "cache_dir": folder / "cache",
        "output": folder / "output",
        "column": "text",
        "batch_size": 10_000,
        "ngram": NGRAM,
        "num_perm": BANDS * ROWS,
        "b": BANDS,
        "r": ROWS,
        "hash_func": "xxh3",
        "num_proc": workers,
    }
    command = [sys.executable, "-m", "text_dedup.minhash"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "COLUMNS": "200"}
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | offline, cwd=folder)
    seconds = time.monotonic() - started
    counts = re.findall(r"(Before|After)\s*:\s*(\d+)", done.stdout + done.stderr)
    if done.returncode or len(counts) != 2:
        raise RuntimeError("\n".join((done.stdout + done.stderr).splitlines()[-20:]))
    before, after = (int(number) for _, number in counts)
    return {"seconds": {"whole": seconds}, "removed": before - after}


if __name__ == "__main__":
    sys.exit(main())
