# mypy: allow-untyped-defs
"""One line of text, walked once: its words, marks, sentences and listed phrases, and the verdict of line rules."""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.phrases import CLASSES, MATCH
from filters.vocabulary import (
    BULLET,
    CHINESE_BITS,
    CLOSER,
    ENGLISH_BITS,
    LONGEST_LISTED,
    SOFT_END,
    TERMINAL,
    WIDE_END,
    listed_key,
    slot_of,
)
from text.code_points import DIGIT, HAN, LETTER, LOWER, MARK, NUMBER, PUNCTUATION, SPACE, SYMBOL, UNSEGMENTED, UPPER
from text.code_points import WORD as WORD_FLAG
from text.hashing import hash_bytes
from text.utf8_kernels import decode

# Columns of a line's features that add up over a document.
LINE_CHARACTERS = 0  # from the first to the last character that is not a space
WORDS = 1
CONTENT_WORDS = 2  # words with a letter, mark or number
CONTENT_CHARACTERS = 3  # their characters, from the first to the last letter, mark or number
ALPHABETIC_WORDS = 4
STOP_WORDS = 5
FUNCTION_CHARACTERS = 6
HASHES = 7
ELLIPSES = 8
LETTERS = 9
UPPER_CASE = 10
DIGITS = 11
NUMBERS = 12
MARKS_AND_SYMBOLS = 13  # punctuation and symbols
HAN_LETTERS = 14
UNSEGMENTED_LETTERS = 15
CURLY_BRACES = 16
SENTENCES = 17
JAVASCRIPT = 18
LOREM_IPSUM = 19
POLICY = 20
BULLET_LINE = 21
ELLIPSIS_LINE = 22
TERMINAL_LINE = 23
SHORT_LINE = 24
LINES = 25  # 1 unless the line is blank
ADDITIVE = 26
# Columns that describe this line only.
LONGEST_WORD = 26
LISTED = 27  # a bit a listed word, see filters.vocabulary
FIRST = 28  # byte position of the first character that is not a space
LAST = 29  # byte position behind the last one
LAST_CHARACTER = 30
DOTS_AT_END = 31
BRACKETS = 32
COUNTER = 33  # 1 when the line is a number and a counted noun
LINE_STOP = 34  # byte position of the line feed or of the text's end
FEATURES = 35

SHORT_CHARACTERS = 30  # FineWeb: "lines shorter than 30 characters"; its code counts 30 itself

# Columns of a line-rule row (float64).
MAX_WORD_CHARACTERS = 0  # 0 switches a rule off
REQUIRE_END_MARK = 1
REFUSE_ELLIPSIS = 2
MIN_WORDS = 3
DROP_JAVASCRIPT = 4
DROP_POLICY = 5
REMOVE_CITATIONS = 6
MAX_UPPER_FRACTION = 7  # 1 switches it off
DROP_NUMERIC = 8
DROP_COUNTERS = 9
KEEP_BLANK_LINES = 10
RULE_COLUMNS = 11

KEEP, LONG_WORD, NO_END_MARK, FEW_WORDS, SAYS_JAVASCRIPT, SAYS_POLICY, UPPER_LINE, NUMERIC_LINE, COUNTER_LINE = range(9)


