# mypy: allow-untyped-defs
"""Finding runs of words that also stand in evaluation sets, in one walk over each document.

Words are cut into blocks of bounded size whatever a document's length. The polynomials of all beginnings of a block, of
its word hashes modulo 2^64, give that of any run for one multiplication. For each length of run that the sets ask for,
a bit map tells nearly all runs that stand in no set; what it lets pass is looked up by its 64-bit hash, and then
compared word by word.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from text.hashing import mix64, power
from text.word_kernels import next_word, word_start

BLOCK = 4096  # words; a block and its hashes stay in the first-level cache
HIT_COLUMNS = 4  # document, first byte, byte behind the last, run
FACTOR = np.uint64(0x9FB21C651E98DF25)
_ONE = np.uint64(1)
_SIX = np.uint64(6)
_SIXTY_THREE = np.uint64(63)


@njit(nogil=True, cache=True)
def words_of(data, offsets, table):
    """Hashes of the words of each text: uint64 [w], and int64 [n + 1], where each text's begin."""
    points = table.ctypes.data
    first, documents = data.ctypes.data, len(offsets) - 1
    out = np.empty(1024, np.uint64)
    out_offsets = np.zeros(documents + 1, np.int64)
    used = 0
    for document in range(documents):
        position, stop = first + offsets[document], first + offsets[document + 1]
        while True:
            word, position, found = next_word(position, stop, points)
            if not found:
                break
            if used == len(out):
                out = np.concatenate((out, np.empty(len(out), np.uint64)))
            out[used] = word
            used += 1
        out_offsets[document + 1] = used
    return out[:used].copy(), out_offsets


@njit
def _run_hash(polynomial, length):
    return mix64(polynomial ^ mix64(np.uint64(length) * FACTOR))


@njit
def _bit_of(polynomial, length, shift):
    """A run's place in the bit map; the multiplier is odd, and another for each length."""
    return (polynomial * (FACTOR + np.uint64(2 * length))) >> shift


@njit
def _bit_shift(bits):
    """The shift that leaves of 64 bits the number of one in the bit map, whose size is a power of two."""
    return np.uint64(58 - np.int64(trailing_zeros(np.uint64(len(bits)))))


@njit(nogil=True, cache=True)
def run_polynomials(words, starts, lengths):
    """Of the runs of ``lengths[i]`` words from ``words[starts[i]]`` on, uint64 [r] each: polynomials and hashes."""
    polynomials = np.empty(len(starts), np.uint64)
    hashes = np.empty(len(starts), np.uint64)
    for i in range(len(starts)):
        value = np.uint64(0)
        for j in range(starts[i], starts[i] + lengths[i]):
            value = value * FACTOR + words[j]
        polynomials[i] = value
        hashes[i] = _run_hash(value, lengths[i])
    return polynomials, hashes


@njit(nogil=True, cache=True)
def build_table(polynomials, lengths, hashes, slots, bits):
    """Enters runs of distinct hashes into an open-addressing table and a bit map.

    Args:
        polynomials, lengths, hashes: uint64, int64 and uint64 [r].
        slots: int64 [a power of two, at least 2 r], -1 throughout; takes the row of a run.
        bits: uint64 [a power of two], 0 throughout.
    """
    mask = np.uint64(len(slots) - 1)
    shift = _bit_shift(bits)
    for row in range(len(hashes)):
        slot = hashes[row] & mask
        while slots[slot] >= 0:
            slot = (slot + _ONE) & mask
        slots[slot] = row
        bit = _bit_of(polynomials[row], lengths[row], shift)
        bits[bit >> _SIX] |= _ONE << (bit & _SIXTY_THREE)


@njit
def _row_of(value, hashes, slots):
    """The row of a hash, -1 if it is not there."""
    mask = np.uint64(len(slots) - 1)
    slot = value & mask
    while True:
        row = slots[slot]
        if row < 0 or hashes[row] == value:
            return row
        slot = (slot + _ONE) & mask


