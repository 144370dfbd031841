"""`gristmill sample`: a small crawl that needs no network and no licence, with the truth about it beside it."""

import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.sample.dump_files import PAGE_FILES, DumpFile, dump_files
from pipeline.sample.errors import SampleError
from pipeline.sample.history import Web
from pipeline.sample.languages import translated_pages
from pipeline.sample.pages import Page, english_pages
from pipeline.sample.similarity import UNLIKE_BELOW, DistinctTexts, visible_text, words
from pipeline.sample.truth import has_truth, truth, write_truth

WORDS_AT_LEAST = 60  # of a page

# Pages in each language to 100 English ones.
TRANSLATED = {"zh": 8, "ru": 6, "de": 5, "es": 5, "fr": 5, "ar": 4, "ja": 4, "ko": 4}

# Pages that are only ever broken: as many as seven dumps need, then from the start again.
VICTIMS = 7 * PAGE_FILES

CORPUS = """\
# A corpus out of the sample crawl in this folder: gristmill run corpus.yaml
name: sample
output: corpus
sources:
  - name: pydoc
    format: warc
    paths: ["crawl/{dump}/*.warc.gz"]
filter:
  presets: [gopher-repetition, gopher-quality, c4-fineweb, fineweb]
  overrides: # pages in nine languages, and about code
    gopher-quality: {stop-words: null, min-mean-word-length: null}
    c4-fineweb: {curly-braces: null}
ingest: {max_reject_share: 0.3} # one file in four is no crawl file
tokenizer: {vocabulary: 8000}
shards: {validation_share: 0.02}
"""

TRAINING = """\
# A model of two million parameters on the sample's shards, about a minute on two cores: gristmill train training.yaml
model: {preset: 2m, context: 256, init_std: 0.02}
data: {shards: corpus/shards, batch: 4}
output: corpus/training
steps: 300
optimizer: {learning_rate: 3.0e-3}
schedule: {warmup_steps: 10}
checkpoint: {every: 150, keep: 2}
validation: {every: 100, tokens: 20_000}
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
    """Write `dumps` dumps of a crawl, `corpus.yaml`, `training.yaml` and the truth `sample.json` to `out`.

    The same bytes for the same Python, seed and pages; the files of a dump do not depend on how many dumps follow. An
    earlier sample in `out` is replaced. `pages` bounds the number of different English pages (default: all, about 700).

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
    found = truth(files, names, seed)
    (out / "corpus.yaml").write_text(CORPUS, encoding="utf-8")
    (out / "training.yaml").write_text(TRAINING, encoding="utf-8")
    write_truth(out, found)
    documents = found["documents"]
    return SampleSummary(
        folder=out,
        dumps=found["dumps"],
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
    if out.is_dir() and any(out.iterdir()) and not has_truth(out):
        raise SampleError(f"{out} holds other files and no sample: name a new or an empty folder")


def _clear(out: Path) -> None:
    """Remove the crawl of an earlier sample and nothing else; mark the folder as ours before anything is in it."""
    shutil.rmtree(out / "crawl", ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    write_truth(out, {})


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
        if len(english) == wanted:
            break
        # A class that is too much like its base has a page of its own members.
        english.extend(islice((form for form in _forms(page) if _is_wanted(form, accepted)), 1))
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


def _forms(page: Page) -> Iterator[Page]:
    yield page
    own = page.without_inherited()
    if own.content != page.content:
        yield own


def _is_wanted(page: Page, accepted: DistinctTexts) -> bool:
    text = visible_text(page.content)
    return len(words(text)) >= WORDS_AT_LEAST and accepted.accept(text)


class _TextSizes:
    """UTF-8 bytes of the captures' text; a page that did not change is measured once."""

    def __init__(self) -> None:
        self.total = 0
        self._known: dict[str, int] = {}

    def add(self, contents: Iterable[str]) -> None:
        for content in contents:
            if content not in self._known:
                self._known[content] = len(" ".join(visible_text(content).split()).encode())
            self.total += self._known[content]
