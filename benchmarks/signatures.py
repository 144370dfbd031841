"""Signing documents on one core: shingles of 5 words and 112 MinHash values, beside the peers on the same text.

    python -m benchmarks.signatures --json
    python -m benchmarks.signatures --wet 'crawl/*.warc.wet.gz' --json

Without ``--wet`` the text is that of the snapshot dumps beside the checkout, or, where they are absent, the source
files of Python's standard library. Every figure is MB of text per second of processor time, summed over threads: what
one core does, whatever else the machine is doing; the fastest of several runs over text in memory. A peer gets
documents spread over the whole, up to ``--peer-megabytes``. Peers that are not installed (extra ``bench``) are noted.
"""

from __future__ import annotations

import argparse
import glob
import importlib.metadata
import itertools
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import SNAPSHOTS, finish, machine
from dedup.banding import Banding
from dedup.minhash import MinHashSettings, signatures
from dedup.shingles import distinct_shingles, exact_jaccard

SETTINGS = MinHashSettings()
BANDING = Banding()
LEAST_MB_PER_S, LEAST_RATIO = 150, 100  # of text of all documents; to datatrove on its sample
UNSPACED_BYTES = 1.25  # bytes a character from which a document counts as Chinese in the two cases by script


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", help="glob of WET files to take the text from")
    parser.add_argument("--runs", type=int, default=5, help="runs of each case; the fastest counts")
    parser.add_argument("--peer-megabytes", type=float, default=8, help="text that a peer gets")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()

    texts, origin = load_texts(arguments.wet)
    sizes = np.array([len(text.encode()) for text in texts])
    results: list[dict[str, Any]] = []
    unspaced = sizes > UNSPACED_BYTES * np.array([len(text) for text in texts])
    cases = {"all": np.ones(len(texts), bool), "english": ~unspaced, "chinese": unspaced}
    signatures(pa.array(["compile before the clock starts"], pa.large_string()), SETTINGS)
    for case, chosen in cases.items():
        if chosen.any():
            column = pa.array(list(itertools.compress(texts, chosen)), pa.large_string())
            seconds = best_of(arguments.runs, lambda column=column: signatures(column, SETTINGS))
            results.append(result("gristmill", case, sizes[chosen].sum() / 1e6 / seconds))

    few = int(np.searchsorted(np.cumsum(sizes), arguments.peer_megabytes * 1e6)) + 1
    # Documents of the peers' share are spread over the whole, so that both scripts are in it.
    sample = [texts[i] for i in np.linspace(0, len(texts) - 1, min(few, len(texts))).astype(int)]
    megabytes = sum(len(text.encode()) for text in sample) / 1e6
    column = pa.array(sample, pa.large_string())
    ours = megabytes / best_of(arguments.runs, lambda: signatures(column, SETTINGS))
    results.append(result("gristmill", "peer sample", ours))
    ratios, notes = {}, []
    for name, peer, runs in (("datatrove", datatrove, 1), ("datasketch", datasketch, 1), ("rensa", rensa, 2)):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            notes.append(f"{name} is not installed (pip install 'gristmill[bench]'): not compared")
            continue
        theirs = megabytes / best_of(runs, lambda peer=peer: peer(sample))
        results.append(result(f"{name} {version}", "peer sample", theirs))
        ratios[name] = round(ours / theirs, 2)

    checks = {
        "equal signatures from one thread and from four": threads_agree(texts),
        "root mean square error of the Jaccard estimate within 1.1 of the binomial bound": error_is_binomial(texts),
    }
    checks[f"all: at least {LEAST_MB_PER_S} MB/s on one core"] = results[0]["value"] >= LEAST_MB_PER_S
    if "datatrove" in ratios:
        checks[f"peer sample: at least {LEAST_RATIO} times as fast as datatrove"] = ratios["datatrove"] >= LEAST_RATIO
    report = {
        "name": "signatures",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": int(sizes.sum()), "origin": origin},
        "results": results,
        "ratios": ratios,
        "checks": checks,
        "notes": notes,
    }
    return finish(report, arguments.json)


