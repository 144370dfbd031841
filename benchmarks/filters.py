"""Filtering on one core: every statistic, the decision of the presets, and language identification.

    python -m benchmarks.filters --json

MB of text per second of processor time, fastest of several runs over the snapshot dumps in memory (or ``--wet``).
datatrove's Gopher repetition, Gopher quality, C4 and FineWeb filters run on a sample of the same documents where it is
installed (extra ``bench``); ours for comparison are all statistics and the same four presets on that sample.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import finish, machine, row
from benchmarks.signatures import best_of, load_texts
from filters.decisions import decide
from filters.language import LanguageIdentifier
from filters.presets import load_preset
from filters.statistics import statistics

PRESETS = ("gopher-repetition", "gopher-quality", "c4-datatrove", "fineweb-code")
TARGET_MB_PER_S = 40


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", help="glob of WET files to take the text from")
    parser.add_argument("--runs", type=int, default=3, help="runs of each case; the fastest counts")
    parser.add_argument("--peer-documents", type=int, default=150, help="documents that a peer gets")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()

    texts, origin = load_texts(arguments.wet)
    column = pa.array(texts, pa.large_string())
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    presets = [load_preset(name) for name in PRESETS]
    identifier = LanguageIdentifier()
    measured = statistics(column)
    identifier.identify(column[:10])
    cases: dict[str, Callable[[], object]] = {
        "all statistics": lambda: statistics(column),
        "decision of four presets": lambda: decide(measured, presets),
        "language id": lambda: identifier.identify(column),
    }
    results = [
        row("gristmill", case, "mb_per_s", megabytes / best_of(arguments.runs, work), "MB/s")
        for case, work in cases.items()
    ]
    ratios: dict[str, float] = {}
    notes = []
    if importlib.util.find_spec("datatrove"):
        sample = [texts[i] for i in np.linspace(0, len(texts) - 1, arguments.peer_documents).astype(int)]
        size = sum(len(text.encode()) for text in sample) / 1e6
        part = pa.array(sample, pa.large_string())
        ours = size / best_of(arguments.runs, lambda: decide(statistics(part), presets))
        theirs = size / best_of(1, lambda: datatrove(sample))
        results += [row("gristmill", "peer sample", "mb_per_s", ours, "MB/s")]
        results += [row("datatrove", "peer sample", "mb_per_s", theirs, "MB/s")]
        ratios["datatrove"] = round(ours / theirs, 1)
    else:
        notes.append("datatrove is not installed (pip install 'gristmill[bench]'): not compared")
    report = {
        "name": "filters",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": int(megabytes * 1e6), "origin": origin},
        "results": results,
        "ratios": ratios,
        "checks": {"equal statistics from one thread and from four": threads_agree(column[:2000])},
        "targets": {"mb_per_s": TARGET_MB_PER_S, "ratio to datatrove": 100},
        "notes": notes,
    }
    return finish(report, arguments.json)


def threads_agree(column: pa.Array) -> bool:
    """Statistics of slices made by four threads at once are those of one."""
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: statistics(column[start : start + 97]), range(0, len(column), 97)))
    return pa.Table.from_batches(parts).combine_chunks().equals(pa.Table.from_batches([statistics(column)]))


def datatrove(texts: list[str]) -> None:
    """Its four heuristic filters, each over all documents, as its examples run them."""
    from datatrove.data import Document
    from datatrove.pipeline import filters as peers

    chosen: list[Any] = [
        peers.GopherRepetitionFilter(),
        peers.GopherQualityFilter(),
        peers.C4QualityFilter(),
        peers.FineWebQualityFilter(),
    ]
    for each, (i, text) in itertools.product(chosen, enumerate(texts)):
        each.filter(Document(text=text, id=str(i)))


if __name__ == "__main__":
    sys.exit(main())
