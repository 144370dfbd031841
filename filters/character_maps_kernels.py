# mypy: allow-untyped-defs
"""The characters of a document as bitmaps: what each is and where words begin, 64 bytes a step.

ASCII is classed by comparing whole blocks, everything else character by character through the table of code points.
What comes after (words, lines, sentences) walks set bits instead of characters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from filters.vocabulary import SOFT_END, WIDE_END
from text.bits import ALL, ONE, first_bits, lowest, ones, range_mask
from text.code_points import DIGIT, HAN, LETTER, MARK, PUNCTUATION, SPACE, SYMBOL, UNSEGMENTED, UPPER, WORD
from text.raw_memory import read_uint8, read_uint16, write_uint8, write_uint64

# Planes: bit p is set where the character that begins at byte p ...
LEADS = 0  # is one: bytes inside a character are clear
SPACES = 1  # is a space
NEWLINES = 2  # is a line feed
STARTS = 3  # begins a word
BREAKS = 4  # is a space or begins a word, so that a word ends before it
LETTERS = 5
CONTENT = 6  # is a letter, mark or number
UPPERS = 7  # is an upper-case letter
END_MARKS = 8  # may end a sentence
SUSPECTS = 9  # begins an anchor of a listed phrase
ALONE = 10  # belongs to a script written without spaces and so is a word of its own
BRACES = 11  # is an opening curly brace
BRACKETS = 12  # is an opening square bracket
PLANES = 13


class Text(NamedTuple):
    """A document whose characters are mapped; positions are bytes from its beginning.

    ``base``: address of its first byte. ``size``: bytes. ``readable``: address behind the last byte that may be read.
    ``maps``: address of the planes, each of which ends with a set bit at ``size``. ``stride``: bytes from one plane to
    the next.
    """

    base: int
    size: int
    readable: int
    maps: int
    stride: int


class Tallies(NamedTuple):
    """Characters of a whole document, by what they are."""

    characters: int
    line_feeds: int
    letters: int
    upper_case: int
    digits: int
    symbols: int  # and punctuation
    han: int
    unsegmented: int
    hashes: int
    ellipses: int
    curly_braces: int


@njit
def plane(text, which):
    """The address of a plane."""
    return text.maps + which * text.stride


def stride_of(size: int) -> int:
    """Bytes of a plane for a text of up to ``size`` bytes: its bits, the one behind them, and room for a window."""
    return (size // 64 + 3) * 8


@njit
def decode(address):
    """The code point (int64) at an address of valid UTF-8 that is not ASCII, and its bytes."""
    lead = np.int64(read_uint8(address))
    second = np.int64(read_uint8(address + 1)) & 0x3F
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | second, 2
    third = np.int64(read_uint8(address + 2)) & 0x3F
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | second << 6 | third, 3
    return (lead & 0x07) << 18 | second << 12 | third << 6 | np.int64(read_uint8(address + 3)) & 0x3F, 4


@njit
def character(address, flags):
    """The code point at an address, its bytes and its flags."""
    lead = np.int64(read_uint8(address))
    point, size = lead, 1
    if lead >= 0x80:
        point, size = decode(address)
    return point, size, read_uint16(flags + 2 * point)


@njit
def mark_of(point, marks):
    """The mark constants of a code point."""
    return read_uint8(marks + point) if point < 0x10000 else np.uint8(0)


@njit
def _anchors(at):
    """Where one of ANCHORS begins, in any case: "oki", "vas", "vac", "ips" and "f u"."""
    second_a = range_mask(at + 1, 0x61, 0x61) | range_mask(at + 1, 0x41, 0x41)
    v = range_mask(at, 0x76, 0x76) | range_mask(at, 0x56, 0x56)
    i = range_mask(at, 0x69, 0x69) | range_mask(at, 0x49, 0x49)
    o = range_mask(at, 0x6F, 0x6F) | range_mask(at, 0x4F, 0x4F)
    f = range_mask(at, 0x66, 0x66) | range_mask(at, 0x46, 0x46)
    third_s = range_mask(at + 2, 0x73, 0x73) | range_mask(at + 2, 0x53, 0x53)
    third_c = range_mask(at + 2, 0x63, 0x63) | range_mask(at + 2, 0x43, 0x43)
    second_p = range_mask(at + 1, 0x70, 0x70) | range_mask(at + 1, 0x50, 0x50)
    second_k = range_mask(at + 1, 0x6B, 0x6B) | range_mask(at + 1, 0x4B, 0x4B)
    third_i = range_mask(at + 2, 0x69, 0x69) | range_mask(at + 2, 0x49, 0x49)
    third_u = range_mask(at + 2, 0x75, 0x75) | range_mask(at + 2, 0x55, 0x55)
    java_or_privacy = v & second_a & (third_s | third_c)
    return java_or_privacy | (i & second_p & third_s) | (o & second_k & third_i) | (
        f & range_mask(at + 1, 0x20, 0x20) & third_u
    )  # fmt: skip


@njit
def map_characters(text, flags, marks, tail):
    """Fills the planes of a text.

    Args:
        text: a Text; its planes are overwritten.
        flags: address of ``code_points().flags``.
        marks: address of ``Vocabulary.marks``.
        tail: address of 128 bytes of scratch.

    Returns:
        Tallies.
    """
    letter_count = upper_count = digit_count = symbol_count = han = unsegmented = 0
    characters = line_feeds = hashes = ellipses = curly_braces = 0
    spaces_before = ONE  # whether the byte before the block is of a space; the text's beginning counts as one
    space_stop = 0  # behind the last space that is not ASCII
    alone_stop = -1  # behind the last unsegmented character and its marks
    dots_before = np.uint64(0)
    ellipsis_stop = 0
    for begin in range(0, text.size + 1, 64):
        at = text.base + begin
        left = text.size - begin
        valid = ALL if left >= 64 else first_bits(left)
        if at + 66 > text.readable:
            for i in range(66):
                write_uint8(tail + i, read_uint8(at + i) if at + i < text.readable else np.uint8(0))
            at = tail
        leads = ~range_mask(at, 0x80, 0xBF) & valid
        newlines = range_mask(at, 0x0A, 0x0A) & valid
        spaces = (range_mask(at, 0x09, 0x0D) | range_mask(at, 0x1C, 0x20)) & valid
        uppers = range_mask(at, 0x41, 0x5A) & valid
        letters = (range_mask(at, 0x61, 0x7A) & valid) | uppers
        digits = range_mask(at, 0x30, 0x39) & valid
        content = letters | digits
        symbols = range_mask(at, 0x21, 0x7E) & valid & ~content
        dots = range_mask(at, 0x2E, 0x2E) & valid
        end_marks = dots | (range_mask(at, 0x21, 0x21) | range_mask(at, 0x3F, 0x3F)) & valid
        hash_signs = range_mask(at, 0x23, 0x23) & valid
        curly = range_mask(at, 0x7B, 0x7B) & valid
        bracket = range_mask(at, 0x5B, 0x5B) & valid
        suspects = _anchors(at)
        others = range_mask(at, 0xC0, 0xFF) & valid

        space_bytes = spaces
        alone = np.uint64(0)
        breaks = np.uint64(0)  # behind unsegmented characters
        if space_stop > begin:
            space_bytes |= first_bits(space_stop - begin)
        if alone_stop >= begin:
            breaks = ONE << np.uint64(alone_stop - begin)
        while others:
            offset = lowest(others)
            bit = others & (~others + ONE)
            others ^= bit
            point, size = decode(text.base + begin + offset)
            flag = read_uint16(flags + 2 * point)
            stop = begin + offset + size
            if flag & WORD:
                content |= bit
                if flag & LETTER:
                    letters |= bit
                    if flag & UPPER:
                        uppers |= bit
                    han += (flag & HAN) != 0
                    unsegmented += (flag & UNSEGMENTED) != 0
                digit_count += (flag & DIGIT) != 0
                if flag & MARK:
                    if alone_stop == begin + offset:  # it belongs to the unsegmented character before it
                        breaks &= ~bit
                        alone_stop = stop
                        if stop < begin + 64:
                            breaks |= ONE << np.uint64(stop - begin)
                elif flag & UNSEGMENTED:
                    alone |= bit
                    alone_stop = stop
                    if stop < begin + 64:
                        breaks |= ONE << np.uint64(stop - begin)
            elif flag & (PUNCTUATION | SYMBOL):
                symbol_count += 1
                if mark_of(point, marks) & (SOFT_END | WIDE_END):
                    end_marks |= bit
                ellipses += point == 0x2026
            elif flag & SPACE:
                spaces |= bit
                space_bytes |= first_bits(size) << np.uint64(offset)
                space_stop = stop

        starts = leads & ~spaces & (space_bytes << ONE | spaces_before | breaks | alone)
        spaces_before = space_bytes >> np.uint64(63)

        # Every third dot of a run ends an ellipsis.
        thirds = dots & (dots << ONE | dots_before >> np.uint64(63)) & (
            dots << np.uint64(2) | dots_before >> np.uint64(62)
        )  # fmt: skip
        dots_before = dots
        while thirds:
            position = begin + lowest(thirds)
            thirds &= thirds - ONE
            if position - ellipsis_stop >= 2:
                ellipses += 1
                ellipsis_stop = position + 1

        characters += ones(leads)
        line_feeds += ones(newlines)
        letter_count += ones(letters)
        upper_count += ones(uppers)
        digit_count += ones(digits)
        symbol_count += ones(symbols)
        hashes += ones(hash_signs)
        curly_braces += ones(curly)

        end = np.uint64(0) if left >= 64 else ONE << np.uint64(left)
        out = text.maps + (begin >> 3)
        stride = text.stride
        write_uint64(out + LEADS * stride, leads | end)
        write_uint64(out + SPACES * stride, spaces | end)
        write_uint64(out + NEWLINES * stride, newlines | end)
        write_uint64(out + STARTS * stride, starts | end)
        write_uint64(out + BREAKS * stride, spaces | starts | end)
        write_uint64(out + LETTERS * stride, letters | end)
        write_uint64(out + CONTENT * stride, content | end)
        write_uint64(out + UPPERS * stride, uppers | end)
        write_uint64(out + END_MARKS * stride, end_marks | end)
        write_uint64(out + SUSPECTS * stride, suspects | end)
        write_uint64(out + ALONE * stride, alone | end)
        write_uint64(out + BRACES * stride, curly | end)
        write_uint64(out + BRACKETS * stride, bracket | end)
    return Tallies(characters, line_feeds, letter_count, upper_count, digit_count, symbol_count, han, unsegmented,
                   hashes, ellipses, curly_braces)  # fmt: skip
