# mypy: allow-untyped-defs
"""Every statistic the presets need, in one pass over a text column."""

from __future__ import annotations

import numpy as np
from numba import njit

from filters import line_kernels as line_columns
from filters.line_kernels import (
    ADDITIVE,
    BRACKETS,
    CURLY_BRACES,
    FEATURES,
    FIRST,
    KEEP,
    LAST,
    LINE_CHARACTERS,
    LINE_STOP,
    LISTED,
    LONGEST_WORD,
    REMOVE_CITATIONS,
    SAYS_JAVASCRIPT,
    SAYS_POLICY,
    SENTENCES,
    WORDS,
    judge_line,
    scan_line,
    without_citations,
)
from filters.repetition_kernels import (
    DUPLICATE_SIZES,
    TOP_SIZES,
    add_to_set,
    grown,
    power_of_two,
    repeated_ngrams,
)
from filters.vocabulary import CHINESE_BITS, ENGLISH_BITS
from text.hashing import hash_bytes, mix64

LOREM_IPSUM = line_columns.LOREM_IPSUM

# Columns of a document's counts: those of its lines that add up, then these.
CHARACTERS = ADDITIVE
LINE_FEEDS = ADDITIVE + 1
LONGEST = ADDITIVE + 2
DISTINCT_STOP_WORDS = ADDITIVE + 3
DISTINCT_FUNCTION_CHARACTERS = ADDITIVE + 4
PARAGRAPHS = ADDITIVE + 5
DUPLICATE_LINES = ADDITIVE + 6
DUPLICATE_LINE_CHARACTERS = ADDITIVE + 7
DUPLICATE_PARAGRAPHS = ADDITIVE + 8
DUPLICATE_PARAGRAPH_CHARACTERS = ADDITIVE + 9
NGRAM_CHARACTERS = ADDITIVE + 10  # what the n-gram columns are a share of
NGRAMS = ADDITIVE + 11  # top 2, 3 and 4, then duplicate 5 to 10
LINE_RULE_SETS = NGRAMS + TOP_SIZES + DUPLICATE_SIZES  # five columns a set of line rules
KEPT_LINES, KEPT_WORDS, KEPT_SENTENCES, CURLY_LINES, LOREM_LINES = range(5)
PER_SET = 5

# N-grams of a longer document are measured over its first million words, as if it ended there: this bounds the memory
# of one absurd document, and Gopher drops documents of more than 100,000 words anyway.
MOST_WORDS = 1 << 20


