"""What deduplication changes for a model: equal runs, on the raw and on the deduplicated snapshot dumps.

    python -m benchmarks.dedup_training --json --chart docs/dedup-training.svg

Both train the same small model from the same weights on as many tokens, with one tokenizer, and are measured on the
same held-out documents in bits per byte, with several seeds, which say what is chance. Held out are whole clusters of
copies, of which one document is measured on; what else resembles one of these (Jaccard similarity of 5-word shingles,
exact, of all pairs) is withheld from all runs too, so that none has seen a near copy of what it is asked. Given again,
the command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness import SNAPSHOTS, Watch, finish, machine, row
from benchmarks.measuring.curves import write_curves
from dedup.shingles import distinct_shingles
from pipeline import config_file, stages
from pipeline.corpus import Corpus
from tokenizer.shuffle import shuffle_hash
from training.config import training_config
from training.trainer import train

NGRAM = 5
MOST_SIMILAR = 0.3  # a document this like a held-out one is withheld; the pipeline joins copies from 0.7 on
CORPORA = ("raw", "deduplicated")
CONTEXT, BATCH = 256, 4  # many small steps learn most from little text
MEASUREMENTS = 5  # of the held-out documents, beside the one at the start


class Division(NamedTuple):
    """Rows of the documents: what each run may train on, and what is measured on."""

    raw: np.ndarray
    deduplicated: np.ndarray
    held_out: np.ndarray
    withheld: int  # documents that no run sees: held-out clusters, and what resembles them
    most_similar: float  # highest Jaccard similarity left between a held-out document and one trained on


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wet", default=str(SNAPSHOTS / "{dump}.warc.wet.gz"), help="WET files, with {dump}")
    parser.add_argument("--folder", type=Path, default=Path("out/dedup-training"), help="corpora and runs go here")
    parser.add_argument(
        "--share", type=float, default=0.25, help="of the clusters of copies that take part, all copies"
    )
    parser.add_argument(
        "--passes", type=float, default=1.0, help="of the deduplicated text, in tokens: both runs' length"
    )
    parser.add_argument("--seeds", type=int, default=2, help="of weights and order; each is a run on either corpus")
    parser.add_argument("--held-out", type=int, default=50, help="clusters held out")
    parser.add_argument("--preset", default="2m", help="the model")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the clusters that take part and are held out")
    parser.add_argument("--chart", type=Path, help="draw the curves into this SVG file")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    return finish(measure(arguments), arguments.json)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The report: bits per byte of both runs as they went."""
    folder, began = arguments.folder, time.monotonic()
    documents, kept, clusters = _deduplicated(arguments)
    division = divide(documents["text"], kept, clusters, arguments.share, arguments.held_out, arguments.seed)
    shards = _shards(arguments, documents, division)
    tokens = round(arguments.passes * _tokens(shards["deduplicated"]))
    seeds = range(arguments.seeds)
    runs = {  # seed by seed, so that an interrupted comparison has whole pairs
        (name, seed): _run(arguments, name, shards[name], shards["held-out"], tokens, seed)
        for seed in seeds
        for name in CORPORA
    }
    curves = {key: _curve(rows) for key, rows in runs.items()}
    means = {
        name: [(at[0][0], float(np.mean([bits for _, bits in at]))) for at in zip(*(curves[name, s] for s in seeds))]
        for name in CORPORA
    }
    results = []
    for name in CORPORA:
        results += [
            row(name, f"after {at:,} tokens, mean of seeds", "bits_per_byte", bits, "bits/byte")
            for at, bits in means[name]
        ]
        results += _ends(name, [runs[name, seed] for seed in seeds])
        results.append(row(name, "tokens in the shards", "tokens", _tokens(shards[name]), "tokens"))
    results.append(row("gristmill", "corpora and all runs", "seconds", time.monotonic() - began, "s"))
    if arguments.chart:
        title = f"Bits per byte of the same held-out documents, mean of {arguments.seeds} seeds"
        later = {name: curve[1:] for name, curve in means.items()}  # the start would leave no room for what differs
        write_curves(arguments.chart, later, title, "training tokens", f"before training {means['raw'][0][1]:.2f}")
    ends = {name: curve[-1][1] for name, curve in means.items()}
    chance = max(np.ptp([curves[name, seed][-1][1] for seed in seeds]) for name in CORPORA)
    held_out, trained = set(division.held_out.tolist()), {*division.raw.tolist(), *division.deduplicated.tolist()}
    return {
        "name": "dedup_training",
        "machine": machine(),
        "input": {"documents": len(documents["text"]), "bytes": pc.sum(pc.binary_length(documents["text"])).as_py()},
        "results": results,
        "ratios": {"raw": round(ends["raw"] / ends["deduplicated"], 4)},
        "checks": {
            "all runs took the same tokens": len({curve[-1][0] for curve in curves.values()}) == 1,
            "no held-out document is trained on": not held_out & trained,
            f"none resembles one that is: Jaccard below {MOST_SIMILAR}": division.most_similar < MOST_SIMILAR,
            "all learned": all(curve[-1][1] < curve[0][1] for curve in curves.values()),
            "the runs of a seed began alike": all(
                len({curves[name, seed][0] for name in CORPORA}) == 1 for seed in seeds
            ),
        },
        "notes": [
            f"{len(division.held_out)} held-out documents; {division.withheld} documents are withheld from both runs, "
            f"{len(division.raw)} are raw, {len(division.deduplicated)} deduplicated",
            f"highest Jaccard similarity of a held-out document to one trained on: {division.most_similar:.3f}",
            f"bits per byte at the end: raw {ends['raw']:.4f}, deduplicated {ends['deduplicated']:.4f}; "
            f"the seeds of one corpus differ by up to {chance:.4f}",
            f"curves: gristmill report {folder}/runs/*",
        ],
    }


