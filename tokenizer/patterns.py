"""Pre-tokenizers that are regular expressions: the published ones of other models, and the user's own.

Expressions that ``automaton`` can turn into tables run there, at the speed of the others. All else is left to
`tokenizers`, which cuts about 1.5 MB a second where the tables cut some hundreds.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenizer.automaton import compile_patterns
from tokenizer.class_kernels import KINDS
from tokenizer.on_tables import OnTables
from tokenizer.pattern_syntax import UnsupportedPattern
from tokenizer.scanner_kernels import MARKED, ScannerTables
from tokenizer.spelling import byte_level, isolated_splits

# openai/gpt-2, src/encoder.py.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# openai/tiktoken, tiktoken_ext/openai_public.py, cl100k_base (GPT-3.5 and GPT-4); Llama 3 has the same.
GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
# tokenizer.json of deepseek-ai/DeepSeek-V3.
DEEPSEEK_V3 = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"
    "\r\n"
    r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+["
    "\r\n"
    r"]*|\s*["
    "\r\n"
    r"]+|\s+(?!\S)|\s+",
)
# What that chain matches nowhere stays together: digits, which the first step has set apart; control characters and the
# like, of which a word takes the last.
_DEEPSEEK_V3_BETWEEN = r"|[^\s\p{L}\p{M}\p{P}\p{S}]+(?![\p{L}\p{M}])"


@dataclass(frozen=True, eq=False)
class Patterns(OnTables):
    """A named chain of regular expressions that runs on tables.

    Attributes:
        name: of the preset.
        patterns: as published; each cuts the pieces of those before.
        between: added to the last one for the text that it matches nowhere.
        in_byte_level: whether `tokenizers` has the pattern built in (GPT-2's).
    """

    name: str
    patterns: tuple[str, ...]
    between: str = ""
    in_byte_level: bool = False

    @functools.cached_property
    def tables(self) -> ScannerTables:
        """What the scanner reads."""
        return compile_patterns([*self.patterns[:-1], self.patterns[-1] + self.between])

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 of what decides the pieces: the expressions and the frozen classes behind them."""
        digest = hashlib.sha256(b"gristmill patterns 1")
        for table in self.tables:
            digest.update(table.tobytes())
        return digest.hexdigest()

    def to_tokenizers(self) -> dict[str, Any]:
        """The same pre-tokenizer as the ``pre_tokenizer`` object of a Hugging Face ``tokenizer.json``."""
        return byte_level(use_regex=True) if self.in_byte_level else isolated_splits(self.patterns)

    def __reduce__(self) -> tuple[type[Patterns], tuple[Any, ...]]:
        """Pickles without the tables."""
        return Patterns, (self.name, self.patterns, self.between, self.in_byte_level)


class UserPattern:
    """A regular expression of the user's own: its matches and the text between them are the pieces.

    ``tables`` is None where it does not run on tables; ``slow_because`` then says why not.
    """

    def __init__(self, pattern: str) -> None:
        """Reads the expression as `tokenizers` does.

        Raises:
            ValueError: it is none.
        """
        self.pattern = pattern
        self.name = f"regex {pattern}"
        self.fingerprint = hashlib.sha256(b"gristmill regex 1\n" + pattern.encode()).hexdigest()
        self._split = _tokenizers_split(pattern)
        self.slow_because = ""
        try:
            self.tables: ScannerTables | None = compile_patterns([pattern])
        except UnsupportedPattern as refusal:
            self.tables = None
            self.slow_because = str(refusal)

    def tables_for(self, data: np.ndarray, offsets: np.ndarray) -> ScannerTables:
        """The tables for one block of text: where they cannot be the same for all, the marks of that text itself.

        Args:
            data: uint8 [bytes], valid UTF-8.
            offsets: int64 [documents + 1], positions in ``data``.
        """
        if self.tables is not None:
            return self.tables
        marks = np.zeros(len(data), np.uint8)
        bounds = offsets.tolist()
        for start, stop in itertools.pairwise(bounds):
            # Byte-level pieces have one character a byte.
            sizes = [len(piece) for piece, _ in self._split.pre_tokenize_str(data[start:stop].tobytes().decode())]
            marks[start + np.cumsum([0, *sizes[:-1]])[: stop - start]] = 1
        classes = np.zeros(KINDS + 1, np.uint8)
        classes[KINDS] = MARKED
        return ScannerTables(np.zeros(1, np.uint8), marks, classes)

    def to_tokenizers(self) -> dict[str, Any]:
        """The ``pre_tokenizer`` object of a Hugging Face ``tokenizer.json``."""
        return isolated_splits([self.pattern])

    def __reduce__(self) -> tuple[type[UserPattern], tuple[str]]:
        """Pickles as its expression."""
        return UserPattern, (self.pattern,)


def _tokenizers_split(pattern: str) -> Any:
    from tokenizers import Regex, Tokenizer, models

    try:
        Regex(pattern)
    except Exception as error:  # a plain Exception is what it raises
        raise ValueError(f"regex {pattern!r} is none that `tokenizers` reads: {error}") from error
    document = json.loads(Tokenizer(models.BPE()).to_str())
    document["pre_tokenizer"] = isolated_splits([pattern])
    return Tokenizer.from_str(json.dumps(document)).pre_tokenizer


PUBLISHED = (
    Patterns("deepseek-v3", DEEPSEEK_V3, _DEEPSEEK_V3_BETWEEN),
    Patterns("gpt2", (GPT2,), in_byte_level=True),
    Patterns("gpt4", (GPT4,)),
)
