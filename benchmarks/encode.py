"""Encoding on one core: the DeepSeek LLM pre-tokenizer beside `tokenizers`, GPT-2's beside gigatoken too.

    python -m benchmarks.encode --json
    python -m benchmarks.encode --vocabulary 32000 --json

The text is that of the snapshot dumps beside the checkout or, where they are absent, the source files of Python's
standard library; vocabularies are trained on it. Code is Python's standard library in either case, 16 MB of it. Figures
are MB of text per second of processor time, the median of several runs.

- cold: a new encoder, which has encoded nothing yet; it knows its tokens only.
- warm: it has just encoded the same text.
- unseen: it has just encoded every other document, and is timed on the rest.

Web pages repeat each other, and the dumps more than most: "lines once" is the mixed text with every line only where it
first occurs, for which remembering helps least. Peers encode with the same vocabulary: `tokenizers` a sample of each
text, spread over it, gigatoken all of it, on one thread. All ids are compared.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import itertools
import statistics
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import tokenizers

from benchmarks.generated.hard_texts import HARD_TEXTS, hard_text
from benchmarks.harness import against, finish, machine, row
from benchmarks.signatures import UNSPACED_BYTES, load_texts
from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoded, Encoder
from tokenizer.formats import Tokenizer, save, to_json
from tokenizer.merges import train
from tokenizer.pretokenizers import pretokenizer

CODE_BYTES = 16_000_000
HARD_BYTES = 1_000_000
TARGETS = {"mixed, cold": 60, "mixed, warm": 100, "ratio to tokenizers": 50}
T = TypeVar("T")


class Case(NamedTuple):
    """A text of the benchmark."""

    name: str
    column: pa.Array
    megabytes: float


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=100_000, help="regular tokens")
    parser.add_argument("--runs", type=int, default=5, help="runs of each case; the median counts")
    parser.add_argument("--peer-megabytes", type=float, default=2, help="text of each case that `tokenizers` gets")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()

    texts, origin = load_texts(None)
    cases = texts_of(texts)
    results: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}
    checks: dict[str, bool] = {}
    tokens: dict[str, int] = {}
    notes = [
        "lines once: repeats across documents are in every other case; see the help for cold, warm and unseen",
    ]
    for preset in ("deepseek-llm", "gpt2"):
        tokenizer = trained(preset, texts, arguments.vocabulary, results)
        for case in cases:
            encoded = ours(tokenizer, case, f"{preset}, {case.name}", arguments.runs, results, checks)
            tokens[f"{preset}, {case.name}"] = len(encoded.tokens)
            peer(tokenizer, case, f"{preset}, {case.name}", arguments.peer_megabytes, encoded, results, checks)
            if preset == "gpt2":
                gigatoken(tokenizer, case, f"{preset}, {case.name}", arguments.runs, encoded, results, checks, notes)
        if preset == "deepseek-llm":
            threads(tokenizer, cases[0], f"{preset}, {cases[0].name}", results)
            hard(tokenizer, results)
    speeds = {(each["system"].split()[0], each["case"]): each["value"] for each in results}
    for (system, case), theirs in speeds.items():
        if system == "tokenizers":
            for state in ("cold", "warm"):
                ratios[f"tokenizers, {case}, {state}"] = round(speeds["gristmill", f"{case}, {state}"] / theirs, 1)
        elif system == "gigatoken":
            ratios[f"gigatoken, {case}"] = round(speeds["gristmill", case] / theirs, 2)
    report = {
        "name": "encode",
        "machine": machine(),
        "input": {
            "documents": len(texts),
            "bytes": sum(len(text.encode()) for text in texts),
            "origin": origin,
            "megabytes": {case.name: round(case.megabytes, 2) for case in cases},
            "tokens": tokens,
        },
        "results": results,
        "ratios": ratios,
        "checks": checks,
        "targets": against(TARGETS, measured_for(speeds, ratios)),
        "notes": sorted(set(notes)),
    }
    return finish(report, arguments.json)


def measured_for(speeds: dict[tuple[str, str], float], ratios: dict[str, float]) -> dict[str, float]:
    """What the targets are about: mixed text with the pre-tokenizer of DeepSeek LLM; the lower of the two ratios."""
    case = "deepseek-llm, mixed"
    states = [state for state in ("cold", "warm") if ("gristmill", f"{case}, {state}") in speeds]
    found = {f"mixed, {state}": speeds["gristmill", f"{case}, {state}"] for state in states}
    of_peer = [ratios[name] for state in states if (name := f"tokenizers, {case}, {state}") in ratios]
    return found | ({"ratio to tokenizers": min(of_peer)} if of_peer else {})


def texts_of(texts: list[str]) -> list[Case]:
    """The cases; mixed text first."""
    sizes = np.array([len(text.encode()) for text in texts])
    unspaced = sizes > UNSPACED_BYTES * np.array([len(text) for text in texts])
    seen: set[str] = set()
    once = []
    for text in texts:
        lines = [line for line in text.splitlines(keepends=True) if line not in seen]
        seen.update(lines)
        once.append("".join(lines))
    chosen = {
        "mixed": texts,
        "english": list(itertools.compress(texts, ~unspaced)),
        "chinese": list(itertools.compress(texts, unspaced)),
        "code": code(),
        "lines once": once,
    }
    return [
        Case(name, pa.array(documents, pa.large_string()), sum(len(text.encode()) for text in documents) / 1e6)
        for name, documents in chosen.items()
        if documents
    ]


def code() -> list[str]:
    """Source files of Python's standard library in the order of their names, without its tests."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found, size = [], 0
    for path in sorted(library.rglob("*.py")):
        if not {"site-packages", "test", "tests", "idle_test"} & set(path.parts) and size < CODE_BYTES:
            found.append(path.read_text("utf-8", errors="replace"))
            size += len(found[-1].encode())
    return found


