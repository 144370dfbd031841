# mypy: allow-untyped-defs
"""Every statistic the presets need, counted in one pass over a text column."""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.character_maps_kernels import LEADS, Text, map_characters, plane
from filters.line_kernels import SHORT_CHARACTERS, scan_line, tables_of
from filters.line_rules_kernels import (
    KEEP,
    REMOVE_CITATIONS,
    RULE_COLUMNS,
    SAYS_JAVASCRIPT,
    SAYS_POLICY,
    judge_line,
    without_citations,
)
from filters.repetition_kernels import DUPLICATE_SIZES, TOP_SIZES, repeated_items, repeated_ngrams, spaced_characters
from filters.vocabulary import CHINESE_BITS, ENGLISH_BITS
from filters.word_kernels import Record
from text.bits import count_bits, first_bits, ones
from text.hashing import folded_product, hash_memory
from text.raw_memory import address_of, read_float64

# Columns of a document's counts.
(
    CHARACTERS, LINE_FEEDS, LETTERS, UPPER_CASE, DIGITS, MARKS_AND_SYMBOLS, HAN_LETTERS, UNSEGMENTED_LETTERS, HASHES,
    ELLIPSES, CURLY_BRACES,
    WORDS, CONTENT_WORDS, CONTENT_CHARACTERS, ALPHABETIC_WORDS, LONGEST_WORD, STOP_WORDS, FUNCTION_CHARACTERS,
    DISTINCT_STOP_WORDS, DISTINCT_FUNCTION_CHARACTERS, SENTENCES, JAVASCRIPT, LOREM_IPSUM, POLICY,
    LINES, LINE_CHARACTERS, BULLET_LINES, ELLIPSIS_LINES, TERMINAL_LINES, SHORT_LINES, PARAGRAPHS,
    DUPLICATE_LINES, DUPLICATE_LINE_CHARACTERS, DUPLICATE_PARAGRAPHS, DUPLICATE_PARAGRAPH_CHARACTERS,
    NGRAM_CHARACTERS,  # what the n-gram columns are a share of
    NGRAMS,  # top 2, 3 and 4, then duplicate 5 to 10
) = range(37)  # fmt: skip
LINE_RULE_SETS = NGRAMS + TOP_SIZES + DUPLICATE_SIZES  # five columns a set of line rules
KEPT_LINES, KEPT_WORDS, KEPT_SENTENCES, CURLY_LINES, LOREM_LINES = range(5)
PER_SET = 5

# N-grams of a longer document are measured over its first million words, as if it ended there: this bounds the memory
# of one absurd document, and Gopher drops documents of more than 100,000 words anyway.
MOST_WORDS = 1 << 20

_LINE = np.uint64(0x9FB21C651E98DF25)


