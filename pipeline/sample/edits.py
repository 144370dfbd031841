"""How a page changes between two dumps: a little (still a near copy of itself) or a lot (another document).

Both are measured on the page's own text by exact Jaccard similarity of 5-word shingles, so the sample's ground truth
leaves a wide gap on both sides of the usual 0.7 to 0.8 threshold.
"""

import random
import re
from collections.abc import Callable

from pipeline.sample.similarity import jaccard, shingles, visible_text, words

NEAR_AT_LEAST = 0.93  # of a small edit to the original; two small edits of one page then stay above 0.86
STUB_AT_MOST = 0.4  # of a page's first draft to the whole page
STUB_WORDS = 60

# The elements that can be taken out of a page whole: definitions and paragraphs that hold no table.
_ENTRY = re.compile(r"<dl>.*?</dl>\n?|<p>(?:(?!<p>|<table|<dl>).)*?</p>\n?", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.#&+-])\d{1,4}(?![\w;-])")

_NOTES = (
    "Changed in version {0}.{1}: the behaviour for empty input is now documented.",
    "New in version {0}.{1}.",
    "Note: release {0}.{1} no longer accepts positional arguments here.",
    "Deprecated since version {0}.{1}; it will be removed in a later release.",
    "See the release notes of version {0}.{1} for what else has changed.",
)


def small_edit(content: str, language: str, rng: random.Random) -> str | None:
    """The content after a correction, an added note or a dropped entry; None where the page is too short for one."""
    original = shingles(visible_text(content))
    edits: list[Callable[[str, random.Random], str]] = [_change_numbers, _drop_entry]
    if language == "en":
        edits.append(_add_note)
    for _attempt in range(8):
        edited = rng.choice(edits)(content, rng)
        if NEAR_AT_LEAST <= jaccard(original, shingles(visible_text(edited))) < 1.0:
            return edited
    return None


def stub(content: str) -> str | None:
    """The first draft of a page: its head and few of its entries; None where that leaves no document or too much."""
    entries = list(_ENTRY.finditer(content))
    total = len(words(visible_text(content)))
    kept_words, draft = total, content
    for entry in reversed(entries):  # from the end, so that the spans before it stay valid
        if kept_words <= 0.35 * total:
            break
        kept_words -= len(words(visible_text(entry.group())))
        draft = draft[: entry.start()] + draft[entry.end() :]
    enough = kept_words >= STUB_WORDS
    apart = jaccard(shingles(visible_text(draft)), shingles(visible_text(content))) <= STUB_AT_MOST
    return draft if enough and apart else None


def _change_numbers(content: str, rng: random.Random) -> str:
    """Count up a few numbers of the text, as counters and years do."""
    numbers = [match for match in _NUMBER.finditer(content) if _is_text(content, match.start())]
    for match in sorted(rng.sample(numbers, min(len(numbers), 2)), key=lambda match: -match.start()):
        content = content[: match.start()] + str(int(match.group()) + 1) + content[match.end() :]
    return content


def _is_text(content: str, position: int) -> bool:
    return content.rfind("<", 0, position) <= content.rfind(">", 0, position)


def _drop_entry(content: str, rng: random.Random) -> str:
    entries = list(_ENTRY.finditer(content))
    if not entries:
        return content
    entry = rng.choice(entries)
    return content[: entry.start()] + content[entry.end() :]


def _add_note(content: str, rng: random.Random) -> str:
    entries = list(_ENTRY.finditer(content))
    if not entries:
        return content
    note = rng.choice(_NOTES).format(3, rng.randrange(5, 15))
    position = rng.choice(entries).end()
    return f"{content[:position]}<p>{note}</p>\n{content[position:]}"
