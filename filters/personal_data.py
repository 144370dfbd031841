"""Personal data in text: e-mail and IP addresses, phone, card and account numbers, national ids.

What is looked for is data (``filters.personal_patterns``); this module finds it and counts it, and ``filters.spans``
puts placeholders in its place. A number is taken for personal only where its form, its check, if it has one, and what
stands around it agree: parts of versions, decimals, ISBNs, product codes, hashes, URLs and rows of numbers stay.

E-mail addresses are found first; other kinds in what is left, from left to right, the longest match first. The hash of
a span's value is keyed by ``key`` and the same for the same address or number however it is written.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import personal_data_kernels as kernels
from filters.patterns import Automaton, compile_patterns
from filters.personal_patterns import CARD, EMAIL, IBAN, IP, KINDS, NATIONAL_ID, PATTERNS, PHONE
from filters.spans import Spans, replaced
from text.arrow_buffers import text_buffers

# Names and numbers that are reserved, so that they are nobody's and are never found again: RFC 2606, RFC 5737, the
# fictitious numbers of the North American Numbering Plan, and no issuer's or country's.
PLACEHOLDERS: Mapping[str, str] = {
    EMAIL: "email@example.com",
    IP: "192.0.2.1",
    PHONE: "555-0100",
    CARD: "0000 0000 0000 0000",
    IBAN: "XX00 0000 0000 0000 0000",
    NATIONAL_ID: "000-00-0000",
}
# Extensions that follow an @ on the web (icon@2x.png) and are no top-level domain.
NO_DOMAINS = (
    "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "css", "scss", "js", "mjs", "cjs", "ts", "tsx",
    "jsx", "json", "html", "htm", "xml", "yml", "yaml", "toml", "txt", "pdf", "woff", "ttf", "local",
)  # fmt: skip
VERSION_WORDS = (
    "v",
    "ver",
    "version",
    "versions",
    "release",
    "rev",
    "revision",
    "build",
    "firmware",
    "section",
    "chapter",
)


class Found(NamedTuple):
    """Personal data in documents: where it is, and how much there is.

    Attributes:
        spans: see ``filters.spans``; kinds are places in ``KINDS``.
        amounts: for each kind that was looked for, how often it was ``found``, in how many ``documents``, and the
            ``bytes`` of it.
    """

    spans: Spans
    amounts: dict[str, dict[str, int]]


def find(
    texts: pa.Array | pa.ChunkedArray, kinds: Collection[str] = KINDS, public_only: bool = True, key: int = 0
) -> Found:
    """Finds personal data; linear in the text.

    Args:
        texts: ``string`` or ``large_string`` [n].
        kinds: of ``KINDS``, what to look for.
        public_only: leave IP addresses of private, documentation and other special networks.
        key: of the spans' value hashes.

    Raises:
        ValueError: a kind that there is not.
    """
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"personal data of kind {min(unknown)!r}; there are {', '.join(KINDS)}")
    data, offsets = text_buffers(texts)
    automaton = _automaton()
    enabled = sum(1 << row for row, pattern in enumerate(PATTERNS) if pattern.kind in kinds)
    found = kernels.find(
        data,
        offsets,
        automaton.classes,
        automaton.steps,
        automaton.accepts,
        np.array([pattern.check for pattern in PATTERNS], np.int64),
        np.uint64(enabled),
        EMAIL in kinds,
        public_only,
        packed(NO_DOMAINS),
        packed(VERSION_WORDS),
    )
    values = kernels.hash_spans(data, offsets, found, np.uint64(key))
    documents, starts, ends, patterns = np.ascontiguousarray(found.T)
    kinds_of_patterns = np.array([KINDS.index(kind) for kind in (EMAIL, *(pattern.kind for pattern in PATTERNS))])
    numbers = kinds_of_patterns[patterns]
    pairs = np.unique(documents * len(KINDS) + numbers)
    amounts = {
        "found": np.bincount(numbers, minlength=len(KINDS)),
        "documents": np.bincount(pairs % len(KINDS), minlength=len(KINDS)),
        "bytes": np.bincount(numbers, weights=ends - starts, minlength=len(KINDS)),
    }
    return Found(
        Spans(documents, starts, ends, numbers, values),
        {
            kind: {name: int(amount[row]) for name, amount in amounts.items()}
            for row, kind in enumerate(KINDS)
            if kind in kinds
        },
    )


def replace(
    texts: pa.Array | pa.ChunkedArray, found: Found, placeholders: Mapping[str, str] = PLACEHOLDERS
) -> pa.Array:
    """Text [n] with a placeholder for everything found; each ``#`` of a placeholder is a digit drawn from the value."""
    return replaced(texts, found.spans, [placeholders[kind] for kind in KINDS])


def packed(words: Collection[str]) -> np.ndarray:
    """Words of at most eight letters as uint64, the last letter lowest."""
    return np.array([int.from_bytes(word.encode(), "big") for word in words], np.uint64)


@functools.cache
def _automaton() -> Automaton:
    return compile_patterns([pattern.expression for pattern in PATTERNS])
