"""Real documents for quality models: English pages of documentation sites, crawled pages, and noised ones."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from pipeline.sources.read import read_documents

CRAWLED = ("sparkwarc-2016.warc.wet.gz", "filter-test.warc.wet.gz", "whirlwind.warc.wet.gz")


def english(path: Path) -> list[str]:
    """The English pages of one snapshot dump, each once."""
    found: dict[str, None] = {}
    for batch in read_documents(str(path), "wet"):
        for text in batch.documents["text"].to_pylist():
            if len(text) > 500 and not any("\u4e00" <= c <= "\u9fff" for c in text):
                found[text] = None
    return list(found)


def other(shared_data: Path, pages: list[str]) -> list[str]:
    """Genuine crawl pages of all kinds, and documentation pages in which some words are others than they were.

    The crawl is easy to tell by its words; of the noised pages only some are, and only by what stands beside what.
    """
    crawled = [
        text
        for name in CRAWLED
        for batch in read_documents(str(shared_data / "commoncrawl" / name), "wet")
        for text in batch.documents["text"].to_pylist()
    ]
    draw = random.Random(5)
    words = [word for page in pages for word in page.split()]
    noised = []
    for page in pages[::2]:
        share = draw.choice((0.1, 0.3, 0.6, 1.0))
        noised.append(" ".join(draw.choice(words) if draw.random() < share else word for word in page.split(" ")))
    return crawled + noised


def write_jsonl(path: Path, texts: list[str]) -> Path:
    """Writes documents as JSONL."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


if __name__ == "__main__":
    shared, folder = Path(sys.argv[1]), Path(sys.argv[2])
    pages = english(shared / "dumps" / "2025-07-01.warc.wet.gz")
    write_jsonl(folder / "good.jsonl", pages)
    write_jsonl(folder / "other.jsonl", other(shared, pages))
