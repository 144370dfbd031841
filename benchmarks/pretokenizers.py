"""What each pre-tokenizer does to text: speed of the scanner beside `tokenizers`, and bytes per token by language.

    python -m benchmarks.pretokenizers --json
    python -m benchmarks.pretokenizers --vocabulary 32000

Speed: MB of text per second of processor time, one core, the fastest of several runs, on English and Chinese
documentation and on the source files of Python's standard library; pieces are compared as well.

Bytes per token: for each pre-tokenizer, and for ``deepseek-llm`` with each repair of ``deepseek-llm-mended`` alone
and with all but one, a vocabulary is trained on every second 2 KB of the text and measured on the rest. The text is
one snapshot dump and the pages of some old crawls, many of which are in other languages than English and Chinese. So
that these are not drowned, a language of less than a tenth of the largest counts as often as brings it there,
``--boost`` times at most. The naughty strings are measured only. Needs the files beside the checkout.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tokenizers

from benchmarks.harness import SNAPSHOTS, finish, machine, row
from filters.language import LanguageIdentifier
from pipeline.sources.read import read_documents
from tokenizer.counts import count_pieces
from tokenizer.deepseek_classes import REPAIRS, deepseek_llm_mended
from tokenizer.encoder import Encoder
from tokenizer.formats import Tokenizer
from tokenizer.merges import train
from tokenizer.pretokenizers import PRETOKENIZERS, Pretokenizer, pretokenizer
from tokenizer.scanner_kernels import MARK_PADDING, mark_pieces, piece_ends

CRAWL = SNAPSHOTS.parent / "commoncrawl"
FILES = {
    SNAPSHOTS / "2025-07-01.warc.wet.gz": "wet",
    CRAWL / "sparkwarc-2016.warc.wet.gz": "wet",
    CRAWL / "filter-test.warc.wet.gz": "wet",
    CRAWL / "chinese-gbk-2020.warc.gz": "warc",
}
NAUGHTY = SNAPSHOTS.parent / "text" / "naughty-strings.txt"
BLOCK = 2_000  # characters of a document, to the end of the line, that go to one half
SMALLEST = 2_000  # bytes of a language that are worth a row
# An expression that needs `tokenizers`: upper and lower case told apart, as GPT-4o's does.
CASED = r" ?\p{Lu}?\p{Ll}+|\s+|[^\s\p{Ll}]"


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=32_000, help="regular tokens of each vocabulary")
    parser.add_argument("--boost", type=int, default=50, help="times that a document of a rare language may count")
    parser.add_argument("--megabytes", type=float, default=6, help="text of each kind that is scanned")
    parser.add_argument("--peer-megabytes", type=float, default=0.5, help="of which `tokenizers` gets so much")
    parser.add_argument("--runs", type=int, default=7, help="runs of each scan; the fastest counts")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    if not SNAPSHOTS.is_dir():
        sys.exit("the shared text files are not beside this checkout: there is nothing to measure on")

    texts = [text for path, kind in FILES.items() for text in documents(path, kind)]
    labels = LanguageIdentifier().identify(pa.array(texts, pa.large_string()))[0].to_pylist()
    library = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    kinds = {
        "english": [text for text, label in zip(texts, labels) if label == "en"],
        "chinese": [text for text, label in zip(texts, labels) if label == "zh"],
        "code": [path.read_text("utf-8", "replace") for path in library],
    }
    results, equal = speeds(kinds, arguments)
    blocks = [(block, label) for text, label in zip(texts, labels) for block in blocks_of(text)]
    blocks += [(block, "naughty strings") for block in blocks_of(NAUGHTY.read_text("utf-8"))]
    results += compressions([block for block, _ in blocks], np.array([label for _, label in blocks]), arguments)
    fastest = {each["case"]: each["value"] for each in results if each["system"] == "gristmill"}
    slowest = {each["case"]: each["value"] for each in results if each["system"].startswith("tokenizers")}
    report = {
        "name": "pretokenizers",
        "machine": machine(),
        "input": {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts)},
        "results": results,
        "ratios": {f"tokenizers, {case}": round(fastest[case] / value, 1) for case, value in slowest.items()},
        "checks": {"pieces equal those of tokenizers": equal},
    }
    return finish(report, arguments.json)


def documents(path: Path, kind: str) -> list[str]:
    """The texts of a crawl file."""
    return [text for batch in read_documents(str(path), kind) for text in batch.documents["text"].to_pylist()]


def speeds(kinds: dict[str, list[str]], arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    """Scans each kind of text with each preset, taking turns; compares the pieces of a part with `tokenizers`'."""
    chosen: dict[str, Pretokenizer] = {**PRETOKENIZERS, "regex that needs tokenizers": pretokenizer({"regex": CASED})}
    results, equal = [], True
    for kind, texts in kinds.items():
        data = clipped("\n".join(texts), arguments.megabytes)
        part = clipped("\n".join(texts), arguments.peer_megabytes)
        bounds, part_bounds = (np.array([0, len(each)], np.int64) for each in (data, part))
        marks = np.empty(len(data) + MARK_PADDING, np.uint8)
        seconds = dict.fromkeys(chosen, float("inf"))
        for _, (name, preset) in itertools.product(range(arguments.runs), chosen.items()):
            text, ends = (data, bounds) if preset.tables is not None else (part, part_bounds)
            started = time.process_time()
            mark_pieces(text, 0, len(text), *preset.tables_for(text, ends), marks)
            seconds[name] = min(seconds[name], (time.process_time() - started) / len(text))
        for name, preset in chosen.items():
            oracle = in_tokenizers(preset)
            started = time.process_time()
            theirs = [len(piece) for piece, _ in oracle.pre_tokenize_str(part.tobytes().decode())]
            peer = (time.process_time() - started) / len(part)
            ours = piece_ends(part, 0, len(part), *preset.tables_for(part, part_bounds))
            equal &= bool(np.array_equal(ours, np.cumsum(theirs)))
            results.append(row("gristmill", f"{name}, {kind}", "mb_per_s", 1e-6 / seconds[name], "MB/s"))
            peer_name = f"tokenizers {tokenizers.__version__}"
            results.append(row(peer_name, f"{name}, {kind}", "mb_per_s", 1e-6 / peer, "MB/s"))
    return results, equal


