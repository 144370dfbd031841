"""Statistics of every document: what the presets' rules compare with their thresholds.

They are written once, before any threshold is applied, so that a new threshold costs no second pass over the text.

A *word* is a run of characters between spaces, as in the papers; a character of a script that is written without
spaces (Han, kana, Thai, ...) is a word of its own, and punctuation that touches one is none. A *line* is not blank and
loses the spaces around it, except where lines are compared with each other; a *paragraph* is a run of lines without a
blank one between.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from filters import statistics_kernels as document
from filters.line_rules import LineRules, line_rule_tables, published_line_rules
from filters.scratch import scratch
from filters.vocabulary import vocabulary
from text.arrow_buffers import text_buffers
from text.code_points import code_points


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Element-wise quotient as float32, 0 where the denominator is 0."""
    quotient = np.zeros(len(numerator))
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient.astype(np.float32)


# (name, type, help, numerator column, denominator column or None); a count is its column as it is.
_Column = tuple[str, pa.DataType, str, Callable[[np.ndarray], np.ndarray]]


def _count(name: str, help_text: str, column: int, dtype: type[np.unsignedinteger] = np.uint32) -> _Column:
    limit = min(np.iinfo(dtype).max, np.iinfo(np.int64).max)

    def values(counts: np.ndarray) -> np.ndarray:
        return np.minimum(counts[:, column], limit).astype(dtype)

    return name, pa.from_numpy_dtype(dtype), help_text, values


def _share(name: str, help_text: str, column: int, of: int) -> _Column:
    return name, pa.float32(), help_text, lambda counts: _ratio(counts[:, column], counts[:, of])


def _columns(line_rules: Mapping[str, LineRules]) -> list[_Column]:
    columns = [
        _count("characters", "Unicode characters", document.CHARACTERS, np.uint64),
        _count("words", "words", document.WORDS),
        _count("content_words", "words with a letter or digit", document.CONTENT_WORDS),
        _share("mean_word_length", "characters per content word, without punctuation at its ends",
               document.CONTENT_CHARACTERS, document.CONTENT_WORDS),
        _count("longest_word", "characters of the longest word", document.LONGEST_WORD),
        _share("alphabetic_word_fraction", "words with a letter / words", document.ALPHABETIC_WORDS, document.WORDS),
        _share("hash_word_ratio", "# signs / words", document.HASHES, document.WORDS),
        _share("ellipsis_word_ratio", "ellipses (... and …) / words", document.ELLIPSES, document.WORDS),
        _count("distinct_stop_words", "different ones of: the be to of and that have with",
               document.DISTINCT_STOP_WORDS),
        _count("stop_words", "occurrences of those stop words", document.STOP_WORDS),
        _count("distinct_function_characters", "different frequent function characters of Chinese (的, 是, 了, ...)",
               document.DISTINCT_FUNCTION_CHARACTERS),
        _share("function_character_fraction", "Chinese function characters / Han characters",
               document.FUNCTION_CHARACTERS, document.HAN_LETTERS),
        _count("lines", "lines that are not blank", document.LINES),
        _share("mean_line_length", "characters per line", document.LINE_CHARACTERS, document.LINES),
        _share("bullet_line_fraction", "lines that begin with a bullet, - or * / lines", document.BULLET_LINES,
               document.LINES),
        _share("ellipsis_line_fraction", "lines that end with an ellipsis / lines", document.ELLIPSIS_LINES,
               document.LINES),
        _share("terminal_line_fraction", "lines that end with sentence punctuation / lines", document.TERMINAL_LINES,
               document.LINES),
        _share("short_line_fraction", "lines of at most 30 characters / lines", document.SHORT_LINES, document.LINES),
        _share("newline_word_ratio", "line feeds / words", document.LINE_FEEDS, document.WORDS),
        _count("paragraphs", "paragraphs", document.PARAGRAPHS),
        _count("sentences", "sentences", document.SENTENCES),
        _share("duplicate_line_fraction", "lines seen before / lines", document.DUPLICATE_LINES, document.LINES),
        _share("duplicate_line_character_fraction", "characters in lines seen before / characters",
               document.DUPLICATE_LINE_CHARACTERS, document.CHARACTERS),
        ("duplicate_line_text_fraction", pa.float32(), "characters in lines seen before / characters but line feeds",
         lambda counts: _ratio(counts[:, document.DUPLICATE_LINE_CHARACTERS],
                               counts[:, document.CHARACTERS] - counts[:, document.LINE_FEEDS])),
        _share("duplicate_paragraph_fraction", "paragraphs seen before / paragraphs", document.DUPLICATE_PARAGRAPHS,
               document.PARAGRAPHS),
        _share("duplicate_paragraph_character_fraction", "characters in paragraphs seen before / characters",
               document.DUPLICATE_PARAGRAPH_CHARACTERS, document.CHARACTERS),
    ]  # fmt: skip
    for n in range(2, 5):
        columns.append(
            _share(f"top_{n}_gram_fraction", f"characters in the most frequent {n} words in a row / characters",
                   document.NGRAMS + n - 2, document.NGRAM_CHARACTERS)
        )  # fmt: skip
    for n in range(5, 11):
        columns.append(
            _share(f"duplicate_{n}_gram_fraction", f"characters in {n} words in a row seen before / characters",
                   document.NGRAMS + n - 2, document.NGRAM_CHARACTERS)
        )  # fmt: skip
    columns += [
        _share("letter_fraction", "letters / characters", document.LETTERS, document.CHARACTERS),
        _share("upper_case_fraction", "upper-case letters / letters", document.UPPER_CASE, document.LETTERS),
        _share("digit_fraction", "digits / characters", document.DIGITS, document.CHARACTERS),
        _share("punctuation_fraction", "punctuation and symbols / characters", document.MARKS_AND_SYMBOLS,
               document.CHARACTERS),
        _share("han_fraction", "Han characters / letters", document.HAN_LETTERS, document.LETTERS),
        _share("unsegmented_fraction", "letters of scripts written without spaces / letters",
               document.UNSEGMENTED_LETTERS, document.LETTERS),
        _count("curly_braces", "opening curly braces", document.CURLY_BRACES),
        _count("javascript_mentions", "occurrences of: javascript", document.JAVASCRIPT),
        _count("lorem_ipsum_mentions", "occurrences of: lorem ipsum", document.LOREM_IPSUM),
        _count("policy_mentions", "occurrences of phrases about cookies, privacy and terms of use", document.POLICY),
    ]  # fmt: skip
    for position, name in enumerate(line_rules):
        first = document.LINE_RULE_SETS + document.PER_SET * position
        preset = name.replace("_", "-")
        columns += [
            _count(f"{name}_kept_lines", f"lines that the line rules of {preset} keep", first + document.KEPT_LINES),
            _count(f"{name}_kept_sentences", f"sentences in those lines ({preset})", first + document.KEPT_SENTENCES),
            (f"{name}_removed_word_fraction", pa.float32(), f"words that the line rules of {preset} remove / words",
             functools.partial(_removed, column=first + document.KEPT_WORDS)),
            _count(f"{name}_curly_brace_lines", f"lines with a curly brace when {preset} looks",
                   first + document.CURLY_LINES),
            _count(f"{name}_lorem_ipsum_lines", f"lines with lorem ipsum when {preset} looks",
                   first + document.LOREM_LINES),
        ]  # fmt: skip
    return columns


