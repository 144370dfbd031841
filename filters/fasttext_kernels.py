# mypy: allow-untyped-defs
"""fastText's prediction over flat tables: words, character n-grams, word n-grams, mean, and the output layer."""

from __future__ import annotations

import numpy as np
from numba import njit

_BASIS = np.uint32(2166136261)
_PRIME = np.uint32(16777619)
_CACHED = 1 << 14  # words whose sums are remembered, by hash
_LONGEST_CACHED = 32  # bytes


@njit(inline="always")
def _step(value, byte):
    """One byte of fastText's FNV-1a, which extends the sign of a byte."""
    wide = np.uint32(byte)
    if byte >= 0x80:
        wide |= np.uint32(0xFFFFFF00)
    return np.uint32((np.uint32(value) ^ wide) * _PRIME)


@njit(nogil=True, cache=True)
def token_hash(data, start, stop):
    """FastText's hash of a token, uint32."""
    value = _BASIS
    for i in range(start, stop):
        value = _step(value, data[i])
    return value


@njit(nogil=True, cache=True)
def build_word_table(entry_bytes, entry_offsets):
    """Indexes the dictionary's strings: int32 [a power of two], -1 where empty."""
    entries = len(entry_offsets) - 1
    size = 16
    while size < 2 * entries:
        size *= 2
    slots = np.full(size, -1, np.int32)
    for entry in range(entries):
        slot = np.int64(token_hash(entry_bytes, entry_offsets[entry], entry_offsets[entry + 1])) & (size - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = entry
    return slots


@njit(nogil=True, cache=True)
def find_entry(data, start, stop, value, slots, entry_bytes, entry_offsets):
    """The entry that equals ``data[start:stop]``, whose hash is ``value``, or -1."""
    slot = np.int64(value) & (len(slots) - 1)
    while slots[slot] >= 0:
        entry = slots[slot]
        first = entry_offsets[entry]
        if entry_offsets[entry + 1] - first == stop - start:
            i = 0
            while i < stop - start and entry_bytes[first + i] == data[start + i]:
                i += 1
            if i == stop - start:
                return np.int64(entry)
        slot = (slot + 1) & (len(slots) - 1)
    return np.int64(-1)


@njit(inline="always")
def _is_space(byte):
    return byte == 0x20 or (0x09 <= byte <= 0x0D) or byte == 0


@njit(inline="always")
def _add_ngram(value, shape, ngram_rows, rows, total):
    """Adds the row of a hashed n-gram; 1 if the model has it."""
    bucket = shape[3]
    if bucket == 0:
        return 0
    place = np.int64(value % np.uint64(bucket))
    row = ngram_rows[place] if len(ngram_rows) else shape[5] + place
    if row < 0:
        return 0
    for k in range(len(total)):
        total[k] += rows[row, k]
    return 1


@njit(inline="always")
def _byte_at(data, start, length, position):
    """The byte of ``<token>`` at a position, where ``length`` counts the angle brackets."""
    if position == 0:
        return np.uint8(0x3C)
    if position == length - 1:
        return np.uint8(0x3E)
    return data[start + position - 1]


@njit(nogil=True, cache=True)
def _add_word(data, start, stop, entry, shape, ngram_rows, rows, total):
    """Adds the rows of one word and of its character n-grams to ``total``; returns how many."""
    added = 0
    if entry >= 0:
        for k in range(len(total)):
            total[k] += rows[entry, k]
        added = 1
    minn, maxn = shape[1], shape[2]
    if maxn <= 0:
        return added
    length = stop - start + 2
    for i in range(length):
        if (_byte_at(data, start, length, i) & 0xC0) == 0x80:
            continue
        value = _BASIS
        j = i
        characters = 1
        while j < length and characters <= maxn:
            value = _step(value, _byte_at(data, start, length, j))
            j += 1
            while j < length and (_byte_at(data, start, length, j) & 0xC0) == 0x80:
                value = _step(value, _byte_at(data, start, length, j))
                j += 1
            if characters >= minn and not (characters == 1 and (i == 0 or j == length)):
                added += _add_ngram(np.uint64(value), shape, ngram_rows, rows, total)
            characters += 1
    return added


@njit(nogil=True, cache=True)
def _output(hidden, shape, output, left, right, node_scores, out):
    """Fills the probability of each label."""
    labels = len(out)
    loss = shape[6]
    if loss == 1:
        root = 2 * labels - 2
        node_scores[root] = 1.0
        for node in range(root, labels - 1, -1):  # a parent comes behind its children
            dot = np.float32(0)
            for k in range(len(hidden)):
                dot += hidden[k] * output[node - labels, k]
            goes_right = 1.0 / (1.0 + np.exp(-np.float64(dot)))
            node_scores[left[node]] = node_scores[node] * (1.0 - goes_right)
            node_scores[right[node]] = node_scores[node] * goes_right
        for label in range(labels):
            out[label] = node_scores[label]
        return
    largest = -np.inf
    for label in range(labels):
        dot = np.float32(0)
        for k in range(len(hidden)):
            dot += hidden[k] * output[label, k]
        node_scores[label] = dot
        largest = max(largest, node_scores[label])
    if loss == 2 or loss == 4:  # each label by itself: their sum need not be 1
        for label in range(labels):
            out[label] = 1.0 / (1.0 + np.exp(-node_scores[label]))
        return
    total = 0.0
    for label in range(labels):
        node_scores[label] = np.exp(node_scores[label] - largest)
        total += node_scores[label]
    for label in range(labels):
        out[label] = node_scores[label] / total


@njit(nogil=True, cache=True)
def predict_rows(data, offsets, tables, labels):
    """Classifies documents, see ``FastTextModel.probabilities``; ``tables`` is ``fasttext_model.Tables``."""
    shape, slots, entry_bytes, entry_offsets, ngram_rows, rows, output, left, right = tables
    documents = len(offsets) - 1
    dim, word_ngrams, words, end_of_line = shape[0], shape[4], shape[5], shape[7]
    out = np.zeros((documents, labels), np.float32)
    hidden = np.empty(dim, np.float32)
    node_scores = np.empty(2 * labels, np.float64)
    # A word's rows are summed apart and remembered: the sum is the same whether it was found or computed.
    cache_keys = np.zeros(_CACHED, np.uint64)
    cache_counts = np.zeros(_CACHED, np.int32)
    cache_sums = np.zeros((_CACHED, dim), np.float32)
    word_sum = np.empty(dim, np.float32)
    history = np.zeros(max(word_ngrams, 1), np.int32)  # hashes of the last words
    end_hash = np.int32(token_hash(np.frombuffer(b"</s>", np.uint8), 0, 4))
    for d in range(documents):
        hidden[:] = 0
        added = 0
        seen = 0
        position, stop = offsets[d], offsets[d + 1]
        while True:
            while position < stop and _is_space(data[position]):
                position += 1
            start = position
            key = np.uint64(0xCBF29CE484222325)
            value = _BASIS
            while position < stop and not _is_space(data[position]):
                value = _step(value, data[position])
                key = (key ^ np.uint64(data[position])) * np.uint64(0x100000001B3)
                position += 1
            at_end = start == position
            if at_end:  # the line's end is a word of its own
                value_of_word = end_hash
                if end_of_line >= 0:
                    for k in range(dim):
                        hidden[k] += rows[end_of_line, k]
                    added += 1
            else:
                value_of_word = np.int32(value)
                key |= np.uint64(1)
                slot = np.int64(key >> np.uint64(40)) & (_CACHED - 1)
                if cache_keys[slot] == key:
                    count = np.int64(cache_counts[slot])
                    if count >= 0:
                        for k in range(dim):
                            hidden[k] += cache_sums[slot, k]
                else:
                    entry = find_entry(data, start, position, value, slots, entry_bytes, entry_offsets)
                    count = np.int64(-1)  # a label, which is no word
                    if entry < words and not (entry < 0 and _is_label(data, start, position)):
                        word_sum[:] = 0
                        count = np.int64(_add_word(data, start, position, entry, shape, ngram_rows, rows, word_sum))
                        for k in range(dim):
                            hidden[k] += word_sum[k]
                    if position - start <= _LONGEST_CACHED:
                        cache_keys[slot] = key
                        cache_counts[slot] = count
                        if count >= 0:
                            cache_sums[slot, :] = word_sum
                if count < 0:
                    continue
                added += count
            if word_ngrams > 1:
                # fastText hashes each run of words from its first one; with the newest word, every run that ends here.
                for back in range(1, min(word_ngrams, seen + 1)):
                    combined = np.uint64(np.int64(history[(seen - back) % word_ngrams]))
                    for later in range(back - 1, 0, -1):
                        combined = combined * np.uint64(116049371) + np.uint64(
                            np.int64(history[(seen - later) % word_ngrams])
                        )
                    combined = combined * np.uint64(116049371) + np.uint64(np.int64(value_of_word))
                    added += _add_ngram(combined, shape, ngram_rows, rows, hidden)
                history[seen % word_ngrams] = value_of_word
            seen += 1
            if at_end:
                break
        if added > 0 and seen > 1:  # more than the line's end
            for k in range(dim):
                hidden[k] /= np.float32(added)
            _output(hidden, shape, output, left, right, node_scores, out[d])
    return out


@njit(nogil=True, cache=True)
def _is_label(data, start, stop):
    prefix = b"__label__"
    if stop - start < len(prefix):
        return False
    for i in range(len(prefix)):  # noqa: SIM110 (numba knows no all() over generators)
        if data[start + i] != prefix[i]:
            return False
    return True