def clipped(text: str, megabytes: float) -> np.ndarray:
    """The first megabytes, to a whole character."""
    cut = text.encode()[: int(megabytes * 1e6)]
    return np.frombuffer(cut.decode("utf-8", "ignore").encode(), np.uint8)


def in_tokenizers(preset: Pretokenizer) -> Any:
    """The pre-tokenizer as `tokenizers` runs it."""
    document = json.loads(tokenizers.Tokenizer(tokenizers.models.BPE()).to_str())
    document["pre_tokenizer"] = preset.to_tokenizers()
    return tokenizers.Tokenizer.from_str(json.dumps(document)).pre_tokenizer


def blocks_of(text: str) -> list[str]:
    """A document in parts of whole lines."""
    blocks, lines = [], []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if sum(map(len, lines)) >= BLOCK:
            blocks.append("".join(lines))
            lines = []
    return [*blocks, "".join(lines)]


def variants() -> dict[str, Pretokenizer]:
    """Each preset, and DeepSeek LLM's with one repair and with all but one: some repairs only help together."""
    found: dict[str, Pretokenizer] = dict(PRETOKENIZERS)
    for repair in REPAIRS:
        found[f"deepseek-llm, only {repair} repaired"] = deepseek_llm_mended(frozenset({repair}))
        found[f"deepseek-llm-mended, all but {repair}"] = deepseek_llm_mended(frozenset(REPAIRS) - {repair})
    return found


def compressions(texts: list[str], labels: np.ndarray, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Bytes per token by language on every second text, with vocabularies trained on the others."""
    sizes = np.array([len(text.encode()) for text in texts])
    totals = {label: int(sizes[labels == label].sum()) for label in np.unique(labels).tolist()}
    enough = max(totals.values()) / 10
    weights = np.array([min(max(1, round(enough / totals[label])), arguments.boost) for label in labels.tolist()])
    learned = np.zeros(len(texts), bool)
    for language in totals:
        learned[np.flatnonzero(labels == language)[::2]] = language != "naughty strings"
    column = pa.array(texts, pa.large_string())
    by_size = sorted(totals, key=lambda each: -totals[each])
    shown = [each for each in by_size if sizes[(labels == each) & ~learned].sum() >= SMALLEST]

    results = []
    for name, preset in variants().items():
        counts = count_pieces(column.filter(pa.array(learned)), preset, weights[learned])
        encoder = Encoder(Tokenizer(preset, train(counts, arguments.vocabulary)))
        tokens = np.diff(encoder.encode(column).offsets)
        for language in shown:
            measured = (labels == language) & ~learned
            value = sizes[measured].sum() / tokens[measured].sum()
            results.append(row("gristmill", f"{name}, {language}", "bytes_per_token", value, "bytes"))
        value = sizes[~learned].sum() / tokens[~learned].sum()
        results.append(row("gristmill", f"{name}, all", "bytes_per_token", value, "bytes"))
    return results


if __name__ == "__main__":
    sys.exit(main())
