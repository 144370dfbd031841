"""How alike two pages are, in plain Python: the sample's ground truth must not come out of the code that it tests."""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

SHINGLE = 5
UNLIKE_BELOW = 0.42  # the Jaccard similarity of two pages that are not copies

# A run of letters is a word, except in scripts that are written without spaces, where every character is one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")
_BREAK = re.compile(r"<(?:p|dl|dt|dd|br|li|ul|td|tr|table|h[1-6]|hr)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")


def visible_text(content: str) -> str:
    """The text of well-formed HTML that holds no scripts, styles or comments."""
    return unescape(_TAG.sub("", _BREAK.sub("\n", content)))


def words(text: str) -> list[str]:
    """Folded words; a character of a script without spaces is a word."""
    return _WORD.findall(text.lower())


def shingles(text: str) -> set[int]:
    """Hashes of the 5-word shingles of a text (of all its words where it has fewer). For use in one process only."""
    folded = words(text)
    return (
        {hash(tuple(folded[at : at + SHINGLE])) for at in range(max(1, len(folded) - SHINGLE + 1))} if folded else set()
    )


def jaccard(left: set[int], right: set[int]) -> float:
    """Shared shingles over all shingles, 0 to 1."""
    union = len(left | right)
    return len(left & right) / union if union else 1.0


class DistinctTexts:
    """Accepts a text only where it is below a Jaccard similarity with every text accepted before (inverted index)."""

    def __init__(self, below: float) -> None:
        self.below = below
        self._holders: dict[int, list[int]] = {}
        self._sizes: list[int] = []

    def accept(self, text: str) -> bool:
        """Add the text and return True, or return False where one like it is there."""
        own = shingles(text)
        if any(value >= self.below for value in self._similarities(own)):
            return False
        for shingle in own:
            self._holders.setdefault(shingle, []).append(len(self._sizes))
        self._sizes.append(len(own))
        return True

    def _similarities(self, own: set[int]) -> Iterator[float]:
        shared: Counter[int] = Counter()
        for shingle in own:
            shared.update(self._holders.get(shingle, ()))
        for index, both in shared.items():
            yield both / (len(own) + self._sizes[index] - both)
