"""Evaluation texts and personal data on one core: how fast they are found, and that they are.

    python -m benchmarks.cleaning --json

MB of text per second of processor time, fastest of several runs over the snapshot dumps in memory (or ``--wet``).
Evaluation sets are drawn from the pages themselves, so that it is known what must be found, and from words at random,
of which nothing must be. datatrove's ``PIIFormatter`` (e-mail and IPv4) runs on a sample of the same documents where it
is installed (extra ``bench``), beside the same two kinds of ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from benchmarks.harness import finish, machine, row
from benchmarks.signatures import best_of, load_texts
from filters.decontamination import EvaluationSet, Index, build_index, overlap
from filters.personal_data import KINDS, find, replace

RUNS = 100_000  # runs of words in the sets, as in some ten benchmarks
_WORDS = 30  # of one text
_PLANTED = 100


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
    plain = pa.array([re.sub("[0-9@０-９＠]", "x", text) for text in texts], pa.large_string())
    plain_megabytes = sum(len(text.encode()) for text in plain.to_pylist()) / 1e6
    long, short = evaluation_index([]), evaluation_index([], lengths=range(8, 14))
    cases: dict[str, tuple[float, Callable[[], object]]] = {
        "decontamination, 100,000 runs": (megabytes, lambda: overlap(column, long)),
        "decontamination, short texts too": (megabytes, lambda: overlap(column, short)),
        "personal data, all kinds": (megabytes, lambda: find(column)),
        "personal data, e-mail and IP": (megabytes, lambda: find(column, ("email", "ip"))),
        "personal data, text without digits and @": (plain_megabytes, lambda: find(plain)),
    }
    warm = pa.array(["somebody@example.org"])
    replace(warm, find(warm))
    overlap(warm, long)
    results = [
        row("gristmill", case, "mb_per_s", size / best_of(arguments.runs, work), "MB/s")
        for case, (size, work) in cases.items()
    ]
    ratios: dict[str, float] = {}
    notes = []
    if importlib.util.find_spec("datatrove"):
        sample = [texts[i] for i in np.linspace(0, len(texts) - 1, arguments.peer_documents).astype(int)]
        part = pa.array(sample, pa.large_string())
        size = sum(len(text.encode()) for text in sample) / 1e6
        ours = size / best_of(arguments.runs, lambda: replace(part, find(part, ("email", "ip"))))
        theirs = size / best_of(1, lambda: datatrove(sample))
        results += [row("gristmill", "peer sample, e-mail and IP", "mb_per_s", ours, "MB/s")]
        results += [row("datatrove", "peer sample, e-mail and IP", "mb_per_s", theirs, "MB/s")]
        ratios["datatrove"] = round(ours / theirs, 1)
    else:
        notes.append("datatrove is not installed (pip install 'gristmill[bench]'): not compared")
    planted = [text for text in texts if len(text.split()) > 3 * _WORDS][:: max(1, len(texts) // (2 * _PLANTED))]
    questions = [" ".join(text.split()[_WORDS : 2 * _WORDS]).upper() for text in planted[:_PLANTED]]
    found = overlap(column, evaluation_index(questions))
    made_up = found.found[len(questions) :]
    once = replace(column, find(column, KINDS))
    again = find(once, [kind for kind in KINDS if kind != "email"])
    report = {
        "name": "cleaning",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": int(megabytes * 1e6), "origin": origin},
        "results": results,
        "ratios": ratios,
        "checks": {
            "every text taken from a page is found whole": bool((found.best[: len(questions)] == 1).all()),
            "no text of random words is found": not made_up.any(),
            "nothing personal is left after replacing": len(again.spans.starts) == 0,
        },
        "notes": notes,
    }
    return finish(report, arguments.json)


def evaluation_index(texts: list[str], lengths: range = range(_WORDS, _WORDS + 1)) -> Index:
    """Texts, and texts of random words until there are ``RUNS`` runs; ``lengths``: their words, in turn."""
    chosen = np.random.default_rng(1)
    words = [f"word{number}" for number in range(20_000)]
    made = []
    runs = 0
    while runs < RUNS:
        length = lengths[len(made) % len(lengths)]
        made.append(" ".join(words[i] for i in chosen.integers(0, len(words), length)))
        runs += max(1, length - 12)
    every = pa.array([*texts, *made], pa.large_string())
    return build_index([EvaluationSet("texts", every, np.arange(len(every)))])


def datatrove(texts: list[str]) -> None:
    """Its formatter with its defaults."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()
    for text in texts:
        formatter.format(text)


if __name__ == "__main__":
    sys.exit(main())