@njit(nogil=True, cache=True)
def document_counts(data, offsets, flags, vocabulary, rules, end_marks, scratch):
    """Counts everything about every document.

    Args:
        data: uint8 [bytes] and
        offsets: int64 [n + 1], see ``text_buffers``.
        flags: uint16 [0x110000], ``code_points().flags``.
        vocabulary: ``filters.vocabulary.vocabulary()``.
        rules: float64 [sets, RULE_COLUMNS] and
        end_marks: int32 [sets, marks], the sets of line rules to try.
        scratch: ``filters.scratch.Scratch`` for the longest document and the words to look for n-grams in.

    Returns:
        int64 [n, LINE_RULE_SETS + PER_SET * sets].
    """
    sets, mark_count = end_marks.shape
    counts = np.zeros((len(offsets) - 1, LINE_RULE_SETS + PER_SET * sets), np.int64)
    tables = tables_of(flags, vocabulary)
    record = Record(address_of(scratch.word_hashes), address_of(scratch.word_sizes), len(scratch.word_hashes))
    begin, readable = address_of(data), address_of(data) + len(data)
    stride, maps, tail = scratch.stride, address_of(scratch.maps), address_of(scratch.tail)
    copy, copy_maps = address_of(scratch.copy), address_of(scratch.copy_maps)
    for d in range(len(counts)):
        row = counts[d]
        text = Text(begin + offsets[d], offsets[d + 1] - offsets[d], readable, maps, stride)
        tallies = map_characters(text, tables.flags, tables.marks, tail)
        row[CHARACTERS] = tallies.characters
        row[LINE_FEEDS] = tallies.line_feeds
        row[LETTERS] = tallies.letters
        row[UPPER_CASE] = tallies.upper_case
        row[DIGITS] = tallies.digits
        row[MARKS_AND_SYMBOLS] = tallies.symbols
        row[HAN_LETTERS] = tallies.han
        row[UNSEGMENTED_LETTERS] = tallies.unsegmented
        row[HASHES] = tallies.hashes
        row[ELLIPSES] = tallies.ellipses
        row[CURLY_BRACES] = tallies.curly_braces

        words = lines = paragraphs = 0
        listed = np.uint64(0)
        paragraph_hash = np.uint64(0)
        paragraph_lines = paragraph_characters = 0
        position = np.int64(0)
        while position <= text.size:
            begins = position
            line = scan_line(text, begins, tables, record, words)
            position = line.stop + 1
            if line.first >= 0:
                found = line.words
                words += found.words
                listed |= found.listed
                row[CONTENT_WORDS] += found.content_words
                row[CONTENT_CHARACTERS] += found.content_characters
                row[ALPHABETIC_WORDS] += found.alphabetic
                row[LONGEST_WORD] = max(row[LONGEST_WORD], found.longest)
                row[STOP_WORDS] += found.stop_words
                row[FUNCTION_CHARACTERS] += found.function_characters
                row[SENTENCES] += line.sentences
                row[JAVASCRIPT] += line.javascript
                row[LOREM_IPSUM] += line.lorem_ipsum
                row[POLICY] += line.policy
                row[LINE_CHARACTERS] += line.characters
                row[BULLET_LINES] += line.is_bullet
                row[ELLIPSIS_LINES] += line.ends_in_dots or line.last_character == 0x2026
                row[TERMINAL_LINES] += line.is_terminal
                row[SHORT_LINES] += line.characters <= SHORT_CHARACTERS
                # Repeated lines are compared as they are written: a closing bracket has its place by its indentation.
                line_hash = hash_memory(text.base + begins, text.base + line.stop, readable)
                written = count_bits(plane(text, LEADS), begins, line.stop)
                scratch.line_hashes[lines] = line_hash
                scratch.line_sizes[lines] = written
                lines += 1
                paragraph_hash = folded_product(paragraph_hash ^ line_hash, _LINE) + np.uint64(1)
                paragraph_characters += written
                paragraph_lines += 1

                version = line  # the line without citations
                if line.brackets > 0:
                    size = without_citations(text.base + line.first, text.base + line.last, copy)
                    if size < line.last - line.first:
                        cited = Text(copy, size, copy + size, copy_maps, stride)
                        map_characters(cited, tables.flags, tables.marks, tail)
                        version = scan_line(cited, 0, tables, Record(0, 0, 0), 0)
                for s in range(sets):
                    its_rules = address_of(rules) + 8 * RULE_COLUMNS * s
                    judged = line
                    if read_float64(its_rules + 8 * REMOVE_CITATIONS) > 0:
                        judged = version
                    its_marks = address_of(end_marks) + 4 * mark_count * s
                    verdict = judge_line(judged, found.longest, its_rules, its_marks, mark_count)
                    first = LINE_RULE_SETS + PER_SET * s
                    if verdict == KEEP:
                        row[first + KEPT_LINES] += 1
                        row[first + KEPT_WORDS] += judged.words.words
                        row[first + KEPT_SENTENCES] += judged.sentences
                    # The order in which C4's code looks: lorem ipsum, javascript, curly bracket, policies.
                    if verdict in (KEEP, SAYS_POLICY):
                        row[first + CURLY_LINES] += judged.curly_braces > 0
                    if verdict in (KEEP, SAYS_POLICY, SAYS_JAVASCRIPT):
                        row[first + LOREM_LINES] += judged.lorem_ipsum > 0
            if paragraph_lines and (line.first < 0 or line.stop == text.size):
                scratch.paragraph_hashes[paragraphs] = paragraph_hash
                scratch.paragraph_sizes[paragraphs] = paragraph_characters + paragraph_lines - 1
                paragraphs += 1
                paragraph_hash = np.uint64(0)
                paragraph_lines = paragraph_characters = 0

        row[WORDS] = words
        row[LINES] = lines
        row[PARAGRAPHS] = paragraphs
        row[DISTINCT_STOP_WORDS] = ones(listed & first_bits(ENGLISH_BITS))
        row[DISTINCT_FUNCTION_CHARACTERS] = ones(listed & first_bits(CHINESE_BITS) & ~first_bits(ENGLISH_BITS))
        row[DUPLICATE_LINES], row[DUPLICATE_LINE_CHARACTERS] = repeated_items(
            scratch.line_hashes, scratch.line_sizes, lines, scratch.items
        )
        row[DUPLICATE_PARAGRAPHS], row[DUPLICATE_PARAGRAPH_CHARACTERS] = repeated_items(
            scratch.paragraph_hashes, scratch.paragraph_sizes, paragraphs, scratch.items
        )
        measured = min(words, record.capacity)
        repeated_ngrams(scratch.word_hashes, scratch.word_sizes, measured, scratch.ngrams, row[NGRAMS:LINE_RULE_SETS])
        row[NGRAM_CHARACTERS] = tallies.characters
        if measured < words:
            row[NGRAM_CHARACTERS] = spaced_characters(scratch.word_sizes, 0, measured)
    return counts
