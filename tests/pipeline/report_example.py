"""An output folder as a real run leaves it, made up but consistent; run as a script to look at its report.

    python tests/pipeline/report_example.py OUT [--hostile]

Counts hold together as a run's would: records = documents + rejects + skipped, kept + removed = documents, funnels
add up.
"""

import datetime
import json
import math
import random
import sys
from pathlib import Path

import pyarrow as pa

from pipeline.corpus import first_key, part_name
from pipeline.documents import SCHEMA
from pipeline.parts import write_part

# What a hostile page, file name or configuration could hold. Each would set a global or load something if it came
# alive.
PAYLOADS = (
    "<script>window.owned=1</script>",
    '"><img src=x onerror="window.owned=2">',
    "</script><script>window.owned=3</script>",
    "javascript:window.owned=4",
    '<a href="javascript:window.owned=5">click</a>',
    "<svg/onload=window.owned=6>",
    "<!--<script>",
    "'-window.owned-'",
    "$title ${style} %{y} {{x}}",
    "\u202egnp.exe\u2028line\u0000nul\x1b[31m",
    "<b>bold</b><br>second line",
    "</style><style>*{display:none}",
    "\ud800 lone surrogate",
)


def write_example(output: Path, dumps: int = 6, documents: int = 9_537, hostile: bool = False, seed: int = 0) -> Path:
    """Writes the manifests of a complete run; with ``hostile`` every text that a crawl controls is a payload."""
    for folder, manifest in manifests(dumps, documents, hostile, seed).items():
        path = output / folder / "manifest.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest, indent=1))
    write_texts(output, dumps, hostile, seed)
    settings = {"ngram": 5, "bands": 14, "rows": 8, "keep": "earliest", "threshold": None, "against": PAYLOADS[:2]}
    (output / "corpus.yaml").write_text(json.dumps({"dedup": settings if hostile else settings | {"against": []}}))
    return output