def load_texts(wet: str | None) -> tuple[list[str], str]:
    """Documents, and where they are from."""
    pattern = wet or str(SNAPSHOTS / "*.warc.wet.gz")
    paths = sorted(glob.glob(pattern))
    if paths:
        return list(wet_texts(paths)), wet or "snapshot dumps"
    if wet:
        sys.exit(f"--wet {wet}: no such files")
    library = Path(sysconfig.get_paths()["stdlib"])
    sources = sorted(path for path in library.rglob("*.py") if "site-packages" not in path.parts)
    return [path.read_text(errors="replace") for path in sources], "Python's standard library"


def wet_texts(paths: list[str]) -> Iterator[str]:
    """The conversion records of WET files."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    for path in paths:
        with open(path, "rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                yield record.reader.read().decode("utf-8", "replace")


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Processor seconds of the fastest run."""
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def result(system: str, case: str, mb_per_s: float) -> dict[str, Any]:
    """One row of the results."""
    return {"system": system, "case": case, "metric": "mb_per_s", "value": round(float(mb_per_s), 2), "unit": "MB/s"}


def word_shingles(text: str) -> list[str]:
    """What the peers without a tokenizer of their own are given: 5 words between white space."""
    words = text.lower().split()
    return [" ".join(words[i : i + SETTINGS.ngram]) for i in range(max(1, len(words) - SETTINGS.ngram + 1))]


def datatrove(texts: list[str]) -> None:
    """Stage 1 as a user runs it: tokenizer, shingles, signature, sorted bucket files."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    config = MinhashConfig(n_grams=SETTINGS.ngram, num_buckets=BANDING.bands, hashes_per_bucket=BANDING.rows)
    with tempfile.TemporaryDirectory() as folder:
        stage = MinhashDedupSignature(output_folder=folder, config=config)
        stage.run((Document(text=text, id=str(i)) for i, text in enumerate(texts)), 0, 1)


def datasketch(texts: list[str]) -> None:
    """One MinHash a document, all its shingles in one call."""
    from datasketch import MinHash

    for text in texts:
        MinHash(num_perm=SETTINGS.permutations, seed=1).update_batch([s.encode() for s in word_shingles(text)])


def rensa(texts: list[str]) -> None:
    """All documents in one call."""
    from rensa import RMinHash

    shingles = [word_shingles(text) for text in texts]
    RMinHash.digest_matrix_from_token_sets(shingles, SETTINGS.permutations, 1)


def threads_agree(texts: list[str]) -> bool:
    """Signatures of slices made by four threads at once are those of one."""
    column = pa.array(texts[:2000], pa.large_string())
    whole = signatures(column, SETTINGS)
    with ThreadPoolExecutor(4) as pool:
        slices = [column[start : start + 97] for start in range(0, len(column), 97)]
        parts = list(pool.map(lambda part: signatures(part, SETTINGS), slices))
    return all(np.array_equal(field, np.concatenate(made)) for field, made in zip(whole, zip(*parts)))


def error_is_binomial(texts: list[str], pairs: int = 4000) -> bool:
    """Real documents beside copies of themselves that lost some paragraphs: exact against estimated similarity."""
    rng = np.random.default_rng(1)
    long = [text for text in texts if len(text) > 1000]
    originals, edited = [], []
    for i in rng.integers(0, len(long), pairs):
        text = long[i][:6000]
        lines = [text[start : start + 200] for start in range(0, len(text), 200)]
        kept = rng.random(len(lines)) < rng.uniform(0.4, 1)
        originals.append(text)
        edited.append(" ".join(itertools.compress(lines, kept)))
    columns = [pa.array(side, pa.large_string()) for side in (originals, edited)]
    left, right = (signatures(column, SETTINGS).minima for column in columns)
    estimates = (left == right).mean(axis=1)
    (a, a_offsets), (b, b_offsets) = (distinct_shingles(column, SETTINGS.ngram) for column in columns)
    exact = np.array(
        [
            exact_jaccard(a[a_offsets[i] : a_offsets[i + 1]], b[b_offsets[i] : b_offsets[i + 1]])
            for i in range(len(originals))
        ]
    )
    between = (exact > 0.05) & (exact < 0.95)
    errors = (estimates - exact)[between] / np.sqrt(exact * (1 - exact) / SETTINGS.permutations)[between]
    return bool(np.sqrt(np.mean(errors**2)) < 1.1)


if __name__ == "__main__":
    sys.exit(main())