def _curve(rows: list[dict[str, Any]]) -> list[tuple[int, float]]:
    """Training tokens and bits per byte of each measurement of a run."""
    return [(r["step"] * CONTEXT * BATCH, r["bits_per_byte"]) for r in rows if "bits_per_byte" in r]


def _ends(name: str, runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Where the runs on a corpus ended, seed by seed, and how far what they read lies from what they are asked."""
    steps = [[r for r in rows if "loss" in r] for rows in runs]
    late = [r["loss"] for each in steps for r in each[-max(1, len(each) // 20) :]]
    held = [[r for r in rows if "validation_loss" in r][-1]["validation_loss"] for rows in runs]
    return [
        *(
            row(name, f"at the end, seed {seed}", "bits_per_byte", _curve(rows)[-1][1], "bits/byte")
            for seed, rows in enumerate(runs)
        ),
        row(name, "training loss, last 5 % of the steps", "loss", np.mean(late), "nats/token"),
        row(name, "held-out loss at the end", "loss", np.mean(held), "nats/token"),
        row(name, "training", "tokens_per_s", np.median([r["tokens_per_s"] for r in steps[0]]), "tokens/s"),
    ]


def divide(
    texts: pa.ChunkedArray, kept: np.ndarray, clusters: np.ndarray, share: float, count: int, seed: int
) -> Division:
    """Takes a share of the clusters, holds out ``count`` of these and what resembles the document that stays of each.

    Clusters are drawn by the hash of their id. ``kept`` bool and ``clusters`` uint64 by document. Raises SystemExit
    when nothing would be left to train on.
    """
    ids = np.unique(clusters)
    drawn = ids[np.argsort(shuffle_hash(ids, 0, seed), kind="stable")][: round(share * len(ids))]
    if count >= len(drawn):
        raise SystemExit(f"--held-out {count}: only {len(drawn)} clusters take part; hold out fewer, or raise --share")
    part, inside = np.isin(clusters, drawn), np.isin(clusters, drawn[:count])
    held_out = np.flatnonzero(inside & kept)
    similar = _similarity(texts, held_out)
    withheld = inside | (similar >= MOST_SIMILAR)
    seen = part & ~withheld
    return Division(
        np.flatnonzero(seen), np.flatnonzero(seen & kept), held_out, int((part & withheld).sum()),
        float(similar[seen].max(initial=0)),
    )  # fmt: skip


def _similarity(texts: pa.ChunkedArray, held_out: np.ndarray) -> np.ndarray:
    """The highest Jaccard similarity of each document to a held-out one, float64 [documents]; 1 of those themselves."""
    shingles, offsets = distinct_shingles(texts, NGRAM)
    sizes = np.diff(offsets)
    owner = np.repeat(np.arange(len(held_out)), sizes[held_out])
    wanted = np.concatenate([shingles[offsets[i] : offsets[i + 1]] for i in held_out])
    order = np.argsort(wanted, kind="stable")
    wanted, owner = wanted[order], owner[order]
    first, last = wanted.searchsorted(shingles, "left"), wanted.searchsorted(shingles, "right")
    found = last > first
    document = np.repeat(np.arange(len(sizes)), sizes)[found]
    counts = (last - first)[found]
    places = np.repeat(first[found], counts) + np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    pairs = np.repeat(document, counts) * len(held_out) + owner[places]
    pairs, shared = np.unique(pairs, return_counts=True)
    left, right = pairs // len(held_out), held_out[pairs % len(held_out)]
    best = np.zeros(len(sizes))
    np.maximum.at(best, left, shared / (sizes[left] + sizes[right] - shared))
    return best


def _deduplicated(arguments: argparse.Namespace) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """All documents with text, and dedup's decision about each: whether it stays, and its cluster."""
    output = arguments.folder / "dedup"
    raw = {
        "name": "dedup-training", "output": str(output), "engine": {"workers": arguments.workers},
        "filter": {"presets": []}, "sources": [{"name": "commoncrawl", "format": "wet", "paths": [arguments.wet]}],
    }  # fmt: skip
    stages.run(Corpus(config_file.parse(raw)), stages.until("dedup"), Watch())
    documents = _read(output / "documents", ["key", "url", "text"])
    decided = _read(output / "clusters", ["key", "cluster", "kept"])
    order = np.argsort(decided["key"].to_numpy())
    keys = documents["key"].to_numpy()
    rows = order[np.searchsorted(decided["key"].to_numpy(), keys, sorter=order)]
    assert np.array_equal(decided["key"].to_numpy()[rows], keys)
    return documents, decided["kept"].to_numpy()[rows], decided["cluster"].to_numpy()[rows]


def _read(folder: Path, columns: list[str]) -> pa.Table:
    paths = sorted(folder.glob("dump=*/*.parquet"))
    return pa.concat_tables([pq.ParquetFile(path).read(columns) for path in paths])


def _shards(arguments: argparse.Namespace, documents: pa.Table, division: Division) -> dict[str, Path]:
    """Shards of what each run reads and of the held-out documents, all with the deduplicated text's tokenizer."""
    chosen = {"deduplicated": division.deduplicated, "raw": division.raw, "held-out": division.held_out}
    shards = {}
    for name, rows in chosen.items():
        folder = arguments.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(documents.take(rows), folder / "documents.parquet")
        first = name == "deduplicated"
        raw = {
            "name": name, "output": str(folder / "corpus"), "engine": {"workers": arguments.workers},
            "filter": {"presets": []},
            "sources": [{"name": "commoncrawl", "format": "parquet", "paths": [str(folder / "documents.parquet")],
                         "columns": {"id": "url"}}],
            "dedup": {"min_cluster_size": 1_000_000},  # what is a copy was decided before
            "tokenizer": {"vocabulary": arguments.vocabulary} if first
            else {"path": str(arguments.folder / "deduplicated" / "corpus" / "tokenizer")},
            "shards": {"validation_share": 0.0},
        }  # fmt: skip
        stages.run(Corpus(config_file.parse(raw)), stages.until(None), Watch())
        shards[name] = folder / "corpus" / "shards"
    return shards


def _run(
    arguments: argparse.Namespace, name: str, shards: Path, held_out: Path, tokens: int, seed: int
) -> list[dict[str, Any]]:
    """Trains on one corpus, or goes on; the rows of its metrics."""
    output = arguments.folder / "runs" / f"{name}-{seed}"
    steps = max(MEASUREMENTS, round(tokens / (CONTEXT * BATCH) / MEASUREMENTS) * MEASUREMENTS)
    config = {
        "model": {"preset": arguments.preset, "context": CONTEXT, "init_std": 0.02},
        "data": {"shards": str(shards), "batch": BATCH, "seed": seed}, "output": str(output), "steps": steps,
        "optimizer": {"learning_rate": 3e-3}, "schedule": {"warmup_steps": max(1, steps // 20)},
        "checkpoint": {"every": steps // MEASUREMENTS, "keep": 1},
        "validation": {"every": steps // MEASUREMENTS, "tokens": 10**9,
                       "shards": [{"path": str(held_out), "name": "held-out", "split": "train"}]},
        "seed": seed,
    }  # fmt: skip

    def watch(event: str, facts: Mapping[str, Any]) -> None:
        if event == "validation":
            told = f"{name}, seed {seed}, step {facts['step']} of {steps}: {facts['bits_per_byte']:.4f} bits per byte"
            print(told, file=sys.stderr, flush=True)

    train(training_config(config), watch)
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def _tokens(shards: Path) -> int:
    return json.loads((shards / "shards.json").read_text())["splits"]["train"]["tokens"]


if __name__ == "__main__":
    sys.exit(main())