def trained(preset: str, texts: list[str], vocabulary: int, results: list[dict[str, Any]]) -> Tokenizer:
    """A tokenizer learned from the texts, and how long that took."""
    pieces = pretokenizer(preset)
    every = pa.array(texts, pa.large_string())
    train(count_pieces(every[:20], pieces), 300)  # compile before the clock starts
    counting, counts = timed(lambda: count_pieces(every, pieces))
    merging, merges = timed(lambda: train(counts, vocabulary))
    tokenizer = Tokenizer(pieces, merges)
    Encoder(tokenizer).encode(every[:1])
    size = sum(len(text.encode()) for text in texts) / 1e6
    results.append(row("gristmill", f"{preset}, count pieces", "mb_per_s", size / counting, "MB/s"))
    results.append(row("gristmill", f"{preset}, merges", "seconds", merging, "s"))
    return tokenizer


def ours(
    tokenizer: Tokenizer, case: Case, name: str, runs: int, results: list[dict[str, Any]], checks: dict[str, bool]
) -> Encoded:
    """Times this encoder on one text, and the way back."""
    column = case.column
    rows = np.arange(len(column))
    seen, unseen = column.take(pa.array(rows[::2])), column.take(pa.array(rows[1::2]))
    unseen_megabytes = sum(len(text.encode()) for text in unseen.to_pylist()) / 1e6
    seconds: dict[str, list[float]] = {"cold": [], "warm": [], "unseen": [], "decode": []}
    first = None
    for _ in range(runs):
        encoder = Encoder(tokenizer)
        taken, encoded = timed(lambda encoder=encoder: encoder.encode(column))
        seconds["cold"].append(taken)
        taken, again = timed(lambda encoder=encoder: encoder.encode(column))
        seconds["warm"].append(taken)
        taken, decoded = timed(lambda encoder=encoder, encoded=encoded: encoder.decode_batch(*encoded))
        seconds["decode"].append(taken)
        encoder = Encoder(tokenizer)
        encoder.encode(seen)
        seconds["unseen"].append(timed(lambda encoder=encoder: encoder.encode(unseen))[0])
        first = first or encoded
        checks["the same tokens every time"] = checks.get("the same tokens every time", True) and all(
            np.array_equal(first.tokens, other.tokens) for other in (encoded, again)
        )
        checks["decoded text equals the text"] = checks.get("decoded text equals the text", True) and bool(
            decoded.view(pa.large_string()).equals(column)
        )
    for state, each in seconds.items():
        size = unseen_megabytes if state == "unseen" else case.megabytes
        results.append(row("gristmill", f"{name}, {state}", "mb_per_s", size / statistics.median(each), "MB/s"))
    assert first is not None
    return first