@njit(nogil=True, cache=True)
def scan_line(data, start, stop, flags, vocabulary, word_hashes, word_sizes, word_count, out):
    """Walks the line that begins at ``start`` and fills its features.

    Args:
        data: uint8 [bytes], valid UTF-8.
        start: first byte of the line.
        stop: byte behind the text; the line ends there or at the first line feed.
        flags: uint16 [0x110000], ``code_points().flags``.
        vocabulary: ``filters.vocabulary.vocabulary()``.
        word_hashes: uint64 [capacity], receives each word's hash from ``word_count`` on.
        word_sizes: int32 [capacity], receives twice the word's characters, plus one for an unsegmented character.
        word_count: words the document had before this line.
        out: int64 [FEATURES], overwritten.

    Returns:
        The document's word count behind this line; it runs past the capacity, recording does not.
    """
    out[:] = 0
    capacity = len(word_hashes)
    keys, bits, marks, phrases = vocabulary
    words = content_words = content_characters = alphabetic_words = 0
    stop_words = function_characters = longest_word = 0
    listed = np.uint64(0)
    hashes = ellipses = letters = upper_case = digits = numbers = symbols = han = unsegmented_letters = 0
    curly_braces = brackets = sentences = 0
    first = last = -1
    characters = line_characters = 0
    first_mark = last_mark = np.uint8(0)
    last_character = 0
    dots = dots_at_end = 0
    numeric_start = counted_end = False
    # The open word.
    is_open = is_unsegmented = has_letter = False
    beside_unsegmented = False  # an unsegmented character stands directly before
    word_start = word_characters = content_start = content_stop = content_first = content_last = 0
    # The open sentence: 0 inside, 1 in its end marks, 2 in the space behind them.
    end_state = 0
    end_is_wide = end_is_dots = end_of_initial = False
    has_content = False
    content_run = 0  # letters, marks and numbers in a row
    run_is_upper = False

    position = start
    while True:
        at_end = position >= stop or data[position] == 0x0A
        if at_end:
            point, following, flag = np.int64(32), position, SPACE
        else:
            point, following = decode(data, position)
            flag = flags[point]
        is_space = (flag & SPACE) != 0
        is_mark = (flag & MARK) != 0
        stands_alone = (flag & UNSEGMENTED) != 0 and not is_mark

        if is_open and (is_space or stands_alone or (is_unsegmented and not is_mark)):
            is_open = False
            # Punctuation that touches unsegmented characters is not a word of its own.
            if content_stop > 0 or not (beside_unsegmented or stands_alone):
                words += 1
                longest_word = max(longest_word, word_characters)
                bit = -1
                if content_stop > 0:
                    content_words += 1
                    content_characters += content_last - content_first
                    if has_letter:
                        alphabetic_words += 1
                    if content_stop - content_start <= LONGEST_LISTED:
                        key = listed_key(data, content_start, content_stop)
                        slot = slot_of(key)
                        while bits[slot] >= 0:
                            if keys[slot] == key:
                                bit = bits[slot]
                                break
                            slot = (slot + 1) & (len(bits) - 1)
                    if bit >= 0:
                        listed |= np.uint64(1) << np.uint64(bit)
                        if bit < ENGLISH_BITS:
                            stop_words += 1
                        elif bit < CHINESE_BITS:
                            function_characters += 1
                    if words == 1:
                        numeric_start = 0x30 <= data[content_start] <= 0x39
                counted_end = words == 2 and bit >= CHINESE_BITS
                if word_count < capacity:
                    word_hashes[word_count] = hash_bytes(data, word_start, position, 0)
                    word_sizes[word_count] = min(word_characters, 1 << 29) * 2 + is_unsegmented
                word_count += 1
            beside_unsegmented = is_unsegmented

        if is_space:
            beside_unsegmented = False
            if dots:
                ellipses += dots // 3
                dots = 0
            if end_state == 1:
                end_state = 2
            content_run = 0
            if at_end:
                break
            if first >= 0:
                characters += 1
            position = following
            continue

        if not is_open:
            is_open = True
            is_unsegmented = stands_alone
            has_letter = False
            word_start, word_characters, content_stop = position, 0, 0
        word_characters += 1
        characters += 1
        mark = np.uint8(0)
        if flag & (PUNCTUATION | SYMBOL):
            symbols += 1
            if point < 0x10000:
                mark = marks[point]
            if point == 0x23:
                hashes += 1
            elif point == 0x7B:
                curly_braces += 1
            elif point == 0x5B:
                brackets += 1
            elif point == 0x2026:
                ellipses += 1
        if point == 0x2E:
            dots += 1
        elif dots:
            ellipses += dots // 3
            dots = 0

        if mark & (SOFT_END | WIDE_END):
            if end_state == 0:
                end_is_wide, end_is_dots = False, True
                end_of_initial = content_run == 1 and run_is_upper
            end_state = 1
            end_is_wide |= (mark & WIDE_END) != 0
            end_is_dots &= point == 0x2E
        elif end_state == 1 and mark & CLOSER:
            pass
        elif end_state:
            # "e.g. this", "J. Smith" and "3.14" go on; "End. Next" and "完。下" do not.
            goes_on = end_is_dots and ((flag & LOWER) != 0 or end_of_initial)
            if (end_state == 2 and not goes_on) or end_is_wide:
                sentences += has_content
                has_content = False
            end_state = 0

        if flag & WORD_FLAG:
            has_content = True
            content_run += 1
            run_is_upper = (flag & UPPER) != 0
            if content_stop == 0:
                content_start, content_first = position, word_characters - 1
            content_stop, content_last = following, word_characters
            if flag & LETTER:
                has_letter = True
                letters += 1
                upper_case += (flag & UPPER) != 0
                han += (flag & HAN) != 0
                unsegmented_letters += stands_alone
            elif flag & NUMBER:
                numbers += 1
                digits += (flag & DIGIT) != 0
        else:
            content_run = 0
        if first < 0:
            first, first_mark = position, mark
        if flag & LOWER and point < 0x80:  # most of most text: the rest of a run of small ASCII letters at once
            run_start = following
            while following < stop and 0x61 <= data[following] <= 0x7A:
                following += 1
            if following > run_start:
                run = following - run_start
                characters += run
                word_characters += run
                letters += run
                content_run += run
                run_is_upper = False
                content_stop, content_last = following, word_characters
                point = np.int64(data[following - 1])
        last, last_character, last_mark = following, point, mark
        line_characters = characters
        dots_at_end = dots
        position = following
    sentences += has_content

    if first >= 0:
        byte_class, next_state, matched = phrases
        state = np.uint64(0)
        for i in range(first, last):
            state = np.uint64(next_state[state + byte_class[data[i]]])
            if state >= MATCH:
                state -= MATCH
                found = state // CLASSES
                out[JAVASCRIPT] += matched[found, 0]
                out[LOREM_IPSUM] += matched[found, 1]
                out[POLICY] += matched[found, 2]

    out[LINE_CHARACTERS] = line_characters
    out[WORDS] = words
    out[CONTENT_WORDS] = content_words
    out[CONTENT_CHARACTERS] = content_characters
    out[ALPHABETIC_WORDS] = alphabetic_words
    out[STOP_WORDS] = stop_words
    out[FUNCTION_CHARACTERS] = function_characters
    out[HASHES] = hashes
    out[ELLIPSES] = ellipses
    out[LETTERS] = letters
    out[UPPER_CASE] = upper_case
    out[DIGITS] = digits
    out[NUMBERS] = numbers
    out[MARKS_AND_SYMBOLS] = symbols
    out[HAN_LETTERS] = han
    out[UNSEGMENTED_LETTERS] = unsegmented_letters
    out[CURLY_BRACES] = curly_braces
    out[SENTENCES] = sentences
    out[BULLET_LINE] = (first_mark & BULLET) != 0
    out[ELLIPSIS_LINE] = dots_at_end >= 3 or last_character == 0x2026
    out[TERMINAL_LINE] = (last_mark & TERMINAL) != 0
    out[SHORT_LINE] = first >= 0 and line_characters <= SHORT_CHARACTERS
    out[LINES] = first >= 0
    out[LONGEST_WORD] = longest_word
    out[LISTED] = np.int64(listed)
    out[FIRST] = first
    out[LAST] = last
    out[LAST_CHARACTER] = last_character
    out[DOTS_AT_END] = dots_at_end
    out[BRACKETS] = brackets
    out[LINE_STOP] = position
    out[COUNTER] = numeric_start and counted_end and words == 2
    return word_count


