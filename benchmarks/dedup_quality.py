"""What verification costs: documents that stay when the pairs compared are fewer than all.

    python -m benchmarks.dedup_quality --json

On the snapshot dumps (or ``--wet``, a dump a file), under the default settings, with an estimated Jaccard of at least
0.7: ``candidate_pairs`` (each document with its bucket's first and the one before it, as the pipeline does),
``verified_pairs`` (leader passes), and every pair of every bucket, which is quadratic and what the others are held
against.
"""

from __future__ import annotations

import argparse
import glob
import sys

import numpy as np
import pyarrow as pa

from benchmarks.harness import SNAPSHOTS, finish, machine
from benchmarks.signatures import wet_texts
from dedup.banding import Banding, band_hashes
from dedup.candidates import candidate_pairs, unique_pairs
from dedup.minhash import MinHashSettings, signatures
from dedup.policies import clusters
from dedup.verification import estimated_jaccard_of_rows, verified_pairs

THRESHOLD = 0.7
MOST_LOST = 0.005  # of all documents


def main() -> int:
    """Runs the comparison; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", default=str(SNAPSHOTS / "*.warc.wet.gz"), help="glob of WET files, a dump each")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    dumps = [list(wet_texts([path])) for path in sorted(glob.glob(arguments.wet))]
    if not dumps:
        sys.exit(f"--wet {arguments.wet}: no such files")
    keys = np.concatenate(
        [(np.uint64(i) << np.uint64(52)) + np.arange(len(d), dtype=np.uint64) for i, d in enumerate(dumps)]
    )
    texts = [text for dump in dumps for text in dump]
    signed = signatures(pa.array(texts, pa.large_string()), MinHashSettings())
    worded = signed.words > 0
    bands = band_hashes(signed.minima[worded], Banding())
    of_rows = np.concatenate([np.repeat(keys[worded], bands.shape[1]), keys])
    hashes = np.concatenate([bands.ravel(), signed.content])

    def left_by(left: np.ndarray, right: np.ndarray) -> int:
        left, right = unique_pairs(left, right)
        rows = np.searchsorted(keys, left), np.searchsorted(keys, right)
        alike = estimated_jaccard_of_rows(signed.minima, *rows) >= THRESHOLD
        return int(clusters(keys, left[alike], right[alike]).kept.sum())

    leaders = verified_pairs(of_rows, hashes, np.searchsorted(keys, of_rows), signed.minima, THRESHOLD)
    kept = {
        "first and one before": left_by(*candidate_pairs(of_rows, hashes)),
        "leader passes": int(clusters(keys, leaders.left, leaders.right).kept.sum()),
        "all pairs": left_by(*all_pairs(of_rows, hashes)),
    }
    lost = kept["first and one before"] - kept["all pairs"]
    report = {
        "name": "dedup_quality",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts)},
        "results": [
            {"system": "gristmill", "case": case, "metric": "documents_kept", "value": value, "unit": "documents"}
            for case, value in kept.items()
        ],
        "ratios": {},
        "checks": {"copies lost to comparing fewer pairs are below 0.5 %": 0 <= lost < MOST_LOST * len(texts)},
    }
    return finish(report, arguments.json)


def all_pairs(keys: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of every bucket, left < right; quadratic in the size of a bucket."""
    order = np.lexsort((keys, hashes))
    starts = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order][:1]))
    lefts, rights = [keys[:0]], [keys[:0]]
    seen = set()
    for members in np.split(keys[order], starts[1:]):
        members = np.unique(members)
        if len(members) < 2 or members.tobytes() in seen:
            continue
        seen.add(members.tobytes())
        left, right = np.triu_indices(len(members), 1)
        lefts.append(members[left])
        rights.append(members[right])
    return unique_pairs(np.concatenate(lefts), np.concatenate(rights))


if __name__ == "__main__":
    sys.exit(main())