@njit(nogil=True, cache=True)
def find_runs(data, offsets, table, lengths, hashes, slots, bits, run_words, run_lengths, words, filtered):
    """Where runs of the sets stand in documents.

    Args:
        data, offsets: uint8 and int64 [n + 1], the documents.
        table: ``text.words.word_table()``.
        lengths: int64 [l], the lengths of runs that there are.
        hashes, slots, bits: the runs' table, see ``build_table``.
        run_words, run_lengths: int64 [r], where each run stands in ``words``, and its words.
        words: uint64 [w], the hashes of the words of the sets.
        filtered: bool [n], documents to look at.

    Returns:
        int64 [h, HIT_COLUMNS]: row of the document, first byte and byte behind the last within it, and the run;
        ordered by document, block of words, length and place.
    """
    points = table.ctypes.data
    first = data.ctypes.data
    longest = lengths.max() if len(lengths) else 0
    shift = _bit_shift(bits)
    block = np.empty(BLOCK + longest, np.uint64)
    ends = np.empty(BLOCK + longest, np.int64)  # the address behind each word; that of the word before stands at [0]
    sums = np.zeros(BLOCK + longest + 1, np.uint64)  # polynomial of the words before each place
    hits = np.empty((64, HIT_COLUMNS), np.int64)
    found_hits = 0
    for document in range(len(offsets) - 1):
        if not filtered[document] or longest == 0:
            continue
        begin = first + offsets[document]
        position, stop = begin, first + offsets[document + 1]
        held = 0  # words in the block; the first longest - 1 of them stood in the one before
        before = begin  # the address behind the word before the block
        there = True
        while there:
            carried = held
            while held < len(block):
                word, position, there = next_word(position, stop, points)
                if not there:
                    break
                block[held] = word
                ends[held] = position
                held += 1
            for i in range(held):
                sums[i + 1] = sums[i] * FACTOR + block[i]
            for length in lengths:
                leaving = power(FACTOR, length)
                # What ends among the carried words was seen with the block before.
                for origin in range(max(0, carried - length + 1), held - length + 1):
                    polynomial = sums[origin + length] - sums[origin] * leaving
                    bit = _bit_of(polynomial, length, shift)
                    if (bits[bit >> _SIX] >> (bit & _SIXTY_THREE)) & _ONE:
                        run = _row_of(_run_hash(polynomial, length), hashes, slots)
                        same = run >= 0 and run_lengths[run] == length
                        for i in range(length if same else 0):
                            same &= block[origin + i] == words[run_words[run] + i]
                        if same:
                            if found_hits == len(hits):
                                hits = np.concatenate((hits, np.empty_like(hits)))
                            behind = ends[origin - 1] if origin else before
                            hits[found_hits, 0] = document
                            hits[found_hits, 1] = word_start(behind, stop, points) - begin
                            hits[found_hits, 2] = ends[origin + length - 1] - begin
                            hits[found_hits, 3] = run
                            found_hits += 1
            kept = min(longest - 1, held)
            if held > kept:
                before = ends[held - kept - 1]
            for i in range(kept):
                block[i] = block[held - kept + i]
                ends[i] = ends[held - kept + i]
            held = kept
    return hits[:found_hits].copy()


@njit(nogil=True, cache=True)
def tally(hits, documents, run_sets, run_sets_offsets, run_texts, run_texts_offsets, text_sets, text_runs, sets):
    """What the hits say of documents and of the texts of the sets.

    Args:
        hits: int64 [h, HIT_COLUMNS], see ``find_runs``.
        documents: how many there are.
        run_sets, run_sets_offsets: int64, the sets that each run stands in.
        run_texts, run_texts_offsets: int64, the texts that each run stands in.
        text_sets, text_runs: int64 [t], the set of each text and how many distinct runs it has.
        sets: how many there are.

    Returns:
        ``runs`` uint32 and ``shares`` float32 [documents, sets]: places in a document at which a run of the set stands,
        and the largest share of one text's runs that the document has; ``found`` int64 [t], documents that have a run
        of the text; ``best`` float32 and ``best_document`` int64 [t], the largest share of the text that is in one
        document, and the first such document, -1 where there is none.
    """
    texts = len(text_sets)
    runs = np.zeros((documents, sets), np.uint32)
    shares = np.zeros((documents, sets), np.float32)
    found = np.zeros(texts, np.int64)
    best = np.zeros(texts, np.float32)
    best_document = np.full(texts, -1, np.int64)
    seen = np.full(len(run_sets_offsets) - 1, -1, np.int64)  # the document that a run was last met in
    here = np.zeros(texts, np.int64)  # distinct runs of each text in this document
    touched = np.empty(texts, np.int64)
    hit = 0
    while hit < len(hits):
        document = hits[hit, 0]
        met = 0
        while hit < len(hits) and hits[hit, 0] == document:
            run = hits[hit, 3]
            for i in range(run_sets_offsets[run], run_sets_offsets[run + 1]):
                runs[document, run_sets[i]] += 1
            if seen[run] != document:
                seen[run] = document
                for i in range(run_texts_offsets[run], run_texts_offsets[run + 1]):
                    text = run_texts[i]
                    if here[text] == 0:
                        touched[met] = text
                        met += 1
                    here[text] += 1
            hit += 1
        for i in range(met):
            text = touched[i]
            share = np.float32(here[text] / text_runs[text])
            here[text] = 0
            found[text] += 1
            shares[document, text_sets[text]] = max(shares[document, text_sets[text]], share)
            if share > best[text]:
                best[text] = share
                best_document[text] = document
    return runs, shares, found, best, best_document


@njit(nogil=True, cache=True)
def merged_spans(hits, wanted, run_sets, run_sets_offsets):
    """Joins hits that overlap or touch to spans.

    Args:
        hits: int64 [h, HIT_COLUMNS], ordered by document and first byte.
        wanted: bool [documents, sets], which sets' runs count in which document.
        run_sets, run_sets_offsets: int64, the sets that each run stands in.

    Returns:
        int64 [s, 3]: document, first byte, byte behind the last.
    """
    out = np.empty((len(hits), 3), np.int64)
    used = 0
    for hit in range(len(hits)):
        document, start, end, run = hits[hit, 0], hits[hit, 1], hits[hit, 2], hits[hit, 3]
        counts = False
        for i in range(run_sets_offsets[run], run_sets_offsets[run + 1]):
            counts |= wanted[document, run_sets[i]]
        if not counts:
            continue
        if used and out[used - 1, 0] == document and start <= out[used - 1, 2]:
            out[used - 1, 2] = max(out[used - 1, 2], end)
        else:
            out[used, 0], out[used, 1], out[used, 2] = document, start, end
            used += 1
    return out[:used].copy()