def peer(
    tokenizer: Tokenizer,
    case: Case,
    name: str,
    megabytes: float,
    encoded: Encoded,
    results: list[dict[str, Any]],
    checks: dict[str, bool],
) -> None:
    """Times `tokenizers` on documents spread over the text, and compares their ids."""
    other = tokenizers.Tokenizer.from_str(to_json(tokenizer)["tokenizer.json"])
    other.encode_special_tokens = True
    few = min(len(case.column), int(len(case.column) * megabytes / case.megabytes) + 1)
    picked = np.linspace(0, len(case.column) - 1, few).astype(int).tolist()
    sample = [case.column[i].as_py() for i in picked]
    seconds, ids = timed(lambda: [other.encode(text).ids for text in sample])
    size = sum(len(text.encode()) for text in sample) / 1e6
    results.append(row(f"tokenizers {tokenizers.__version__}", name, "mb_per_s", size / seconds, "MB/s"))
    same = ids == [encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]].tolist() for i in picked]
    checks["ids equal those of tokenizers"] = checks.get("ids equal those of tokenizers", True) and same


def gigatoken(
    tokenizer: Tokenizer,
    case: Case,
    name: str,
    runs: int,
    encoded: Encoded,
    results: list[dict[str, Any]],
    checks: dict[str, bool],
    notes: list[str],
) -> None:
    """Times gigatoken on one thread, and compares all its ids."""
    try:
        import awkward
        import gigatoken as peer
    except ModuleNotFoundError:
        notes.append("gigatoken is not installed (pip install 'gristmill[bench]'): not compared")
        return
    documents = [text.encode() for text in case.column.to_pylist()]
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            save(tokenizer, folder)
            other = peer.Tokenizer(str(Path(folder) / "tokenizer.json"))
        for state in seconds:
            taken, ids = timed(lambda other=other: other.encode_batch(documents, parallel=False))
            seconds[state].append(taken)
    version = importlib.metadata.version("gigatoken")
    for state, each in seconds.items():
        value = case.megabytes / statistics.median(each)
        results.append(row(f"gigatoken {version}", f"{name}, {state}", "mb_per_s", value, "MB/s"))
    same = np.array_equal(awkward.to_numpy(awkward.flatten(ids)), encoded.tokens)
    checks["ids equal those of gigatoken"] = checks.get("ids equal those of gigatoken", True) and same


def threads(tokenizer: Tokenizer, case: Case, name: str, results: list[dict[str, Any]]) -> None:
    """Two threads with one encoder, each a warm one, in seconds that pass: the GIL is released."""
    encoder = Encoder(tokenizer)
    for count in (1, 2):
        started = threading.Barrier(count + 1)

        def work(started: threading.Barrier = started) -> None:
            encoder.encode(case.column)
            started.wait()
            encoder.encode(case.column)

        workers = [threading.Thread(target=work) for _ in range(count)]
        for worker in workers:
            worker.start()
        started.wait()
        start = time.perf_counter()
        for worker in workers:
            worker.join()
        value = count * case.megabytes / (time.perf_counter() - start)
        results.append(row("gristmill", f"{name}, warm, {count} threads, passed", "mb_per_s", value, "MB/s"))


def hard(tokenizer: Tokenizer, results: list[dict[str, Any]]) -> None:
    """One document of a million bytes each, most of them one piece."""
    for kind in HARD_TEXTS:
        column = pa.array([hard_text(kind, HARD_BYTES)], pa.large_string())
        label = kind if kind.isascii() and kind.strip() else ascii(kind)
        seconds, _ = timed(functools.partial(Encoder(tokenizer).encode, column))
        results.append(row("gristmill", f"1 MB of {label}", "seconds", seconds, "s"))


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds, and what the work returned."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    sys.exit(main())
