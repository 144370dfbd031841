"""datatrove's heuristic filters with their defaults, with its own word splitting or with ours."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from filters.statistics import statistics
from text.code_points import MARK, SPACE, UNSEGMENTED, WORD, code_points

PRESETS = {
    "gopher-repetition": lambda peers, language: peers.GopherRepetitionFilter(language=language),
    "gopher-quality": lambda peers, language: peers.GopherQualityFilter(language=language),
    "c4-datatrove": lambda peers, language: peers.C4QualityFilter(language=language),
    "c4-fineweb": lambda peers, language: peers.C4QualityFilter(language=language, filter_no_terminal_punct=False),
    "fineweb-code": lambda peers, language: peers.FineWebQualityFilter(language=language),
}
"""Our presets that follow its filters, and how a user of datatrove makes each."""


def datatrove_filters(names: Iterable[str], language: Any = "en") -> dict[str, Callable[[str], bool]]:
    """Its filters by the name of our preset, as functions that say whether a text stays.

    Args:
        names: keys of PRESETS.
        language: for its own tokenizer, or a WordTokenizer, as its filters take either.
    """
    from datatrove.data import Document
    from datatrove.pipeline import filters as peers

    def stays(peer: Any, text: str) -> bool:
        try:
            return peer.filter(Document(text=text, id="")) is True
        except ZeroDivisionError:  # a document without words or lines
            return False

    return {name: functools.partial(stays, PRESETS[name](peers, language)) for name in names}


def words_of(text: str) -> list[str]:
    """The words of a text as the statistics count them, in plain Python."""
    flags = code_points().flags
    words = []
    for run in _runs(text, flags):
        if run.isascii():
            words.append(run)
            continue
        pieces: list[tuple[str, bool]] = []
        for character in run:
            flag = flags[ord(character)]
            alone = bool(flag & UNSEGMENTED) and not flag & MARK
            if not alone and pieces and (flag & MARK or not pieces[-1][1]):
                pieces[-1] = (pieces[-1][0] + character, pieces[-1][1])
            else:
                pieces.append((character, alone))
        words += [
            piece
            for piece, alone in pieces
            if len(pieces) == 1 or alone or any(flags[ord(character)] & WORD for character in piece)
        ]
    return words


def _runs(text: str, flags: np.ndarray) -> list[str]:
    """What stands between spaces."""
    if text.isascii():
        return text.split()
    return "".join(" " if flags[ord(character)] & SPACE else character for character in text).split()


def our_tokenizer(texts: list[str]) -> Any:
    """A datatrove WordTokenizer with our words, and with our sentences for lines of the given texts.

    datatrove asks for the sentences of a line; they are counted by our kernel, all lines at once.
    """
    from datatrove.pipeline.filters.c4_filters import CITATION_REGEX
    from datatrove.utils.word_tokenizers import WordTokenizer

    lines = {line.strip() for text in texts for line in text.splitlines()}
    lines |= {CITATION_REGEX.sub("", line) for line in lines if "[" in line}
    lines -= {""}
    ordered, counts = sorted(lines), dict[str, int]()
    for start in range(0, len(ordered), 50_000):
        part = ordered[start : start + 50_000]
        found = statistics(pa.array(part, pa.large_string())).column("sentences").to_pylist()
        counts |= dict(zip(part, found, strict=True))

    class OurTokenizer(WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return words_of(text)

        def sent_tokenize(self, text: str) -> list[str]:
            raise NotImplementedError("its filters ask for spans")

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            # Where sentences end does not matter to the filters, only how many there are.
            return [(0, len(text))] * (counts[text] if text else 0)

    return OurTokenizer("en")