@njit(nogil=True, cache=True)
def without_citations(data, start, stop, out):
    """Copies ``data[start:stop]`` to ``out`` without ``[12]``, ``[]``, ``[edit]`` and ``[citation needed]``.

    Returns:
        The bytes written, at most ``stop - start``.
    """
    written = 0
    position = start
    while position < stop:
        if data[position] == 0x5B:
            behind = position + 1
            while behind < stop and 0x30 <= data[behind] <= 0x39:
                behind += 1
            if behind < stop and data[behind] == 0x5D:
                position = behind + 1
                continue
            if _starts_with(data, position + 1, stop, b"edit]"):
                position += 6
                continue
            if _starts_with(data, position + 1, stop, b"citation needed]"):
                position += 17
                continue
        out[written] = data[position]
        written += 1
        position += 1
    return written


@njit(nogil=True, cache=True)
def _starts_with(data, start, stop, expected):
    if stop - start < len(expected):
        return False
    for i in range(len(expected)):  # noqa: SIM110 (numba knows no all() over generators)
        if data[start + i] != expected[i]:
            return False
    return True


@njit(nogil=True, cache=True)
def judge_line(lines, version, rules, rule_set, end_marks):
    """Says which rule of a set drops a line, in the order of TFDS' ``c4_utils.py``, then RefinedWeb's table 2.

    Args:
        lines: int64 [versions, FEATURES] of a line that is not blank.
        version: the row to judge. (Rows and sets go by number: a view of an array costs more than the rules.)
        rules: float64 [sets, RULE_COLUMNS].
        rule_set: the row of ``rules`` and ``end_marks`` to judge by.
        end_marks: int32 [sets, n] code points that may end a line; padded with -1.

    Returns:
        KEEP or the code of the first rule that drops it.
    """
    limit = rules[rule_set, MAX_WORD_CHARACTERS]
    if limit > 0 and lines[version, LONGEST_WORD] > limit:
        return LONG_WORD
    if rules[rule_set, REQUIRE_END_MARK] > 0:
        last = lines[version, LAST_CHARACTER]
        ends = False
        for mark in range(end_marks.shape[1]):
            ends |= last == end_marks[rule_set, mark]
        if not ends or (rules[rule_set, REFUSE_ELLIPSIS] > 0 and lines[version, DOTS_AT_END] >= 3):
            return NO_END_MARK
    if lines[version, WORDS] < rules[rule_set, MIN_WORDS]:
        return FEW_WORDS
    if rules[rule_set, DROP_JAVASCRIPT] > 0 and lines[version, JAVASCRIPT] > 0:
        return SAYS_JAVASCRIPT
    if rules[rule_set, DROP_POLICY] > 0 and lines[version, POLICY] > 0:
        return SAYS_POLICY
    if lines[version, UPPER_CASE] > rules[rule_set, MAX_UPPER_FRACTION] * lines[version, LETTERS]:
        return UPPER_LINE
    if rules[rule_set, DROP_NUMERIC] > 0 and lines[version, NUMBERS] > 0 and lines[version, LETTERS] == 0:
        return NUMERIC_LINE
    if rules[rule_set, DROP_COUNTERS] > 0 and lines[version, COUNTER] > 0:
        return COUNTER_LINE
    return KEEP
