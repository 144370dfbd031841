"""Signatures: exact values, the quality of the hash family, and settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_words import MASK, mix, word_hash, words_of

from dedup.banding import Banding, band_hashes
from dedup.minhash import MinHashSettings, _multipliers, signatures, url_hashes
from dedup.shingle_kernels import SHINGLE_FACTOR
from text.hashing import hash_texts

GOLDEN = 0x9E3779B97F4A7C15
FROZEN_HASHES = [5625518581801567137, 13624943635407156383, 9]
FROZEN_MINIMA = [294274991, 84277361, 14523798, 1087503591]
FROZEN_URL = 15061604205132379858
MIXED = st.text(
    st.one_of(
        st.sampled_from("aB0 _.\n"),
        st.sampled_from("éЖ漢語のไ。　\u0301🦀İ"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def word_hashes(text: str) -> list[int]:
    return [word_hash(word) for word in words_of(text)]


def plain_signature(text: str, chosen: MinHashSettings) -> tuple[int, int, list[int]]:
    """Normalised hash, words and minima of one document, straight from their definitions."""
    words = word_hashes(text)
    salt = mix(chosen.seed + int(SHINGLE_FACTOR) & MASK)
    folded = 0x6E6F726D616C6973
    for word in words:
        folded = ((folded << 29 | folded >> 35) & MASK ^ word) * GOLDEN & MASK
    shingles = []
    for i in range(max(1, len(words) - chosen.ngram + 1) if words else 0):
        value = 0
        for word in words[i : i + chosen.ngram]:
            value = (value * int(SHINGLE_FACTOR) + word) & MASK
        shingles.append(mix(value ^ salt))
    factors = _multipliers(chosen.permutations, chosen.seed).tolist()[: chosen.permutations]
    minima = [min([(f * (s >> 32) + s) % 2**32 for s in shingles], default=2**32 - 1) for f in factors]
    return mix(folded ^ len(words)), len(words), minima


def check_against_plain(texts: list[str], chosen: MinHashSettings) -> None:
    signed = signatures(pa.array(texts, pa.large_string()), chosen)
    assert signed.minima.shape == (len(texts), chosen.permutations)
    for i, text in enumerate(texts):
        normalised, words, minima = plain_signature(text, chosen)
        assert int(signed.normalised[i]) == normalised and int(signed.words[i]) == words
        assert signed.minima[i].tolist() == minima
        assert int(signed.text_bytes[i]) == len(text.encode())


@settings(max_examples=60)
@given(
    st.lists(MIXED, min_size=1, max_size=4),
    st.builds(MinHashSettings, st.integers(1, 6), st.integers(1, 70), st.integers(0, 2**63 - 1)),
)
def test_signatures_equal_plain_python(texts, chosen):
    check_against_plain(texts, chosen)


def test_real_pages_equal_plain_python(snapshots):
    check_against_plain([text[:20_000] for text in snapshots.texts[::150].to_pylist()], MinHashSettings())


def test_a_long_document_equals_plain_python(snapshots):
    """More shingles than are held back before the minima are updated, in numbers that end anywhere."""
    text = " ".join(snapshots.texts[:60].to_pylist())
    check_against_plain([text[:n] for n in (3_000, 30_001, 200_002)], MinHashSettings(5, 6))


def test_values_are_frozen():
    """Signatures are kept for years: a change here needs a new `FORMAT`."""
    signed = signatures(pa.array(["Größe is 漢字, one two three four five"]), MinHashSettings(3, 4, 7))
    assert [int(signed.content[0]), int(signed.normalised[0]), int(signed.words[0])] == FROZEN_HASHES
    assert signed.minima.tolist() == [FROZEN_MINIMA]
    assert url_hashes(pa.array(["https://example.org/ö"])).tolist() == [FROZEN_URL]


def test_content_and_normalised_hashes_tell_exact_from_folded_copies():
    texts = pa.array(["One two.", "one  TWO", "one two three", "One two."])
    signed = signatures(texts, MinHashSettings())
    assert signed.content[0] == signed.content[3] != signed.content[1]
    assert signed.normalised[0] == signed.normalised[1] != signed.normalised[2]
    assert (signed.minima[0] == signed.minima[1]).all() and not (signed.minima[0] == signed.minima[2]).all()


def test_documents_without_words_have_no_least_value():
    signed = signatures(pa.array(["", "...", "!!!", None, "漢"]), MinHashSettings())
    assert signed.words.tolist() == [0, 0, 0, 0, 1]
    assert (signed.minima[:4] == 2**32 - 1).all() and (signed.minima[4] < 2**32 - 1).all()
    assert signed.text_bytes.tolist() == [0, 3, 3, 0, 3]


def test_no_documents():
    signed = signatures(pa.array([], pa.string()), MinHashSettings())
    assert signed.minima.shape == (0, 112) and len(signed.words) == len(signed.text_bytes) == 0


@pytest.mark.parametrize("seed", [0, 1, 77, 2**63 - 1])
def test_a_longer_signature_begins_with_the_shorter_one(snapshots, seed):
    texts = snapshots.texts[:40]
    longest = signatures(texts, MinHashSettings(permutations=300, seed=seed)).minima
    for permutations in (1, 31, 112, 128, 160):
        shorter = signatures(texts, MinHashSettings(permutations=permutations, seed=seed)).minima
        assert np.array_equal(shorter, longest[:, :permutations])


@pytest.mark.parametrize("seed", [0, 1, 77, 2**63 - 1])
def test_multipliers_differ_in_their_lowest_bits_and_look_random_in_the_others(seed):
    multipliers = _multipliers(1024, seed)
    for bits in range(1, 11):
        assert len(np.unique(multipliers[: 1 << bits] & np.uint32((1 << bits) - 1))) == 1 << bits
    ones = [(multipliers >> np.uint32(bit) & np.uint32(1)).mean() for bit in range(32)]
    assert np.abs(np.array(ones) - 0.5).max() < 4 * 0.5 / np.sqrt(1024)


def test_addresses_are_hashed_byte_for_byte_and_none_is_none():
    urls = pa.array(["https://a.example/", "https://a.example", None, "", "https://a.example/"])
    hashes = url_hashes(urls)
    assert hashes[0] == hashes[4] != hashes[1]
    assert hashes.tolist()[2:4] == [0, 0] and (hashes[[0, 1, 4]] > 0).all()
    assert np.array_equal(url_hashes(urls[1:]), hashes[1:])


def test_slices_chunks_and_threads_give_the_same(snapshots):
    texts, chosen = snapshots.texts, snapshots.settings
    half = len(texts) // 2
    for column in (pa.chunked_array([texts[:half], texts[half:]]), texts.cast(pa.large_string())):
        for found, wanted in zip(signatures(column, chosen), snapshots.signed, strict=True):
            assert np.array_equal(found, wanted)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda start: signatures(texts[start : start + 100], chosen), range(0, len(texts), 100)))
    for field, wanted in enumerate(snapshots.signed):
        assert np.array_equal(np.concatenate([part[field] for part in parts]), wanted)


def overlapping_sets(rng: np.random.Generator, trials: int, jaccard: float, union: int = 200) -> pa.Array:
    """Documents 2i and 2i + 1 share ``jaccard * union`` of ``union`` words, which are consecutive numbers."""
    shared = round(jaccard * union)
    texts = []
    for trial in range(trials):
        words = [f"w{trial * union + i}" for i in rng.permutation(union)]
        only = (union - shared) // 2
        texts += [" ".join(words[: shared + only]), " ".join(words[:shared] + words[shared + only :])]
    return pa.array(texts)


@pytest.mark.parametrize("seed", [1, 99])
def test_estimation_error_is_binomial(seed):
    """No worse than sqrt(J (1 - J) / k) by more than 10 %, and unbiased."""
    rng = np.random.default_rng(seed)
    chosen = MinHashSettings(ngram=1, seed=seed)
    trials, k = 1500, chosen.permutations
    normalised_errors = []
    for jaccard in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        minima = signatures(overlapping_sets(rng, trials, jaccard), chosen).minima
        errors = (minima[::2] == minima[1::2]).mean(axis=1) - jaccard
        bound = np.sqrt(jaccard * (1 - jaccard) / k)
        assert np.sqrt((errors**2).mean()) < 1.1 * bound, jaccard
        assert abs(errors.mean()) < 4 * bound / np.sqrt(trials), jaccard
        normalised_errors.append((errors / bound) ** 2)
    assert np.sqrt(np.mean(normalised_errors)) < 1.03


@pytest.mark.parametrize(("bands", "rows", "seed"), [(14, 8, 1), (20, 4, 3), (5, 25, 4), (32, 2, 9)])
def test_match_probability_is_that_of_independent_values(bands, rows, seed):
    """The share of pairs with an equal band is 1 - (1 - J^rows)^bands within sampling error, over the whole range."""
    rng = np.random.default_rng(5)
    trials, banding = 1500, Banding(bands, rows)
    for jaccard in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        minima = signatures(overlapping_sets(rng, trials, jaccard), MinHashSettings(1, banding.values, seed)).minima
        hashes = band_hashes(minima, banding)
        found = (hashes[::2] == hashes[1::2]).any(axis=1).mean()
        wanted = banding.match_probability(jaccard)
        assert abs(found - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / trials) + 1 / trials, jaccard


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ngram": 0}, "ngram = 0"),
        ({"permutations": 0}, "permutations = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**64}, "seed = 18446744073709551616"),
        ({"permutations": 2.5}, "permutations = 2.5"),
        ({"permutations": 65_537}, "permutations = 65537"),
    ],
)
def test_impossible_settings_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        MinHashSettings(**values)


def test_content_is_a_hash_of_the_bytes_alone(snapshots):
    data = pa.array(["same", "x" * 100, "same"])
    content = signatures(data, MinHashSettings(seed=1)).content
    assert np.array_equal(content, signatures(data, MinHashSettings(3, 35, seed=9)).content)
    assert content[0] == content[2]
    offsets = np.array([0, 4], np.int64)
    assert content[0] == hash_texts(np.frombuffer(b"same", np.uint8), offsets, 0x636F6E74656E7421)[0]
