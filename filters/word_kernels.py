# mypy: allow-untyped-defs
"""The words of a line, one set bit each: their lengths, what they hold, their hashes, the listed ones among them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from filters.character_maps_kernels import ALONE, BREAKS, CONTENT, LEADS, LETTERS, SPACES, STARTS, plane
from filters.vocabulary import ENGLISH_BITS, listed_slot
from text.bits import ALL, ONE, WINDOW, count_bits, first_bits, highest, is_set, lowest, next_bit, ones, window
from text.hashing import hash_memory
from text.raw_memory import load_eight, read_uint8, read_uint64, write_int32, write_uint64

_LOWER_CASE = np.uint64(0x20202020)
_FOUR_BYTES = np.uint64(0xFFFFFFFF)
_MOST_CHARACTERS = 1 << 29  # sizes are recorded in 31 bits


class Record(NamedTuple):
    """Where a document's words are recorded: addresses of ``hashes`` uint64 and ``sizes`` int32 [capacity].

    A size is twice the characters of the word, plus one for an unsegmented character.
    """

    hashes: int
    sizes: int
    capacity: int


class Words(NamedTuple):
    """What the words of a line add up to. Positions are in bytes of the text."""

    words: int
    longest: int  # characters
    stop: int  # behind the last piece between spaces, word or not; the line's start if there is none
    content_words: int  # with a letter, mark or number
    content_characters: int  # of those, from the first to the last letter, mark or number
    alphabetic: int  # with a letter
    stop_words: int
    function_characters: int
    listed: int  # a bit for each different stop word and function character, uint64
    first_start: int  # the content of the first word that has any
    last_start: int  # the content of the last such word
    last_stop: int


@njit
def _content_of_long_word(text, start, stop):
    """First and last byte of a letter, mark or number (or -1), and whether there is a letter."""
    first = next_bit(plane(text, CONTENT), start, stop)
    if first == stop:
        return -1, -1, False
    last = first
    position = first
    while position < stop:
        last = position
        position = next_bit(plane(text, CONTENT), position + 1, stop)
    return first, last, next_bit(plane(text, LETTERS), start, stop) < stop


@njit
def scan_words(text, start, stop, listed_words, record, recorded):
    """Walks the words between two positions of a line.

    Args:
        text: a Text.
        start: byte position of the line.
        stop: byte position behind it.
        listed_words: address of ``Vocabulary.listed``.
        record: a Record.
        recorded: words of the document before this line; the line's are recorded behind them while there is room.

    Returns:
        Words.
    """
    words = longest = content_words = content_characters = alphabetic = stop_words = function_characters = 0
    listed = np.uint64(0)
    first_start = last_start = last_stop = -1
    piece_stop = start
    starts_plane, breaks_plane = plane(text, STARTS), plane(text, BREAKS)
    content_plane, letters_plane, leads_plane = plane(text, CONTENT), plane(text, LETTERS), plane(text, LEADS)
    alone_plane = plane(text, ALONE)
    for block in range(start & ~63, stop, 64):
        starts = read_uint64(starts_plane + (block >> 3))
        breaks = read_uint64(breaks_plane + (block >> 3))
        alone = read_uint64(alone_plane + (block >> 3))
        if block < start:
            starts &= ALL << np.uint64(start - block)
        if stop - block < 64:
            starts &= first_bits(stop - block)
        while starts:
            offset = lowest(starts)
            starts &= starts - ONE
            begin = block + offset
            behind = breaks & (ALL << np.uint64(offset) << ONE)
            end = block + lowest(behind) if behind else next_bit(breaks_plane, block + 64, stop)
            size = end - begin
            if size <= WINDOW:
                inside = first_bits(size)
                content = window(content_plane, begin) & inside
                first = last = -1
                has_letter = False
                characters = ones(window(leads_plane, begin) & inside)
                inner = characters
                if content:
                    head, tail = lowest(content), highest(content)
                    first, last = begin + head, begin + tail
                    has_letter = (window(letters_plane, begin) & inside) != 0
                    inner = ones(window(leads_plane, first) & first_bits(tail - head + 1))
            else:
                first, last, has_letter = _content_of_long_word(text, begin, end)
                characters = count_bits(leads_plane, begin, end)
                inner = count_bits(leads_plane, first, last + 1) if first >= 0 else 0

            beside = piece_stop == begin and begin > start
            piece_stop = end
            if first >= 0:
                content_words += 1
                content_characters += inner
                alphabetic += has_letter
                # A stop word has at most four bytes, a function character is a whole word of three.
                is_ascii = read_uint8(text.base + first) < 0x80
                length = last + 1 - first if is_ascii else size
                folded = _LOWER_CASE if is_ascii else np.uint64(0)
                kept = _FOUR_BYTES >> np.uint64(32 - 8 * min(length, 4))
                key = (load_eight(text.base + first, text.readable) | folded) & kept
                entry = read_uint64(listed_words + 8 * listed_slot(key))
                bit = np.int64(entry & np.uint64(0xFF))
                is_listed = length <= 4 and entry >> np.uint64(8) == key
                listed |= np.uint64(is_listed) << np.uint64(bit)
                stop_words += is_listed and bit < ENGLISH_BITS
                function_characters += is_listed and bit >= ENGLISH_BITS
                if words == 0:
                    first_start = first
                last_start, last_stop = first, last + 1
            elif beside or (end < stop and not is_set(plane(text, SPACES), end)):
                continue  # punctuation that touches an unsegmented character is no word of its own
            words += 1
            longest = max(longest, characters)
            if recorded < record.capacity:
                hashed = hash_memory(text.base + begin, text.base + end, text.readable)
                write_uint64(record.hashes + 8 * recorded, hashed)
                is_alone = np.int64((alone >> np.uint64(offset)) & ONE)
                write_int32(record.sizes + 4 * recorded, np.int32(min(characters, _MOST_CHARACTERS) * 2 + is_alone))
            recorded += 1
    return Words(words, longest, piece_stop, content_words, content_characters, alphabetic, stop_words,
                 function_characters, listed, first_start, last_start, last_stop)  # fmt: skip