@njit(nogil=True, cache=True)
def document_counts(data, offsets, flags, vocabulary, rules, end_marks, most_words):
    """Counts everything about every document.

    Args:
        data: uint8 [bytes] and
        offsets: int64 [n + 1], see ``text_buffers``.
        flags: uint16 [0x110000], ``code_points().flags``.
        vocabulary: ``filters.vocabulary.vocabulary()``.
        rules: float64 [sets, RULE_COLUMNS] and
        end_marks: int32 [sets, marks], the sets of line rules to try.
        most_words: words of a document in which n-grams are looked for.

    Returns:
        int64 [n, LINE_RULE_SETS + PER_SET * sets].
    """
    documents = len(offsets) - 1
    sets = len(rules)
    counts = np.zeros((documents, LINE_RULE_SETS + PER_SET * sets), np.int64)
    longest = np.int64(0)
    for d in range(documents):
        longest = max(longest, offsets[d + 1] - offsets[d])
    capacity = min(longest // 2 + 1, most_words)  # a word takes a byte and a space, or three bytes
    word_hashes = np.empty(capacity, np.uint64)
    word_sizes = np.empty(capacity, np.int32)
    room = power_of_two(2 * capacity)
    keys = np.empty(room, np.uint64)
    names = np.empty(room, np.int32)
    name_at = np.empty(capacity, np.int32)
    places = np.empty(capacity, np.int32)
    ngram_counts = np.empty(capacity, np.int32)
    first_at = np.empty(capacity, np.int32)
    plain = np.empty(capacity + 1, np.int64)
    spaced = np.empty(capacity + 1, np.int64)
    lines = np.empty((2, FEATURES), np.int64)
    line, cited = lines[0], lines[1]
    nothing = np.empty(0, np.uint64)
    no_sizes = np.empty(0, np.int32)
    copy = np.empty(1024, np.uint8)
    line_set = np.zeros(1024, np.uint64)
    paragraph_set = np.zeros(1024, np.uint64)

    for d in range(documents):
        start, stop = offsets[d], offsets[d + 1]
        row = counts[d]
        characters = np.int64(0)
        line_feeds = np.int64(0)
        for i in range(start, stop):
            characters += (data[i] & 0xC0) != 0x80
            line_feeds += data[i] == 0x0A
        row[CHARACTERS] = characters
        row[LINE_FEEDS] = line_feeds
        # Small documents get small tables: clearing a large one would cost more than the document.
        if len(line_set) > 1024:
            line_set = np.zeros(1024, np.uint64)
        else:
            line_set[:] = 0
        if len(paragraph_set) > 1024:
            paragraph_set = np.zeros(1024, np.uint64)
        else:
            paragraph_set[:] = 0
        lines_seen = paragraphs_seen = 0
        words = 0
        listed = np.uint64(0)
        paragraph_hash = np.uint64(0)
        paragraph_lines = paragraph_characters = 0

        position = start
        while position <= stop:
            words = scan_line(data, position, stop, flags, vocabulary, word_hashes, word_sizes, words, line)
            if line[FIRST] >= 0:
                for k in range(ADDITIVE):
                    row[k] += line[k]
                row[LONGEST] = max(row[LONGEST], line[LONGEST_WORD])
                listed |= np.uint64(line[LISTED])
                line_hash = hash_bytes(data, line[FIRST], line[LAST], 1)
                if add_to_set(line_set, line_hash):
                    lines_seen += 1
                    if 2 * lines_seen > len(line_set):
                        line_set = grown(line_set)
                else:
                    row[DUPLICATE_LINES] += 1
                    row[DUPLICATE_LINE_CHARACTERS] += line[LINE_CHARACTERS]
                paragraph_hash = mix64(paragraph_hash ^ line_hash) + np.uint64(1)
                paragraph_characters += line[LINE_CHARACTERS]
                paragraph_lines += 1

                without = 0  # the version of the line without citations
                if line[BRACKETS] > 0:
                    length = line[LAST] - line[FIRST]
                    if length > len(copy):
                        copy = np.empty(2 * length, np.uint8)
                    kept_bytes = without_citations(data, line[FIRST], line[LAST], copy)
                    if kept_bytes < length:
                        scan_line(copy, 0, kept_bytes, flags, vocabulary, nothing, no_sizes, 0, cited)
                        cited[LONGEST_WORD] = line[LONGEST_WORD]
                        without = 1
                for s in range(sets):
                    version = without if rules[s, REMOVE_CITATIONS] > 0 else 0
                    verdict = judge_line(lines, version, rules, s, end_marks)
                    first = LINE_RULE_SETS + PER_SET * s
                    if verdict == KEEP:
                        row[first + KEPT_LINES] += 1
                        row[first + KEPT_WORDS] += lines[version, WORDS]
                        row[first + KEPT_SENTENCES] += lines[version, SENTENCES]
                    # The order in which C4's code looks: lorem ipsum, javascript, curly bracket, policies.
                    if verdict in (KEEP, SAYS_POLICY):
                        row[first + CURLY_LINES] += lines[version, CURLY_BRACES] > 0
                    if verdict in (KEEP, SAYS_POLICY, SAYS_JAVASCRIPT):
                        row[first + LOREM_LINES] += lines[version, LOREM_IPSUM] > 0
            if paragraph_lines and (line[FIRST] < 0 or line[LINE_STOP] == stop):
                row[PARAGRAPHS] += 1
                if add_to_set(paragraph_set, paragraph_hash):
                    paragraphs_seen += 1
                    if 2 * paragraphs_seen > len(paragraph_set):
                        paragraph_set = grown(paragraph_set)
                else:
                    row[DUPLICATE_PARAGRAPHS] += 1
                    row[DUPLICATE_PARAGRAPH_CHARACTERS] += paragraph_characters + paragraph_lines - 1
                paragraph_hash = np.uint64(0)
                paragraph_lines = paragraph_characters = 0
            position = line[LINE_STOP] + 1

        for bit in range(ENGLISH_BITS):
            row[DISTINCT_STOP_WORDS] += np.int64((listed >> np.uint64(bit)) & np.uint64(1))
        for bit in range(ENGLISH_BITS, CHINESE_BITS):
            row[DISTINCT_FUNCTION_CHARACTERS] += np.int64((listed >> np.uint64(bit)) & np.uint64(1))

        measured = min(words, capacity)
        repeated_ngrams(
            word_hashes, word_sizes, measured, keys, names, name_at, places, ngram_counts, first_at, plain, spaced,
            row[NGRAMS:LINE_RULE_SETS],
        )  # fmt: skip
        row[NGRAM_CHARACTERS] = characters if measured == words else spaced[measured]
    return counts
