"""The generator of documents with known clusters: what it says of its documents is so."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.generated.agreement import adjusted_rand_index
from benchmarks.generated.corpus import GeneratedCorpus
from benchmarks.generated.vocabulary import vocabulary
from dedup.minhash import MinHashSettings, signatures
from dedup.shingles import distinct_shingles, exact_jaccard

CORPUS = GeneratedCorpus(3000)


@pytest.fixture(scope="module")
def made():
    batches = list(CORPUS.batches())
    text = pa.concat_arrays([batch.text for batch in batches])
    text.validate(full=True)
    return text, np.concatenate([batch.jaccard for batch in batches])


@pytest.fixture(scope="module")
def shingles(made):
    return distinct_shingles(made[0], CORPUS.ngram)


def jaccard(shingles, a, b):
    values, offsets = shingles
    return exact_jaccard(values[offsets[a] : offsets[a + 1]], values[offsets[b] : offsets[b + 1]])


def test_the_similarity_of_a_copy_is_what_it_says(made, shingles):
    stated, exact = made[1], np.array([jaccard(shingles, row, at) for row, at in enumerate(CORPUS.origin_rows())])
    assert np.abs(exact - stated).max() < 0.02  # a shingle that a short page has twice
    assert np.abs(exact - stated).mean() < 1e-4
    labels = CORPUS.labels()
    decoy = labels != labels[CORPUS.origin_rows()]
    assert (stated[~decoy] >= CORPUS.least - 1e-9).all()
    assert decoy.sum() > 20 and exact[decoy].max() < CORPUS.decoy_most + 0.02
    assert (np.bincount(labels)[labels[decoy]] == 1).all()


def test_documents_of_other_clusters_are_unlike(made, shingles):
    labels = CORPUS.labels()
    rng = np.random.default_rng(2)
    pairs = [pair for pair in rng.integers(0, CORPUS.documents, (2000, 2)) if labels[pair[0]] != labels[pair[1]]]
    assert np.mean([jaccard(shingles, *pair) for pair in pairs]) < 0.01
    assert sum(jaccard(shingles, *pair) > 0.6 for pair in pairs) == 0


def test_lengths_scripts_copies_and_sizes_are_those_of_a_crawl(made):
    text = made[0].to_pylist()
    words = np.array([len(document.split()) for document in text])
    chinese = np.array([document[0] > "一" for document in text])
    assert 0.1 < chinese.mean() < 0.2
    assert 150 < np.median(words[~chinese]) < 350 and words.max() > 2000
    sizes = np.bincount(CORPUS.labels())
    sizes = np.sort(sizes[sizes > 0])[::-1]
    assert 0.45 < 1 - CORPUS.true_clusters / CORPUS.documents < 0.5
    assert sizes[0] > 100 and (sizes == 1).sum() > 800 and 100 < (sizes == 2).sum() < (sizes == 1).sum()
    exact = len(text) - len(set(text))
    assert exact == pytest.approx(0.4 * 0.5 * 0.96 * len(text), rel=0.15)


def test_the_same_rows_whatever_is_made_with_them(made):
    some = pa.concat_arrays([batch.text for batch in CORPUS.batches(700, 1900)])
    assert some.equals(made[0][700:1900])
    assert not next(GeneratedCorpus(3000, seed=2).batches()).text.equals(next(CORPUS.batches()).text)


def test_keys_are_in_order_and_files_hold_all_rows():
    files, keys = CORPUS.input_files(), CORPUS.keys()
    assert files[0].start == 0 and files[-1].stop == len(keys) == CORPUS.documents
    assert all(before.stop == after.start for before, after in itertools.pairwise(files))
    assert (keys[1:] > keys[:-1]).all()
    assert {int(key) >> 52 for key in keys} == set(range(CORPUS.dumps))


def test_signatures_without_text_are_alike_as_their_documents_are():
    signed = CORPUS.signatures(0, CORPUS.documents, 112)
    at, stated = CORPUS.origin_rows(), CORPUS.stated_jaccard()
    error = (signed.minima == signed.minima[at]).mean(axis=1) - stated
    exact = stated == 1
    assert abs(error.mean()) < 0.005 and np.abs(error[exact]).max() == 0
    bound = np.sqrt(stated * (1 - stated) / 112)[~exact]
    assert 0.9 < np.sqrt(np.mean((error[~exact] / bound) ** 2)) < 1.1
    assert (signed.content[exact] == signed.content[at][exact]).all()


def test_words_are_distinct():
    words = vocabulary()
    cut = {bytes(slot[:length]) for slot, length in zip(words.slots, words.lengths)}
    assert len(cut) == len(words.slots)
    assert len(signatures(pa.array([b" ".join(cut).decode()]), MinHashSettings()).words) == 1


def brute_force(truth, found):
    """Over all pairs of documents, as Hubert and Arabie define it."""
    both = alike = other = 0
    pairs = list(itertools.combinations(range(len(truth)), 2))
    for a, b in pairs:
        same, joined = truth[a] == truth[b], found[a] == found[b]
        both, alike, other = both + (same and joined), alike + same, other + joined
    expected = alike * other / len(pairs)
    most = (alike + other) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


@given(st.lists(st.tuples(st.integers(-2, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_the_adjusted_rand_index_is_that_of_all_pairs(labels):
    truth, found = (np.array(side) for side in zip(*labels))
    assert adjusted_rand_index(truth, found) == pytest.approx(brute_force(truth, found))
    assert adjusted_rand_index(truth, truth * 7 + 3) == 1


def test_the_adjusted_rand_index_refuses_what_is_no_labelling():
    with pytest.raises(ValueError, match="3 true and 2 found labels"):
        adjusted_rand_index(np.zeros(3, int), np.zeros(2, int))
