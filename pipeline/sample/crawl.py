"""`gristmill sample`: a small crawl that needs no network and no licence, with the truth about it beside it."""

import json
import platform
import random
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.sample.dump_files import PAGE_FILES, DumpFile, dump_files
from pipeline.sample.errors import SampleError
from pipeline.sample.history import Web
from pipeline.sample.languages import translated_pages
from pipeline.sample.pages import Page, english_pages
from pipeline.sample.similarity import DistinctTexts, visible_text, words

# Two pages that are not copies are below this Jaccard similarity, and every page has at least so many words.
UNLIKE_BELOW = 0.45
WORDS_AT_LEAST = 60

# Pages in each language to 100 English ones.
TRANSLATED = {"zh": 8, "ru": 6, "de": 5, "es": 5, "fr": 5, "ar": 4, "ja": 4, "ko": 4}

# Pages that are only ever broken. A multiple of the files of a dump, so that each dump breaks others than the one before.
VICTIMS = 7 * PAGE_FILES

TRUTH_FILE = "sample.json"
CORPUS = """\
# A corpus out of the sample crawl in this folder: gristmill run corpus.yaml
name: sample
output: corpus
sources:
  - name: pydoc
    format: warc
    paths: ["crawl/{dump}/*.warc.gz"]
tokenizer: {vocabulary: 8000}
shards: {validation_share: 0.02}
"""


@dataclass(frozen=True)
class SampleSummary:
    """What was written; the counts are those of records that are whole."""

    folder: Path
    dumps: dict[str, int]  #: dump → documents
    files: int
    documents: int
    clusters: int  #: documents that are left when every document has no copy or near copy
    languages: dict[str, int]  #: language → documents
    broken: int  #: broken records and files
    text_bytes: int  #: UTF-8 bytes of the pages' own text
    warc_bytes: int


def write_sample(out: Path, dumps: int = 4, seed: int = 0, pages: int | None = None) -> SampleSummary:
    """Write `dumps` dumps of a crawl, `corpus.yaml` and the ground truth `sample.json` to the folder `out`.

    The same bytes for the same Python, seed and pages; the files of a dump do not depend on how many dumps follow. An
    earlier sample in `out` is replaced. `pages` bounds the number of different English pages (all, about 600, by default).

    Raises:
        SampleError: where an argument is impossible, or `out` holds something else than a sample.
    """
    _check(out, dumps, pages)
    different, victims = _pages(seed, pages)
    web = Web(different, seed)
    files: list[DumpFile] = []
    text = _TextSizes()
    names = [_dump_name(number) for number in range(dumps)]
    _clear(out)
    for number, dump in enumerate(names):
        captures = list(web.crawl(f"{dump}-15"))
        text.add(capture.content for capture in captures)
        first = number * PAGE_FILES % VICTIMS
        for file in dump_files(dump, number, captures, victims[first : first + PAGE_FILES], seed):
            (out / file.path).parent.mkdir(parents=True, exist_ok=True)
            (out / file.path).write_bytes(file.data)
            files.append(file)
    truth = _truth(files, names, seed)
    (out / TRUTH_FILE).write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "corpus.yaml").write_text(CORPUS, encoding="utf-8")
    documents = truth["documents"]
    return SampleSummary(
        folder=out,
        dumps=truth["dumps"],
        files=len(files),
        documents=len(documents),
        clusters=len({document["cluster"] for document in documents}),
        languages=dict(sorted(Counter(document["language"] for document in documents).items())),
        broken=sum(len(file.broken) for file in files),
        text_bytes=text.total,
        warc_bytes=sum((out / file.path).stat().st_size for file in files),
    )


def _check(out: Path, dumps: int, pages: int | None) -> None:
    if not 1 <= dumps <= 100:
        raise SampleError(f"dumps: {dumps} is not between 1 and 100")
    if pages is not None and pages < 1:
        raise SampleError(f"pages: {pages} is below 1; leave it out for all pages")
    if out.exists() and not out.is_dir():
        raise SampleError(f"{out} is a file: name a folder to write the sample to")
    if out.is_dir() and any(out.iterdir()) and not (out / TRUTH_FILE).is_file():
        raise SampleError(f"{out} holds other files and no sample: name a new or an empty folder")


