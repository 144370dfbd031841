"""Encoding on one core with the DeepSeek LLM pre-tokenizer, beside `tokenizers` with the same vocabulary.

    python -m benchmarks.encode --json
    python -m benchmarks.encode --vocabulary 32000 --json

The text is that of the snapshot dumps beside the checkout or, where they are absent, the source files of Python's
standard library; the vocabulary is trained on it. Figures are MB of text per second of processor time, the fastest of
several runs. Cold: the encoder has not encoded anything before. Warm: it has just encoded the same text.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pyarrow as pa
import tokenizers

from benchmarks.harness import finish, machine, row
from benchmarks.signatures import UNSPACED_BYTES, load_texts
from tokenizer.counts import count_pieces
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer, to_json
from tokenizer.merges import train
from tokenizer.pretokenizers import PRETOKENIZERS

PRESET = PRETOKENIZERS["deepseek-llm"]
T = TypeVar("T")


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=100_000, help="regular tokens")
    parser.add_argument("--runs", type=int, default=5, help="runs of each case; the fastest counts")
    parser.add_argument("--peer-megabytes", type=float, default=2, help="text of each case that the peer gets")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()

    texts, origin = load_texts(None)
    sizes = np.array([len(text.encode()) for text in texts])
    unspaced = sizes > UNSPACED_BYTES * np.array([len(text) for text in texts])
    every = pa.array(texts, pa.large_string())
    count_pieces(every[:1], PRESET)  # compile before the clock starts
    train(count_pieces(every[:20], PRESET), 300)
    counting, counts = timed(lambda: count_pieces(every, PRESET))
    merging, merges = timed(lambda: train(counts, arguments.vocabulary))
    tokenizer = Tokenizer(PRESET, merges)
    peer = tokenizers.Tokenizer.from_str(to_json(tokenizer)["tokenizer.json"])
    peer.encode_special_tokens = True
    Encoder(tokenizer).encode(every[:1])
    results = [
        row("gristmill", "count pieces", "mb_per_s", sizes.sum() / 1e6 / counting, "MB/s"),
        row("gristmill", "merges", "seconds", merging, "s"),
    ]
    ratios = {}
    equal = round_trip = True
    for case, chosen in {"mixed": sizes >= 0, "english": ~unspaced, "chinese": unspaced}.items():
        if not chosen.any():
            continue
        column = pa.array(list(itertools.compress(texts, chosen)), pa.large_string())
        megabytes = sizes[chosen].sum() / 1e6
        cold, warm = [], []
        for _ in range(arguments.runs):
            encoder = Encoder(tokenizer)
            cold.append(timed(lambda encoder=encoder, column=column: encoder.encode(column))[0])
            seconds, encoded = timed(lambda encoder=encoder, column=column: encoder.encode(column))
            warm.append(seconds)
        decoding, decoded = timed(lambda encoder=encoder, encoded=encoded: encoder.decode_batch(*encoded))
        round_trip &= decoded.view(pa.large_string()).equals(column)
        few = min(len(column), int(len(column) * arguments.peer_megabytes / megabytes) + 1)
        picked = np.linspace(0, len(column) - 1, few).astype(int).tolist()
        sample = [column[i].as_py() for i in picked]
        theirs, ids = timed(lambda sample=sample: [peer.encode(text).ids for text in sample])
        ours = [encoded.tokens[encoded.offsets[i] : encoded.offsets[i + 1]].tolist() for i in picked]
        equal &= ids == ours
        peer_speed = sum(len(text.encode()) for text in sample) / 1e6 / theirs
        results += [
            row("gristmill", f"{case}, cold", "mb_per_s", megabytes / min(cold), "MB/s"),
            row("gristmill", f"{case}, warm", "mb_per_s", megabytes / min(warm), "MB/s"),
            row("gristmill", f"{case}, decode", "mb_per_s", megabytes / decoding, "MB/s"),
            row(f"tokenizers {tokenizers.__version__}", case, "mb_per_s", peer_speed, "MB/s"),
        ]
        ratios[f"tokenizers, {case}, cold"] = round(megabytes / min(cold) / peer_speed, 1)
        ratios[f"tokenizers, {case}, warm"] = round(megabytes / min(warm) / peer_speed, 1)
    report = {
        "name": "encode",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": int(sizes.sum()), "origin": origin, "tokens": tokenizer.tokens},
        "results": results,
        "ratios": ratios,
        "checks": {"ids equal those of tokenizers": bool(equal), "decoded text equals the text": bool(round_trip)},
    }
    return finish(report, arguments.json)


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds, and what the work returned."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


if __name__ == "__main__":
    sys.exit(main())
