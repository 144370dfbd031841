"""Two texts side by side, word by word: what a person needs to see whether they are copies of one another.

Sentences are matched first and words inside the sentences that differ, both by ``difflib``. Long stretches that are
the same are only counted, long stretches that differ are shown by their beginning, and of very long texts only the
beginning is compared, so that any two texts cost some milliseconds and take a bounded place.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import numpy as np

from text.code_points import UNSEGMENTED, WORD, code_points

LONGEST = 100_000  # characters of a text that are compared
_BLOCK = 1_500  # words of one stretch of different sentences that are compared word by word
_CONTEXT = 12  # words shown on each side of a place that differs
_CHANGED = 80  # words shown of one stretch that differs
_PLACES = 12  # places shown


class _Stretch(NamedTuple):
    """Words ``left[left_start:left_stop]`` beside ``right[right_start:right_stop]``, the same or not."""

    same: bool
    left_start: int
    left_stop: int
    right_start: int
    right_stop: int


def difference(left: str, right: str) -> dict[str, Any]:
    """Compares two texts.

    Returns:
        A JSON value: ``left_words``, ``right_words`` and ``same_words`` (a script written without spaces counts
        characters); ``alike``, the share of the words of both that are the same; ``cut``, whether only the first
        ``LONGEST`` characters were compared; ``more``, places that differ and are not shown; and ``rows`` from the
        beginning to the end: ``{"same": n}`` for n words that are the same and not shown, or ``{"left": runs,
        "right": runs}`` for a place that differs, where a run is ``{"kind": "same" | "changed" | "omitted",
        "text": ...}``.
    """
    left_words, right_words = _words(left[:LONGEST]), _words(right[:LONGEST])
    stretches = _stretches(left_words, right_words)
    same = sum(each.left_stop - each.left_start for each in stretches if each.same)
    total = len(left_words) + len(right_words)
    rows: list[dict[str, Any]] = []
    places = 0
    for together, group in _by_place(stretches):
        places += together is None
        if places > _PLACES:
            continue
        if together is not None:
            rows.append({"same": together})
            continue
        rows.append(
            {
                "left": _runs(left_words, [(each.same, each.left_start, each.left_stop) for each in group]),
                "right": _runs(right_words, [(each.same, each.right_start, each.right_stop) for each in group]),
            }
        )
    return {
        "left_words": len(left_words),
        "right_words": len(right_words),
        "same_words": same,
        "alike": 2 * same / total if total else 1.0,
        "cut": max(len(left), len(right)) > LONGEST,
        "more": max(0, places - _PLACES),
        "rows": rows,
    }


_Words = Sequence[tuple[str, str]]


def _words(text: str) -> _Words:
    """(white space before it, word) of each word; a character of a script written without spaces is one."""
    words, space = [], ""
    for found in _pattern().findall(text):  # one alternative a token: a long run of white space is walked once
        if found.isspace():
            space = "\n" if "\n" in found else " "
        else:
            words.append((space, found))
            space = ""
    return words


@functools.cache
def _pattern() -> re.Pattern[str]:
    flags, _ = code_points()
    alone = np.flatnonzero(flags & WORD & -(flags & UNSEGMENTED != 0).astype(np.int32))
    starts = np.flatnonzero(np.diff(alone, prepend=-2) > 1)
    stops = np.append(starts[1:], len(alone)) - 1
    ranges = "".join(f"\\U{alone[a]:08x}-\\U{alone[b]:08x}" for a, b in zip(starts, stops))
    return re.compile(rf"\s+|[{ranges}]|[^\s{ranges}]+")


def _stretches(left_words: _Words, right_words: _Words) -> list[_Stretch]:
    """The whole of both, in order, in stretches that are the same or not; neighbours are never of one kind."""
    left_ends, right_ends = _sentences(left_words), _sentences(right_words)
    left, right = [word for _, word in left_words], [word for _, word in right_words]
    sentences = SequenceMatcher(
        None,
        [tuple(left[a:b]) for a, b in itertools.pairwise(left_ends)],
        [tuple(right[a:b]) for a, b in itertools.pairwise(right_ends)],
    )
    found: list[_Stretch] = []
    for tag, i1, i2, j1, j2 in sentences.get_opcodes():
        place = (left_ends[i1], left_ends[i2], right_ends[j1], right_ends[j2])
        found += [_Stretch(True, *place)] if tag == "equal" else _compared(left, right, *place)
    return _joined(_without_crumbs(_joined(found)))


def _sentences(words: _Words) -> list[int]:
    """Where sentences and lines begin, and the end of the last."""
    lines = [place for place, (space, _) in enumerate(words) if space == "\n"]
    ends = [place for place, (_, word) in enumerate(words, 1) if word[-1] in ".!?:;。！？：；"]
    return sorted({0, *lines, *ends, len(words)})


def _compared(
    left: Sequence[str], right: Sequence[str], left_start: int, left_stop: int, right_start: int, right_stop: int
) -> list[_Stretch]:
    """Word by word, where both sides are short enough."""
    if max(left_stop - left_start, right_stop - right_start) > _BLOCK:
        return [_Stretch(False, left_start, left_stop, right_start, right_stop)]
    matcher = SequenceMatcher(None, left[left_start:left_stop], right[right_start:right_stop])
    return [
        _Stretch(tag == "equal", left_start + i1, left_start + i2, right_start + j1, right_start + j2)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
    ]


def _without_crumbs(stretches: list[_Stretch]) -> list[_Stretch]:
    """One or two words that happen to be the same between long stretches that differ are no resemblance."""
    kept = []
    for place, each in enumerate(stretches):
        inside = 0 < place < len(stretches) - 1
        if each.same and inside and each.left_stop - each.left_start <= 2:
            around = stretches[place - 1], stretches[place + 1]
            if all(max(one.left_stop - one.left_start, one.right_stop - one.right_start) > 4 for one in around):
                each = each._replace(same=False)
        kept.append(each)
    return kept


def _joined(stretches: list[_Stretch]) -> list[_Stretch]:
    """Neighbours of one kind as one stretch."""
    joined: list[_Stretch] = []
    for each in stretches:
        if joined and joined[-1].same == each.same:
            joined[-1] = joined[-1]._replace(left_stop=each.left_stop, right_stop=each.right_stop)
        else:
            joined.append(each)
    return joined


def _by_place(stretches: Sequence[_Stretch]) -> Iterator[tuple[int | None, list[_Stretch]]]:
    """Places that differ, each with the words around it, (None, its stretches), and between them (words that are the
    same, []).
    """
    place: list[_Stretch] = []
    for index, each in enumerate(stretches):
        length = each.left_stop - each.left_start
        before = _CONTEXT if index else 0
        after = _CONTEXT if index < len(stretches) - 1 else 0
        if not each.same or length <= before + after + _CONTEXT:
            place.append(each)
            continue
        if before:
            yield None, [*place, _Stretch(True, *_first(each, before))]
        yield length - before - after, []
        place = [_Stretch(True, *_last(each, after))] if after else []
    if len(place) == 1 and place[0].same:
        yield place[0].left_stop - place[0].left_start, []
    elif place:
        yield None, place


def _first(each: _Stretch, words: int) -> tuple[int, int, int, int]:
    return each.left_start, each.left_start + words, each.right_start, each.right_start + words


def _last(each: _Stretch, words: int) -> tuple[int, int, int, int]:
    return each.left_stop - words, each.left_stop, each.right_stop - words, each.right_stop


def _runs(words: _Words, stretches: Sequence[tuple[bool, int, int]]) -> list[dict[str, str]]:
    runs: list[dict[str, str]] = []
    for same, start, stop in stretches:
        shown = stop if same else min(stop, start + _CHANGED)
        text = "".join(space + word for space, word in words[start:shown])
        if text:
            runs.append({"kind": "same" if same else "changed", "text": text if runs else text.lstrip()})
        if stop > shown:
            runs.append({"kind": "omitted", "text": f"… {stop - shown:,} more words"})
    return runs
