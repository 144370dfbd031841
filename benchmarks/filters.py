"""Filtering on one core: every statistic, the decision of all heuristic presets, and language identification.

    python -m benchmarks.filters --json

MB of text per second of processor time, fastest of several runs over the snapshot dumps in memory (or ``--wet``).
datatrove's Gopher repetition, Gopher quality, C4 and FineWeb filters run on a sample of the same documents where it is
installed (extra ``bench``); ours for comparison are all statistics and the same four presets on that sample. Language
identification and a quality model, trained here on words and pairs of words, stand beside fastText's own predictor on
the same samples, its input made ready before the clock starts.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import itertools
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import against, finish, machine, row
from benchmarks.signatures import best_of, load_texts
from filters.decisions import decide
from filters.language import SAMPLE_BYTES, LanguageIdentifier, default_model
from filters.presets import load_preset, preset_names
from filters.quality import NEGATIVE, POSITIVE
from filters.quality_training import Settings, train
from filters.samples import line_samples
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
    everything = [dataclasses.replace(load_preset(name), languages=None) for name in preset_names()]
    identifier = LanguageIdentifier()
    measured = statistics(column)
    identifier.identify(column[:10])
    cases: dict[str, Callable[[], object]] = {
        "all statistics": lambda: statistics(column),
        "decision of four presets": lambda: decide(measured, presets),
        "statistics and decision of all heuristic presets": lambda: decide(statistics(column), everything),
        "language id": lambda: identifier.identify(column),
    }
    results = [
        row("gristmill", case, "mb_per_s", megabytes / best_of(arguments.runs, work), "MB/s")
        for case, work in cases.items()
    ]
    ratios: dict[str, float] = {}
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quality.bin"
        some = len(column) // 10
        model = train({POSITIVE: column[:some], NEGATIVE: column[-some:]}, path, Settings(epochs=1)).model
        results.append(
            row("gristmill", "quality model", "mb_per_s",
                megabytes / best_of(arguments.runs, lambda: model.score(column)), "MB/s")
        )  # fmt: skip
        peer_seconds, peers = fasttext(path, column, None)
    results.append(row("fasttext", "quality model", "mb_per_s", megabytes / peer_seconds, "MB/s"))
    ratios["fasttext, quality model"] = round(results[-2]["value"] / results[-1]["value"], 2)
    our_labels = model.judge(column).labels.to_pylist()
    same_label = agreement(our_labels, [each[0][1] if each else None for each in peers])
    peer_seconds, peers = fasttext(default_model(), column, SAMPLE_BYTES)
    results.append(row("fasttext", "language id", "mb_per_s", megabytes / peer_seconds, "MB/s"))
    ratios["fasttext, language id"] = round(results[3]["value"] / results[-1]["value"], 2)
    languages = [each[0][1] if each else "__label__und" for each in peers]
    same_language = agreement(identifier.identify(column)[0].to_pylist(), languages)
    results += [
        row("gristmill", "language id", "labels_as_fasttext", same_language, "of documents"),
        row("gristmill", "quality model", "labels_as_fasttext", same_label, "of documents"),
    ]
    if importlib.util.find_spec("datatrove"):
        sample = [texts[i] for i in np.linspace(0, len(texts) - 1, arguments.peer_documents).astype(int)]
        size = sum(len(text.encode()) for text in sample) / 1e6
        part = pa.array(sample, pa.large_string())
        ours = size / best_of(arguments.runs, lambda: decide(statistics(part), presets))
        datatrove(sample[:1])  # loads its tokenizer before the clock starts
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
        "checks": {
            "equal statistics from one thread and from four": threads_agree(column[:2000]),
            "languages as fastText's on 99.9 % of the documents": same_language >= 0.999,
            "labels of the quality model as fastText's on 99.9 % of the documents": same_label >= 0.999,
        },
        "targets": against(
            {"mb_per_s of all heuristic presets": TARGET_MB_PER_S, "ratio to datatrove": 100},
            {"mb_per_s of all heuristic presets": results[2]["value"]}
            | ({"ratio to datatrove": ratios["datatrove"]} if "datatrove" in ratios else {}),
        ),
        "notes": notes,
    }
    return finish(report, arguments.json)


def fasttext(model_path: str | Path, column: pa.Array, sample_bytes: int | None) -> tuple[float, list[Any]]:
    """Processor seconds and predictions, [(probability, label)] a document, of fastText's own predictor.

    Its Python wrapper fails with NumPy 2, so the binding below it is called, which is what the wrapper does.
    """
    import fasttext as peer

    model = peer.load_model(str(model_path))
    data, offsets = line_samples(column, sample_bytes)
    samples = [bytes(data[a:b]).decode("utf-8", "replace") + "\n" for a, b in itertools.pairwise(offsets.tolist())]
    found: list[Any] = []
    seconds = best_of(1, lambda: found.extend(model.f.predict(sample, 1, 0.0, "strict") for sample in samples))
    return seconds, found


def agreement(ours: list[str | None], theirs: list[str | None]) -> float:
    """The share of documents with the same label; theirs come with fastText's prefix."""
    same = sum(one == (other and other.removeprefix("__label__")) for one, other in zip(ours, theirs, strict=True))
    return same / max(1, len(ours))


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