def write_texts(output: Path, dumps: int, hostile: bool, seed: int) -> None:
    """Writes the documents that samples and clusters name: texts of one chapter that change from dump to dump."""
    names = [f"20{18 + number // 2}-{1 + 6 * (number % 2):02}" for number in range(dumps)]
    (output / "dumps.json").write_text(json.dumps({"dumps": names}))
    for dump, name in enumerate(names):
        keys, texts = [first_key(dump, 0) + record for record in range(_RECORDS)], []
        for record in range(_RECORDS):
            random_ = random.Random(f"{seed} {record}")  # the same chapter in every dump
            words = [random_.choice(_WORDS) for _ in range(400)]
            changes = random.Random(f"{seed} {dump} {record}")
            for place in changes.sample(range(400), 3 * dump):
                words[place] = changes.choice(PAYLOADS[:-1] if hostile else _WORDS)
            lines = (" ".join(words[start : start + 20]) + "." for start in range(0, 400, 20))
            texts.append(("第一章 深度学习框架。\n" if record % 3 == 0 else "") + "\n".join(lines))
        columns = {
            "key": keys,
            "id": [f"<urn:uuid:{key}>" for key in keys],
            "url": [f"https://book.example.org/{key}" for key in keys],
            "dump": [name] * _RECORDS,
            "source": ["docs"] * _RECORDS,
            "date": [datetime.datetime(2018 + dump // 2, 1, 1, tzinfo=datetime.timezone.utc)] * _RECORDS,
            "text": texts,
            "language": [None] * _RECORDS,
            "language_score": [None] * _RECORDS,
        }
        with write_part(str(output / "documents" / f"{part_name(name, 0)}.parquet"), SCHEMA) as (out, _):
            out.write(pa.RecordBatch.from_pydict(columns, SCHEMA))


_RECORDS = 40
_TEXT = (
    "the mill grinds grain to flour and every sack that leaves it is weighed then counted before a cart takes it down "
    "the river road to bakers who wait for bread of another day while water turns a wheel of oak under old stone"
)
_WORDS = _TEXT.split()


def write_training_run(output: Path, steps: int = 400, seed: int = 0) -> Path:
    """Writes the metrics of a training run of the usual shape, resumed in the middle, with half a line at the end."""
    random_ = random.Random(seed)
    lines = []
    for step in [*range(1, steps // 2 + 5), *range(steps // 2, steps + 1)]:
        loss = 3.1 + 6.2 * math.exp(-step / 60) + random_.gauss(0, 0.05)
        lines.append(
            {
                "step": step,
                "tokens": step * 16_384,
                "loss": loss,
                "learning_rate": 6e-4
                * min(1, step / 40)
                * (0.1 if step > 0.9 * steps else 0.316 if step > 0.8 * steps else 1),
                "gradient_norm": 0.6 + 3 * math.exp(-step / 30) + random_.random() * 0.2,
                "tokens_per_s": 21_000 + random_.gauss(0, 900),
                "seconds": 0.78,
                "mfu": 0.41 + random_.gauss(0, 0.01),
                "memory_bytes": 2_100_000_000 + step,
                "parts": {"data": 0.002, "forward": 0.25, "backward": 0.49, "optimizer": 0.03, "other": 0.008},
            }
        )
        if step % 50 == 0:
            figures = {"validation_loss": loss + 0.12, "bits_per_byte": (loss + 0.12) / math.log(2) / 3.9}
            lines.append({"step": step, **figures, "sources": {"web": figures, "books": figures}})
    path = output / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 401, "lo')
    return path


def manifests(dumps: int, documents: int, hostile: bool, seed: int) -> dict[str, dict]:
    """Manifests by folder."""
    random_ = random.Random(seed)

    def told(text: str) -> str:
        return random_.choice(PAYLOADS) + text if hostile else text

    names = [told(f"20{18 + number // 2}-{1 + 6 * (number % 2):02}") for number in range(dumps)]
    sources = [told(name) for name in ("docs-english", "docs-chinese")]
    languages = {
        told(name): part
        for name, part in (("en", 0.56), ("zh", 0.36), ("ja", 0.035), ("de", 0.02), ("fr", 0.015), ("und", 0.01))
    }

    per_dump = [documents // dumps + (number < documents % dumps) for number in range(dumps)]
    text_bytes = documents * 6_502
    rejected = {told("truncated-gzip"): 4, told("invalid-utf8"): 61, told("bad-header"): 12, told("not-a-warc"): 1}
    skipped = {told("warcinfo"): dumps, told("request"): 311, told("not-html"): 96, told("empty-text"): 37}
    rejects, skips = sum(rejected.values()), sum(skipped.values())
    amount = {"rejects": rejects // dumps, "files": 2}
    ingest = _manifest(
        "ingest",
        4.31,
        {
            "files": 2 * dumps,
            "records": documents + rejects + skips,
            "documents": documents,
            "rejects": rejects,
            "skipped": skips,
            "text_bytes": text_bytes,
            "input_bytes": text_bytes // 4,
        },
        {
            "dumps": {
                name: {"documents": count, "text_bytes": count * 6_502, **amount}
                for name, count in zip(names, per_dump)
            },
            "sources": {
                source: {"documents": int(documents * part), "text_bytes": int(text_bytes * part), **amount}
                for source, part in zip(sources, (0.58, 0.42))
            },
            "rejects": rejected,
            "reject_samples": [
                {
                    "file": told(f"dumps/2019-07/part-{number:05}.warc.wet.gz"),
                    "offset": 18_734_112 * number,
                    "record": 411 * number,
                    "reason": reason,
                    "detail": told("byte 0xc3 at 1,204 begins no character"),
                }
                for number, reason in enumerate(rejected)
            ],
            "skipped": skipped,
        },
    )

    curve, seen, removed_before = [], 0, 0
    for number, (name, count) in enumerate(zip(names, per_dump), 1):
        seen += count
        share = 0.79 * (1 - math.exp(-(number - 0.55) / 1.5)) if number > 1 else 0.071
        removed_before = max(removed_before, int(seen * share))
        alone = 0.07 + 0.02 * random_.random()
        curve.append(
            {
                "dump": name,
                "dumps": number,
                "documents": seen,
                "removed": removed_before,
                "share": removed_before / seen,
                "alone_removed": int(count * alone),
                "alone_share": alone,
            }
        )
    removed = removed_before
    unique = documents - removed
    overlap = [
        [per_dump[i] if i == j else int(per_dump[i] * 0.93 * math.exp(-abs(i - j) / 4.5)) for j in range(dumps)]
        for i in range(dumps)
    ]
    sizes = [[size, max(1, int(1900 * size**-1.9))] for size in (*range(2, 13), 15, 18, 24, 41)]
    cluster = _manifest(
        "cluster",
        0.42,
        {
            "documents": documents,
            "clusters": sum(count for _, count in sizes),
            "kept": unique,
            "removed": removed,
        },
        {
            "curve": curve,
            "overlap": {"dumps": names, "matrix": overlap},
            "sizes": sizes,
            "curve_reversed": [
                {
                    **point,
                    "dump": names[dumps - 1 - number],
                    "removed": point["removed"] * 9 // 10,
                    "share": None,
                    "alone_removed": None,
                    "alone_share": None,
                }
                for number, point in enumerate(curve)
            ],
            "largest": [
                {
                    "cluster": str(first_key(0, 0) + number),
                    "size": size,
                    "keys": [str(first_key(dump, 0) + number) for dump in range(min(dumps, 3))],
                    "urls": [
                        told(f"https://docs.example.org/guide/{page}/chapter-{number}.html")
                        for page in ("intro", "2019/intro", "zh/intro")[:dumps]
                    ],
                }
                for number, (size, _) in enumerate(reversed(sizes[-8:]))
            ],
            "removed": {"documents": removed, "bytes": removed * 6_480, "words": removed * 1_020, "outside": 212},
            "components": {
                "method": "one worker",
                "pairs": 18_204,
                "limit": 200_000_000,
                "rounds": 0,
                "reason": told("18,204 pairs are no more than max_pairs_in_memory = 200,000,000"),
            },
            "chains": {
                "max_chain": 2,
                "documents_spared": 31,
                "by_distance": [[1, removed - removed // 8], [2, removed // 8]],
            },
        },
    )
    match = _manifest(
        "match",
        1.27,
        {"documents": documents, "buckets": 31_877, "pairs_accepted": 18_204, "pairs_rejected": 1_377},
        {
            "method": "estimate",
            "threshold": 0.7,
            "passes": [
                {"candidates": 18_931, "accepted": 17_604, "rejected": 1_327},
                {"candidates": 621, "accepted": 580, "rejected": 41},
                {"candidates": 29, "accepted": 20, "rejected": 9},
            ],
            **{
                verdict: [
                    {
                        "left": str(first_key(0, 0) + number),
                        "right": str(first_key(dumps - 1, 0) + number),
                        "left_url": told(f"https://book.example.org/ch{number:02}-00.html"),
                        "right_url": told(f"https://book.example.org/second-edition/ch{number:02}-00.html"),
                        "jaccard": 0.7 + sign * (number + 0.4) / 112,
                    }
                    for number in range(20)
                ]
                for verdict, sign in (("accepted_samples", 1), ("rejected_samples", -1))
            },
            "against": [{"folder": told("out/benchmark"), "documents_removed": 212}],
        },
    )

    shares = (
        ("url/blocked-host", 0.004, 0.004), ("language/score", 0.021, 0.024),
        ("gopher-repetition/duplicate-line-fraction", 0.034, 0.034),
        ("gopher-repetition/top-2-gram-characters", 0.006, 0.021),
        ("gopher-repetition/duplicate-5-gram-characters", 0.019, 0.061), ("gopher-quality/words", 0.071, 0.083),
        ("gopher-quality/mean-word-length", 0.013, 0.027), ("gopher-quality/alphabetic-words", 0.022, 0.094),
        ("gopher-quality/stop-words", 0.017, 0.075), ("c4/curly-bracket", 0.062, 0.139), ("c4/sentences", 0.011, 0.066),
        ("fineweb/line-punctuation", 0.043, 0.119), ("fineweb/short-lines", 0.0, 0.058), ("quality/edu", 0.009, 0.03),
    )  # fmt: skip
    funnel = [
        {
            "rule": told(rule) if not rule.startswith("gopher-quality") else rule,
            "documents": int(unique * first),
            "failing": int(unique * failing),
            "bytes": int(unique * first * 4_100),
        }
        for rule, first, failing in shares
    ]
    funnel[-1] |= {"statistic": "quality_edu", "threshold": 0.4}
    filtered = sum(rule["documents"] for rule in funnel)
    kept, kept_bytes = unique - filtered, (unique - filtered) * 6_900
    annotate = _manifest(
        "annotate",
        3.9,
        {"documents": unique, "text_bytes": text_bytes - removed * 6_480},
        {
            "languages": {
                language: {"documents": int(unique * part), "text_bytes": int((text_bytes - removed * 6_480) * part)}
                for language, part in languages.items()
            }
        },
    )
    kept_parts = dict(zip(languages, (0.601, 0.352, 0.022, 0.016, 0.009, 0.0)))
    kept_languages = {
        language: {"documents": int(kept * part), "text_bytes": int(kept_bytes * part)}
        for language, part in kept_parts.items()
        if part
    }
    removed_bytes = sum(rule["bytes"] for rule in funnel)
    decide = _manifest(
        "decide",
        0.12,
        {
            "documents": unique,
            "kept": kept,
            "removed": filtered,
            "text_bytes": kept_bytes + removed_bytes,
            "kept_bytes": kept_bytes,
            "removed_bytes": removed_bytes,
        },
        {"funnel": funnel, "languages": kept_languages},
    )
    scored = [int(unique * share) for share in (0.03, 0.12, 0.25, 0.3, 0.2, 0.1)]
    quality = _manifest(
        "quality",
        0.9,
        {"documents": 2 * unique, "judged": 2 * unique},
        {
            "models": {
                "edu": {
                    "label": told("positive"),
                    "languages": ["en", told("zh")],
                    "documents": unique,
                    "judged": sum(scored),
                    "scores": {"documents": scored, "text_bytes": [count * 5_000 for count in scored]},
                },
                told("kinds"): {
                    "label": None,
                    "documents": unique,
                    "judged": unique,
                    "labels": {
                        told(label): {"documents": int(unique * part), "text_bytes": int(unique * part * 6_000)}
                        for label, part in (("law", 0.1), ("code", 0.3), ("news", 0.5), ("", 0.1))
                    },
                },
            }
        },
    )
    select = _manifest(
        "select",
        0.61,
        {
            "documents": kept,
            "kept": kept,
            "removed": 0,
            "kept_bytes": kept_bytes - 61_440,
            "removed_bytes": 0,
            "edited_bytes": 50_000,
            "masked_documents": 31,
            "masked_bytes": 12_000,
            "replaced_bytes": -560,
        },
        {
            "languages": kept_languages,
            "personal_data": {
                "email": {"found": 9_120, "documents": 5_410, "bytes": 182_400},
                "ip": {"found": 312, "documents": 77, "bytes": 3_980},
                "card": {"found": 0, "documents": 0, "bytes": 0},
            },
        },
    )
    quiz = {"items": 1_319, "items_found": 57, "texts": 2_638, "texts_too_short": 12, "documents": 41, "runs": 903}
    shared_text = {
        "set": told("quiz"),
        "file": told("evals/quiz.jsonl"),
        "line": 17,
        "share": 0.96,
        "key": "4503599627370503",
        "text": told("How many steps does the keeper climb on nine mornings of two hundred and twelve each?"),
        "document": told("HOW MANY steps does the keeper climb on nine mornings of 212 each? Answer below."),
    }
    overlap = _manifest(
        "overlap",
        1.4,
        {"documents": unique, "text_bytes": text_bytes - removed * 6_480},
        {
            "sets": {told("quiz"): quiz, "reading": {**dict.fromkeys(quiz, 0), "items": 300, "texts": 300}},
            "samples": [shared_text],
        },
    )

    cells, total_after = [], 0
    for source, part in zip(sources, (0.62, 0.38)):
        for language, language_part in kept_parts.items():
            count = int(kept * part * language_part)
            if count:
                epochs = 1.0 if source == sources[0] else 1.7 if language_part > 0.3 else 2.5
                after = int(count * 6_900 * epochs)
                total_after += after
                cells.append(
                    {
                        "domains": {"source": source, "language": language},
                        "documents": count,
                        "amount_before": count * 6_900,
                        "planned_epochs": epochs,
                        "epochs": epochs,
                        "amount_after": after,
                        "cap": 2.5,
                        "binds": epochs == 2.5,
                    }
                )

    def along(axis: str, targets: dict[str, float]) -> dict[str, dict]:
        before, rows = sum(cell["amount_before"] for cell in cells), {}
        for name in dict.fromkeys(cell["domains"][axis] for cell in cells):
            own = [cell for cell in cells if cell["domains"][axis] == name]
            sums = {key: sum(cell[key] for cell in own) for key in ("documents", "amount_before", "amount_after")}
            shares = {"before": sums["amount_before"] / before, "after": sums["amount_after"] / total_after}
            epochs = sums["amount_after"] / sums["amount_before"]
            rows[name] = sums | shares | {"target": targets.get(name), "planned": shares["after"], "epochs": epochs}
        return rows

    copies = sum(round(cell["documents"] * cell["epochs"]) for cell in cells)
    mix = _manifest(
        "mix",
        0.18,
        {"documents": kept, "copies": copies, "bytes": total_after},
        {
            "unit": "bytes",
            "message": f"{total_after:,} bytes",
            "asked": float(total_after),
            "planned": float(total_after),
            "most": float(total_after),
            "axes": {"source": along("source", dict(zip(sources, (0.5, 0.5)))), "language": along("language", {})},
            "cells": cells,
        },
    )

    rates = dict(zip(kept_parts, (4.31, 3.62, 3.05, 3.71, 3.64, 2.4)))
    compression = [
        {
            "language": language,
            "bytes": int(kept_bytes * part),
            "tokens": int(kept_bytes * part / rates[language]),
        }
        for language, part in kept_parts.items()
        if part
    ]
    longest = ["                                ", "================================", "addEventListener",
               " 深度学习框架", " implementation",
               "----------------", " responsibility", "XMLHttpRequest", "getElementById", "/usr/local/lib"]  # fmt: skip
    trained = _manifest(
        "tokenizer",
        5.8,
        {"pieces": 12_408_112, "distinct_pieces": 142_190, "vocabulary": 32_000, "asked": 32_000},
        {"longest": [told(token) for token in longest]},
    )

    tokens = int(total_after / 4.02)
    validation = tokens // 50
    tokenize = _manifest(
        "tokenize",
        1.12,
        {"documents": copies, "tokens": tokens, "bytes": 4 * tokens, "files": 4},
        {
            "splits": {
                "train": {"documents": copies - copies // 50, "tokens": tokens - validation},
                "validation": {"documents": copies // 50, "tokens": validation},
            },
            "sources": {
                source: {
                    "documents": int(copies * part),
                    "tokens": int(tokens * part),
                }
                for source, part in zip(sources, (0.5, 0.5))
            },
        },
    )
    tokenize["files"] = [
        {
            "path": f"{split}/part-{number:05}.arrow",
            "bytes": tokens,
            "sha256": "".join(random_.choice("0123456789abcdef") for _ in range(64)),
            "rows": copies // 4,
        }
        for split, number in (("train", 0), ("train", 1), ("train", 2), ("validation", 0))
    ]
    encode = _manifest(
        "encode",
        1.92,
        {"documents": copies, "tokens": tokens},
        {"languages": {row["language"]: {"bytes": row["bytes"], "tokens": row["tokens"]} for row in compression}},
    )
    score = _manifest("score", 0.21, {"documents": 5_120}, {})
    hashed = _manifest("hash", 0.33, {"documents": unique, "paragraphs": 41_877, "text_bytes": unique * 6_480}, {})
    paragraphs = _manifest(
        "paragraphs",
        0.12,
        {
            "documents": unique,
            "paragraphs": 41_877,
            "removed": 3_120,
            "removed_bytes": 268_320,
            "edited": 811,
            "emptied": 0,
        },
        {
            "paragraphs": [
                {"key": str(first_key(0, 0) + number), "line": 2, "copies": 90 - 7 * number} for number in range(12)
            ]
        },
    )
    sign = _manifest("sign", 0.83, {"documents": documents, "text_bytes": text_bytes}, {})
    return {
        "documents": ingest,
        "signatures": sign,
        "candidates": match,
        "scores": score,
        "clusters": cluster,
        "paragraph_hashes": hashed,
        "paragraphs": paragraphs,
        "annotations": annotate,
        "contamination": overlap,
        "decisions": decide,
        "filtered": select,
        "quality": quality,
        "domains": _manifest("survey", 0.11, {"documents": kept}, {}),
        "yardstick": _manifest("yardstick", 1.9, {"vocabulary": 32_000}, {}),
        "tokens": _manifest("weigh", 0.7, {"documents": kept, "tokens": int(total_after / 4.02)}, {}),
        "cells": _manifest("tally", 0.05, {"rows": 4_096}, {}),
        "mixture": mix,
        "tokenizer": trained,
        "runs": encode,
        "shards": tokenize,
    }


def _manifest(stage: str, seconds: float, counts: dict, details: dict) -> dict:
    return {
        "stage": stage,
        "fingerprint": f"{abs(hash_text(stage)):016x}",
        "version": "0.1.0",
        "created": "2026-11-22T06:14:09+00:00",
        "seconds": seconds,
        "workers": 2,
        "counts": counts,
        "files": [
            {"path": "part-00000.parquet", "bytes": 1_048_576, "sha256": "00" * 32, "rows": counts.get("documents", 0)}
        ],
        "details": details,
    }


def hash_text(text: str) -> int:
    """The same number for the same text in every process, which Python's own hash is not."""
    return random.Random(text).getrandbits(63)


if __name__ == "__main__":
    from pipeline.report.corpus_report import write_report

    folder = write_example(Path(sys.argv[1]), hostile="--hostile" in sys.argv)
    write_training_run(folder / "training")
    print(write_report(folder))
