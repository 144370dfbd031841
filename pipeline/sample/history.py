"""What each dump finds: pages that appear, change and vanish, and their copies under other addresses.

Every decision about a page in a dump is drawn from (seed, page, dump), so a further dump leaves the earlier ones alone.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.sample.edits import small_edit, stub
from pipeline.sample.pages import Page
from pipeline.sample.sites import MIRROR_HOST, Encoding, encoding_of, host_of, rendered

THERE_FROM_THE_START = 0.8
APPEARS = 0.45  # of the pages still to come, per dump
VANISHES = 0.05
CAPTURED = 0.95  # a crawl does not reach every page
SMALL_EDIT = 0.14
BEGINS_AS_STUB = 0.06
STUB_GROWS = 0.5
MIRRORED = 0.1
HAS_ALIAS = 0.06
COPY_CAPTURED = 0.75


@dataclass(frozen=True)
class Capture:
    """One response as a crawl would store it."""

    url: str
    language: str
    encoding: Encoding
    body: bytes
    content: str  #: the page's own HTML inside the body
    family: str  #: captures of one family are near copies of each other, and of nothing else
    copy_of: str | None  #: the URL of the original, where this is a mirror or another address of it


@dataclass
class _Life:
    page: Page
    stub: str | None
    alive: bool = False
    gone: bool = False
    grown: bool = True
    edited: str | None = None
    copies: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        if not self.grown and self.stub is not None:
            return self.stub
        return self.edited or self.page.content

    @property
    def family(self) -> str:
        return f"{self.page.language}/{self.page.path}{'' if self.grown else ' (draft)'}"


class Web:
    """The pages' state, dump after dump."""

    def __init__(self, pages: list[Page], seed: int) -> None:
        self.seed = seed
        self._lives = [self._born(page) for page in pages]
        self._dump = 0

    def crawl(self, day: str) -> Iterator[Capture]:
        """The captures of the next dump, in the order of the pages. `day` is printed by some sites."""
        for life in self._lives:
            rng = self._rng(life.page, f"dump {self._dump}")
            self._step(life, rng)
            if life.alive and not life.gone and rng.random() < CAPTURED:
                yield from _captures(life, day, rng)
        self._dump += 1

    def _born(self, page: Page) -> _Life:
        rng = self._rng(page, "birth")
        draft = stub(page.content) if rng.random() < BEGINS_AS_STUB else None
        life = _Life(page, draft, grown=draft is None)
        host = host_of(page)
        if rng.random() < MIRRORED:
            life.copies.append(f"https://{MIRROR_HOST}/{host}/{page.path}")
        if rng.random() < HAS_ALIAS:
            life.copies.append(rng.choice([f"https://www.{host}/{page.path}", f"https://{host}/{page.path}?print=1"]))
        return life

    def _step(self, life: _Life, rng: random.Random) -> None:
        # The same number of draws whatever happens, so that no outcome shifts another.
        change, growth, edit = rng.random(), rng.random(), rng.random()
        if not life.alive:
            life.alive = change < (THERE_FROM_THE_START if self._dump == 0 else APPEARS)
            return
        life.gone = life.gone or change < VANISHES
        if not life.grown:
            life.grown = growth < STUB_GROWS
        elif edit < SMALL_EDIT:
            edited = small_edit(life.page.content, life.page.language, rng)
            life.edited = edited or life.edited

    def _rng(self, page: Page, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{page.language}/{page.path}/{purpose}")


def _captures(life: _Life, day: str, rng: random.Random) -> Iterator[Capture]:
    page, host = life.page, host_of(life.page)
    original = f"https://{host}/{page.path}"
    for url in [original, *(copy for copy in life.copies if rng.random() < COPY_CAPTURED)]:
        shown_on = MIRROR_HOST if url.startswith(f"https://{MIRROR_HOST}/") else host
        encoding = encoding_of(page, shown_on)
        body = rendered(page, life.content, shown_on, encoding, day)
        yield Capture(
            url, page.language, encoding, body, life.content, life.family, None if url == original else original
        )
