"""Training a tokenizer, from text in Parquet files to the merges, beside the trainer of `tokenizers`.

    python -m benchmarks.train_tokenizer --json
    python -m benchmarks.train_tokenizer --bytes 100M 300M 1G --json

The text is that of ``novel_text``: the snapshot dumps with new names, numbers and runs of Chinese, so that distinct
pieces grow with it. Each system gets a process of its own, all cores and the same files: gristmill counts each file as
a corpus's job does, a thread a file, adds the count files up and learns from their sum; `tokenizers` trains from an
iterator over them with the same pre-tokenizer. Seconds are wall-clock time after imports and compilation, beside the
processor time of all threads; peak memory is the process's own (VmHWM), all of it. With several sizes both are carried
on to 24 GB by the power law through them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.harness import finish, machine, parse_size, row

PRESET = "deepseek-llm"
FORECAST_BYTES = 24e9


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", nargs="+", default=["20M"], metavar="SIZE", help="of text, such as 100M 300M 1G")
    parser.add_argument("--vocabulary", type=int, default=100_000, help="regular tokens")
    parser.add_argument("--peer-up-to", default="1G", metavar="SIZE", help="leave the peer out above this size")
    parser.add_argument("--folder", help="where the text goes; a temporary folder that is deleted when empty")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        system, text = arguments.child
        print(json.dumps(_CHILDREN[system](Path(text), arguments.vocabulary)))
        return 0

    results, checks, notes, ratios = [], {}, [], {}
    measured: dict[int, dict[str, Any]] = {}
    documents = total = 0
    for size in map(parse_size, arguments.bytes):
        with _folder(arguments.folder) as folder:
            text = folder / "text"
            text.mkdir()
            documents, total = _written(text, size)
            case = f"{size / 1e6:g} MB, {arguments.vocabulary:,} tokens"
            ours = measured[size] = _child("gristmill", folder, arguments.vocabulary)
            results += _rows("gristmill", case, total, ours)
            checks[f"every token was learned, {case}"] = ours["tokens"] == arguments.vocabulary
            results += [
                row("gristmill", f"{case}: {part}", "seconds", ours[part], "s") for part in ("count", "add up", "merge")
            ]
            results.append(row("gristmill", f"{case}: distinct pieces", "pieces", ours["pieces"], "pieces"))
            if size > parse_size(arguments.peer_up_to):
                continue
            peer = _child("tokenizers", folder, arguments.vocabulary)
            results += _rows(peer["system"], case, total, peer)
            same = np.array_equal(np.load(folder / "gristmill.npy"), np.load(folder / "tokenizers.npy"))
            checks[f"merges equal those of tokenizers, {case}"] = bool(same)
            ratios[f"tokenizers, {case}"] = round(peer["seconds"] / ours["seconds"], 1)
            ratios[f"tokenizers, {case}, peak memory"] = round(peer["peak_mb"] / ours["peak_mb"], 1)
    if len(measured) > 1:
        notes = _forecast(measured)
    report = {
        "name": "train_tokenizer",
        "machine": machine(),
        "input": {"documents": documents, "bytes": total, "origin": "snapshot dumps with new names, numbers and runs"},
        "results": results,
        "ratios": ratios,
        "checks": checks,
        "notes": notes,
    }
    return finish(report, arguments.json)


@contextlib.contextmanager
def _folder(path: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gristmill-train-", dir=path) as folder:
        yield Path(folder)


def _written(folder: Path, size: int) -> tuple[int, int]:
    """Writes the text in a process of its own, so that this one stays small."""
    code = (
        "import sys; from pathlib import Path; from benchmarks.novel_text import write_parts;"
        "print(*write_parts(Path(sys.argv[1]), int(sys.argv[2])))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(folder), str(size)], check=True, stdout=subprocess.PIPE)
    documents, total = map(int, told.stdout.split()[-2:])
    return documents, total


def _child(system: str, folder: Path, vocabulary: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.train_tokenizer", "--child", system, str(folder)]
    command += ["--vocabulary", str(vocabulary)]
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def _rows(system: str, case: str, total: int, found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        row(system, case, "seconds", found["seconds"], "s"),
        row(system, f"{case}: processor", "seconds", found["processor"], "s"),
        row(system, case, "mb_per_s", total / 1e6 / found["seconds"], "MB/s"),
        row(system, case, "peak_rss_mb", found["peak_mb"], "MB"),
    ]


def _forecast(measured: dict[int, dict[str, Any]]) -> list[str]:
    """Power laws through the sizes, in what the text adds to an idle process."""
    sizes = np.log(np.array(sorted(measured), float))

    def carried(values: list[float]) -> tuple[float, float]:
        slope, intercept = np.polyfit(sizes, np.log(np.maximum(values, 1e-9)), 1)
        return float(np.exp(intercept + slope * np.log(FORECAST_BYTES))), float(slope)

    found = [measured[size] for size in sorted(measured)]
    idle = max(each["idle_mb"] for each in found)
    memory, memory_slope = carried([each["peak_mb"] - each["idle_mb"] for each in found])
    pieces, pieces_slope = carried([each["pieces"] for each in found])
    seconds, seconds_slope = carried([each["seconds"] for each in found])
    return [
        f"at 24 GB: {idle + memory:,.0f} MB peak memory ({idle:,.0f} idle, the rest as bytes^{memory_slope:.2f}), "
        f"{pieces / 1e6:,.1f} M distinct pieces (bytes^{pieces_slope:.2f}), "
        f"{seconds:,.0f} s (bytes^{seconds_slope:.2f})"
    ]


def _status(name: str) -> float:
    """A figure of /proc/self/status in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def _gristmill(folder: Path, vocabulary: int) -> dict[str, Any]:
    import pyarrow as pa

    from tokenizer import training
    from tokenizer.count_addition import merge_count_files
    from tokenizer.count_files import CountFile
    from tokenizer.counts import PieceCounter
    from tokenizer.merges import train
    from tokenizer.pretokenizers import pretokenizer

    scheme = pretokenizer(PRESET)
    cores = len(os.sched_getaffinity(0))

    def count(path: Path) -> Path:
        with PieceCounter(scheme) as counter:
            for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(1024, use_threads=False):
                counter.add(batch["text"])
            counted = folder / "counts" / path.name
            counter.write(counted)
        return counted

    def learn(parts: list[Path], tokens: int) -> tuple[Any, int, dict[str, float]]:
        seconds = {}
        start = time.perf_counter()
        with ThreadPoolExecutor(cores) as threads:
            counted = list(threads.map(count, parts))
        seconds["count"] = time.perf_counter() - start
        start = time.perf_counter()
        merge_count_files(counted, folder / "pieces.parquet", workers=cores)
        seconds["add up"] = time.perf_counter() - start
        start = time.perf_counter()
        counts = CountFile(folder / "pieces.parquet", scheme)
        learned = train(counts, tokens, minimum_count=2)
        seconds["merge"] = time.perf_counter() - start
        return learned, counts.num_rows, seconds

    (folder / "counts").mkdir()
    small = folder / "compile.parquet"
    pq.write_table(pa.table({"text": pa.array(["abc abd 中文 abc 12"] * 64, pa.large_string())}), small)
    for narrow in (258, 1 << 15):  # compiles for both widths of cells, or loads what was compiled before
        training._NARROW_TOKENS = narrow
        learn([small, small], 262)
    idle, processor = _status("VmRSS"), time.process_time()
    learned, pieces, seconds = learn(sorted((folder / "text").glob("*.parquet")), vocabulary)
    np.save(folder / "gristmill.npy", learned.pairs)
    found = {"seconds": sum(seconds.values()), "processor": time.process_time() - processor, "pieces": pieces}
    found["tokens"] = learned.vocabulary_size
    return found | {"peak_mb": _status("VmHWM"), "idle_mb": idle} | seconds


def _tokenizers(folder: Path, vocabulary: int) -> dict[str, Any]:
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    from tokenizer.pretokenizers import pretokenizer

    document = json.loads(tokenizers.Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = pretokenizer(PRESET).to_tokenizers()
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(document))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=2, initial_alphabet=alphabet, show_progress=False
    )

    def texts() -> Iterator[list[str]]:
        for path in sorted((folder / "text").glob("*.parquet")):
            for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(1024, use_threads=False):
                yield batch["text"].to_pylist()

    start, processor = time.perf_counter(), time.process_time()
    tokenizer.train_from_iterator(texts(), trainer)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = _status("VmHWM")
    model = json.loads(tokenizer.to_str())["model"]
    pairs = [[model["vocab"][left], model["vocab"][right]] for left, right in model["merges"]]
    np.save(folder / "tokenizers.npy", np.array(pairs, np.int32).reshape(-1, 2))
    return {
        "system": f"tokenizers {tokenizers.__version__}",
        "seconds": seconds,
        "processor": processor,
        "peak_mb": peak,
    }


_CHILDREN = {"gristmill": _gristmill, "tokenizers": _tokenizers}


if __name__ == "__main__":
    sys.exit(main())