def _removed(counts: np.ndarray, column: int) -> np.ndarray:
    return _ratio(counts[:, document.WORDS] - counts[:, column], counts[:, document.WORDS])


STATISTICS: dict[str, str] = {name: help_text for name, _, help_text, _ in _columns(published_line_rules())}
"""Every statistic and what it measures, in column order."""


def schema() -> pa.Schema:
    """The schema of ``statistics``: counts are uint32 (``characters`` uint64), shares and means float32; no nulls."""
    return pa.schema([pa.field(name, dtype, nullable=False) for name, dtype, _, _ in _columns(published_line_rules())])


def statistics(texts: pa.Array | pa.ChunkedArray) -> pa.RecordBatch:
    """Computes ``STATISTICS`` for each document of a text column.

    The n-gram shares of a document of more than 2**20 words are those of its first 2**20. A share of nothing is 0.

    Args:
        texts: ``string`` or ``large_string`` [n]; nulls read as empty.

    Returns:
        A record batch of ``schema()`` with n rows.
    """
    return _batch(_counts(texts), published_line_rules())


def _counts(texts: pa.Array | pa.ChunkedArray, most_words: int = document.MOST_WORDS) -> np.ndarray:
    data, offsets = text_buffers(texts)
    rules, end_marks = line_rule_tables(list(published_line_rules().values()))
    room = scratch(int(np.diff(offsets).max(initial=0)), most_words)
    return document.document_counts(data, offsets, code_points().flags, vocabulary(), rules, end_marks, room)


def _batch(counts: np.ndarray, line_rules: Mapping[str, LineRules]) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values(counts)) for _, _, _, values in _columns(line_rules)], schema=schema())
