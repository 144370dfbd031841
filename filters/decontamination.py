"""Text of evaluation sets in documents: found by runs of words, whatever case, punctuation and line breaks do.

A text of a set stands in a document where they share a run of n consecutive words (``text.words``); n is 13, after
GPT-3 (arXiv 2005.14165, appendix C). Of a text of fewer than n words the whole is looked for, as long as it has a
stated least number of words: GPT-3 took n down to 8 for sets of short texts, and NeMo Curator looks for whole texts of
8 to 12 words. What is shorter still is said everywhere and is not looked for.

A run is found by a 64-bit hash and then compared by the 64-bit hashes of its words, one by one: a false hit takes two
different words of equal hash at the same place of two runs that are otherwise equal, which no corpus will show (among
10¹³ words one chance in 10⁶ for a given one).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from filters import decontamination_kernels as kernels
from filters.spans import Spans
from text.arrow_buffers import text_buffers
from text.words import word_table

NGRAM = 13  # words
SHORTEST = 8  # words
_BITS_A_RUN = 32  # of the bit map: one run in about 30 that stands in no set passes it


class EvaluationSet(NamedTuple):
    """The texts of a set.

    Attributes:
        name: for results.
        texts: ``large_string`` [t]; several may be of one item.
        items: int64 [t], the number of the item that each text is of.
        ngram: words in a run.
        shortest: least words of a text that is looked for as a whole; more than ``ngram`` are the same as ``ngram``.
    """

    name: str
    texts: pa.Array
    items: np.ndarray
    ngram: int = NGRAM
    shortest: int = SHORTEST


class Index(NamedTuple):
    """Runs of several sets, distinct over all of them, and the texts and sets that they stand in.

    Attributes:
        sets: their names.
        words: uint64 [w], hashes of the words of all texts.
        lengths: int64 [l], the lengths of runs that there are, ascending.
        run_words, run_lengths: int64 [r], where the run stands in ``words``, and its words.
        hashes: uint64 [r]; slots: int64 and bits: uint64, the table of them.
        run_sets, run_sets_offsets: int64, the sets that each run stands in.
        run_texts, run_texts_offsets: int64, the texts that each run stands in.
        text_sets, text_items, text_words, text_runs: int64 [t], the set, the item, the words and the distinct runs of
            each text. A text without runs is too short.
    """

    sets: tuple[str, ...]
    words: np.ndarray
    lengths: np.ndarray
    run_words: np.ndarray
    run_lengths: np.ndarray
    hashes: np.ndarray
    slots: np.ndarray
    bits: np.ndarray
    run_sets: np.ndarray
    run_sets_offsets: np.ndarray
    run_texts: np.ndarray
    run_texts_offsets: np.ndarray
    text_sets: np.ndarray
    text_items: np.ndarray
    text_words: np.ndarray
    text_runs: np.ndarray


class Overlap(NamedTuple):
    """What documents share with the sets.

    Attributes:
        runs: uint32 [n, sets], places in the document at which a run of the set stands.
        shares: float32 [n, sets], the largest share of one text's runs that the document has.
        found: int64 [t], documents that have a run of the text.
        best: float32 [t], the largest share of the text's runs that one document has.
        best_document: int64 [t], the row of the first such document; -1 for none.
    """

    runs: np.ndarray
    shares: np.ndarray
    found: np.ndarray
    best: np.ndarray
    best_document: np.ndarray


def build_index(sets: Sequence[EvaluationSet]) -> Index:
    """Indexes the runs of evaluation sets.

    Raises:
        ValueError: a set whose runs would have no word.
    """
    for each in sets:
        if each.ngram < 1 or each.shortest < 1:
            raise ValueError(f"set {each.name}: ngram = {each.ngram}, shortest = {each.shortest}: a run needs a word")
    texts = pa.chunked_array([each.texts for each in sets], pa.large_string())
    data, offsets = text_buffers(texts)
    words, word_offsets = kernels.words_of(data, offsets, word_table())
    sizes = np.array([len(each.texts) for each in sets], np.int64)
    text_sets = np.repeat(np.arange(len(sets)), sizes)
    ngrams = np.repeat(np.array([each.ngram for each in sets], np.int64), sizes)
    least = np.repeat(np.array([each.shortest for each in sets], np.int64), sizes)
    text_words = np.diff(word_offsets)
    long_enough = text_words >= np.minimum(least, ngrams)
    lengths = np.minimum(text_words, ngrams)
    counts = np.where(long_enough, text_words - lengths + 1, 0)

    # Each place at which a run stands in a text, then the distinct runs among them.
    place_texts = np.repeat(np.arange(len(text_words)), counts)
    place_lengths = lengths[place_texts]
    within = np.arange(len(place_texts)) - np.repeat(np.cumsum(counts) - counts, counts)
    place_words = word_offsets[place_texts] + within
    polynomials, place_hashes = kernels.run_polynomials(words, place_words, place_lengths)
    hashes, first, runs = np.unique(place_hashes, return_index=True, return_inverse=True)
    runs = runs.reshape(-1)
    slots = np.full(_power_of_two(2 * len(hashes)), -1, np.int64)
    bits = np.zeros(_power_of_two(_BITS_A_RUN * len(hashes) // 64), np.uint64)
    kernels.build_table(polynomials[first], place_lengths[first], hashes, slots, bits)
    run_texts, run_texts_offsets = _grouped(runs, place_texts, len(hashes), len(text_words))
    run_sets, run_sets_offsets = _grouped(runs, text_sets[place_texts], len(hashes), len(sets))
    return Index(
        sets=tuple(each.name for each in sets),
        words=words,
        lengths=np.unique(place_lengths),
        run_words=place_words[first],
        run_lengths=place_lengths[first],
        hashes=hashes,
        slots=slots,
        bits=bits,
        run_sets=run_sets,
        run_sets_offsets=run_sets_offsets,
        run_texts=run_texts,
        run_texts_offsets=run_texts_offsets,
        text_sets=text_sets,
        text_items=np.concatenate([np.zeros(0, np.int64), *(each.items for each in sets)]),
        text_words=text_words,
        text_runs=np.bincount(run_texts, minlength=len(text_words)),
    )


def overlap(texts: pa.Array | pa.ChunkedArray, index: Index) -> Overlap:
    """Measures what documents [n] share with the sets of an index; linear in the text."""
    hits = _hits(texts, index, np.ones(len(texts), bool))
    return Overlap(
        *kernels.tally(
            hits,
            len(texts),
            index.run_sets,
            index.run_sets_offsets,
            index.run_texts,
            index.run_texts_offsets,
            index.text_sets,
            index.text_runs,
            len(index.sets),
        )
    )


def overlapping_spans(texts: pa.Array | pa.ChunkedArray, index: Index, wanted: np.ndarray) -> Spans:
    """Where documents share runs with sets: from a run's first word to its last, runs that overlap joined.

    Args:
        texts: [n].
        index: of the sets.
        wanted: bool [n, sets], which sets count in which document.

    Returns:
        Spans of kind 0.
    """
    hits = _hits(texts, index, np.any(wanted, axis=1, keepdims=True)[:, 0])
    hits = hits[np.lexsort((hits[:, 2], hits[:, 1], hits[:, 0]))]
    spans = kernels.merged_spans(hits, wanted, index.run_sets, index.run_sets_offsets)
    kinds = np.zeros(len(spans), np.int64)
    documents, starts, ends = np.ascontiguousarray(spans.T)
    return Spans(documents, starts, ends, kinds, kinds.astype(np.uint64))


def _hits(texts: pa.Array | pa.ChunkedArray, index: Index, looked_at: np.ndarray) -> np.ndarray:
    data, offsets = text_buffers(texts)
    return kernels.find_runs(
        data,
        offsets,
        word_table(),
        index.lengths,
        index.hashes,
        index.slots,
        index.bits,
        index.run_words,
        index.run_lengths,
        index.words,
        looked_at,
    )


def _grouped(left: np.ndarray, right: np.ndarray, lefts: int, rights: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``lefts`` numbers the distinct ``right`` beside it, ascending, and int64 [lefts + 1] offsets."""
    pairs = np.unique(left * max(rights, 1) + right)
    return pairs % max(rights, 1), np.searchsorted(pairs // max(rights, 1), np.arange(lefts + 1))


def _power_of_two(least: int) -> int:
    """The smallest power of two that is at least ``least`` and 16."""
    return 1 << max(4, (least - 1).bit_length())