def _clear(out: Path) -> None:
    """Remove the crawl of an earlier sample, and nothing else; the truth goes last, because it marks the folder as ours."""
    shutil.rmtree(out / "crawl", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / TRUTH_FILE).write_text("{}\n", encoding="utf-8")


def _dump_name(number: int) -> str:
    """Four dumps a year: 2024-01, 2024-04, 2024-07, 2024-10, 2025-01 …"""
    return f"{2024 + number // 4}-{1 + number % 4 * 3:02d}"


def _pages(seed: int, limit: int | None) -> tuple[list[Page], list[Page]]:
    """Pages of which no two are alike, and those that are kept apart to be broken."""
    rng = random.Random(f"{seed}/pages")
    candidates = english_pages()
    rng.shuffle(candidates)
    accepted = DistinctTexts(UNLIKE_BELOW)
    wanted = len(candidates) if limit is None else limit + VICTIMS
    english: list[Page] = []
    for page in candidates:
        if len(english) < wanted and _is_wanted(page, accepted):
            english.append(page)
    victims, english = english[:VICTIMS], english[VICTIMS:]
    if len(victims) < VICTIMS or not english:
        raise SampleError("this Python's standard library carries too few docstrings for a sample")
    translated = [
        page
        for language, share in TRANSLATED.items()
        for page in translated_pages(language, max(1, len(english) * share // 100), random.Random(f"{seed}/{language}"))
        if _is_wanted(page, accepted)
    ]
    return english + translated, victims


def _is_wanted(page: Page, accepted: DistinctTexts) -> bool:
    text = visible_text(page.content)
    return len(words(text)) >= WORDS_AT_LEAST and accepted.accept(text)


class _TextSizes:
    """UTF-8 bytes of the captures' text; a page that did not change is measured once."""

    def __init__(self) -> None:
        self.total = 0
        self._known: dict[str, int] = {}

    def add(self, contents: Any) -> None:
        for content in contents:
            if content not in self._known:
                self._known[content] = len(" ".join(visible_text(content).split()).encode())
            self.total += self._known[content]


def _truth(files: list[DumpFile], dumps: list[str], seed: int) -> dict[str, Any]:
    """`sample.json`: every document with its cluster (the id of its first capture) and what it is to that capture's text."""
    first_of: dict[str, str] = {}
    seen: dict[str, dict[str, set[str]]] = {}
    documents = []
    for document in (document for file in files for document in file.documents):
        family, body, content = document.pop("family"), document.pop("body"), document.pop("content")
        known = seen.setdefault(family, {"body": set(), "content": set()})
        if family not in first_of:
            relation = "first"
        elif body in known["body"]:
            relation = "identical"
        else:
            relation = "same-text" if content in known["content"] else "near"
        known["body"].add(body)
        known["content"].add(content)
        cluster = first_of.setdefault(family, document["id"])
        documents.append({**document, "cluster": cluster, "relation": relation})
    mirrors: dict[str, set[str]] = {}
    for document in documents:
        if document["copy_of"] and _host(document["url"]) != _host(document["copy_of"]):
            mirrors.setdefault(_host(document["url"]), set()).add(_host(document["copy_of"]))
    return {
        "about": "The truth about the crawl in this folder. relation: first = the earliest capture of its cluster; identical "
        "= the same bytes as an earlier one; same-text = the same content in another frame or charset; near = a small edit. "
        f"Documents of different clusters are below a Jaccard similarity of {UNLIKE_BELOW}.",
        "python": platform.python_version(),
        "seed": seed,
        "dumps": {dump: sum(document["dump"] == dump for document in documents) for dump in dumps},
        "mirrors": {host: sorted(originals) for host, originals in sorted(mirrors.items())},
        "files": {file.path: {"records": dict(sorted(file.records.items())), "broken": file.broken} for file in files},
        "documents": documents,
    }


def _host(url: str) -> str:
    return url.removeprefix("https://").partition("/")[0]


def describe(summary: SampleSummary) -> dict[str, Any]:
    """The summary as plain values."""
    return {**asdict(summary), "folder": str(summary.folder)}
