"""Signatures: exact values, the quality of the hash family, settings, and the file's layout."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.minhash import (
    METADATA_KEY,
    MinHashSettings,
    SettingsMismatch,
    _multipliers,
    check_schema,
    matrix,
    schema,
    signatures,
    to_record_batch,
)
from dedup.shingle_kernels import SHINGLE_FACTOR, WORD_FACTOR, WORD_SEED
from text.code_points import UNSEGMENTED, WORD, code_points
from text.hashing import hash_texts

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
FROZEN_HASHES = [5625518581801567137, 13624943635407156383, 9]
FROZEN_BANDS = [17719272595065656655, 18430866377004791397]
FROZEN_MINIMA = [964417786, 752859554, 1178714608, 242949839]
MIXED = st.text(
    st.one_of(
        st.sampled_from("aB0 _.\n"),
        st.sampled_from("éЖ漢語のไ。　\u0301🦀İ"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=60,
)


def mix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def word_hashes(text: str) -> list[int]:
    flags, fold = code_points()
    words, run = [], ""
    for character in text + " ":
        flag = flags[ord(character)]
        if flag & WORD and not flag & UNSEGMENTED:
            run += chr(fold[ord(character)])
            continue
        words += [run] if run else []
        run = ""
        words += [chr(fold[ord(character)])] if flag & WORD else []
    hashes = []
    for word in words:
        data, value = word.encode(), int(WORD_SEED)
        for start in range(0, len(data), 8):
            value = (value ^ int.from_bytes(data[start : start + 8], "little")) * int(WORD_FACTOR) & MASK
        hashes.append(mix(value))
    return hashes


def plain_signature(text: str, chosen: MinHashSettings, content: int) -> tuple[int, int, list[int], list[int]]:
    """Normalised hash, words, bands and minima of one document, straight from their definitions."""
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
    bands = []
    for band in range(chosen.bands):
        value = mix(salt + band * GOLDEN & MASK)
        for minimum in minima[band * chosen.rows : (band + 1) * chosen.rows] if words else []:
            value = mix((value ^ minimum) + GOLDEN & MASK)
        bands.append(value if words else mix(value ^ content))
    return mix(folded ^ len(words)), len(words), bands, minima


def check_against_plain(texts: list[str], chosen: MinHashSettings) -> None:
    signed = signatures(pa.array(texts, pa.large_string()), chosen)
    assert signed.bands.shape == (len(texts), chosen.bands) and signed.minima.shape == (len(texts), chosen.permutations)
    for i, text in enumerate(texts):
        normalised, words, bands, minima = plain_signature(text, chosen, int(signed.content[i]))
        assert int(signed.normalised[i]) == normalised and int(signed.words[i]) == words
        assert signed.minima[i].tolist() == minima
        assert signed.bands[i].tolist() == bands


@settings(max_examples=60)
@given(
    st.lists(MIXED, min_size=1, max_size=4),
    st.builds(MinHashSettings, st.integers(1, 6), st.integers(1, 4), st.integers(1, 12), st.integers(0, MASK)),
)
def test_signatures_equal_plain_python(texts, chosen):
    check_against_plain(texts, chosen)


def test_real_pages_equal_plain_python(snapshots):
    check_against_plain([text[:20_000] for text in snapshots.texts[::150].to_pylist()], MinHashSettings())


def test_a_long_document_equals_plain_python(snapshots):
    """More shingles than are held back before the minima are updated, in numbers that end anywhere."""
    text = " ".join(snapshots.texts[:60].to_pylist())
    check_against_plain([text[:n] for n in (3_000, 30_001, 200_002)], MinHashSettings(5, 3, 2))


def test_values_are_frozen():
    """Signatures are kept for years: a change here needs a new `FORMAT`."""
    signed = signatures(pa.array(["Größe is 漢字, one two three four five"]), MinHashSettings(3, 2, 2, 7))
    assert [int(signed.content[0]), int(signed.normalised[0]), int(signed.words[0])] == FROZEN_HASHES
    assert signed.bands.tolist() == [FROZEN_BANDS] and signed.minima.tolist() == [FROZEN_MINIMA]


def test_content_and_normalised_hashes_tell_exact_from_folded_copies():
    texts = pa.array(["One two.", "one  TWO", "one two three", "One two."])
    signed = signatures(texts, MinHashSettings())
    assert signed.content[0] == signed.content[3] != signed.content[1]
    assert signed.normalised[0] == signed.normalised[1] != signed.normalised[2]
    assert (signed.bands[0] == signed.bands[1]).all() and not (signed.bands[0] == signed.bands[2]).any()


def test_documents_without_words_meet_only_equal_bytes():
    texts = pa.array(["", "...", "!!!", "", None, "漢"])
    bands = signatures(texts, MinHashSettings()).bands
    assert (bands[0] == bands[3]).all() and (bands[0] == bands[4]).all()
    for a, b in itertools.combinations([0, 1, 2, 5], 2):
        assert not (bands[a] == bands[b]).any()


def test_no_documents():
    signed = signatures(pa.array([], pa.string()), MinHashSettings())
    assert signed.bands.shape == (0, 14) and signed.minima.shape == (0, 112) and len(signed.words) == 0


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
    for jaccard in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9):
        minima = signatures(overlapping_sets(rng, trials, jaccard), chosen).minima
        errors = (minima[::2] == minima[1::2]).mean(axis=1) - jaccard
        bound = np.sqrt(jaccard * (1 - jaccard) / k)
        assert np.sqrt((errors**2).mean()) < 1.1 * bound, jaccard
        assert abs(errors.mean()) < 4 * bound / np.sqrt(trials), jaccard
        normalised_errors.append((errors / bound) ** 2)
    assert np.sqrt(np.mean(normalised_errors)) < 1.03


def test_match_probability_is_that_of_independent_values():
    """The share of pairs with an equal band is 1 - (1 - J^rows)^bands within sampling error, over the whole range."""
    rng = np.random.default_rng(5)
    for chosen in (MinHashSettings(1, 14, 8), MinHashSettings(1, 20, 4, seed=3)):
        trials = 1500
        for jaccard in (0.2, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9):
            bands = signatures(overlapping_sets(rng, trials, jaccard), chosen).bands
            found = (bands[::2] == bands[1::2]).any(axis=1).mean()
            wanted = chosen.match_probability(jaccard)
            assert abs(found - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / trials) + 1e-3, (chosen, jaccard)


def test_fineweb_match_probabilities():
    chosen = MinHashSettings()
    assert chosen.match_probability(0.75) == pytest.approx(0.77, abs=0.005)
    assert chosen.match_probability(0.8) == pytest.approx(0.92, abs=0.005)
    assert chosen.match_probability(0) == 0 and chosen.match_probability(1) == 1


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("permutations", [16, 128])
def test_threshold_chooses_as_datasketch(threshold, permutations):
    lsh = pytest.importorskip("datasketch.lsh")
    chosen = MinHashSettings.for_threshold(threshold, permutations)
    assert (chosen.bands, chosen.rows) == lsh._optimal_param(threshold, permutations, 0.5, 0.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ngram": 0}, "ngram = 0"),
        ({"bands": 0}, "bands = 0"),
        ({"rows": -1}, "rows = -1"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**64}, "seed = 18446744073709551616"),
        ({"rows": 2.5}, "rows = 2.5"),
        ({"bands": 1000, "rows": 100}, "bands \\* rows = 1000 \\* 100 = 100000"),
    ],
)
def test_impossible_settings_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        MinHashSettings(**values)


@pytest.mark.parametrize("values", [{"threshold": 0}, {"threshold": 1}, {"threshold": 0.5, "permutations": 0}])
def test_impossible_thresholds_are_refused(values):
    with pytest.raises(ValueError, match="give"):
        MinHashSettings.for_threshold(**values)


def test_signature_files_come_back_as_written(snapshots, tmp_path):
    batch = to_record_batch(snapshots.keys, snapshots.signed, snapshots.settings)
    assert batch.schema.equals(schema(snapshots.settings), check_metadata=True)
    pq.write_table(pa.Table.from_batches([batch]), tmp_path / "part.parquet", compression="zstd", row_group_size=100)
    table = pq.read_table(tmp_path / "part.parquet")
    check_schema(table.schema, snapshots.settings)
    assert np.array_equal(table["key"].to_numpy(), snapshots.keys)
    for name in ("content", "normalised", "words"):
        assert np.array_equal(table[name].to_numpy(), getattr(snapshots.signed, name))
    for name in ("bands", "minima"):
        wanted = getattr(snapshots.signed, name)
        for column in (table[name], table[name].chunk(0), batch.column(name)):
            assert np.array_equal(matrix(column), wanted[: len(column)])
        assert np.array_equal(matrix(table[name].slice(7, 11)), wanted[7:18])
        assert matrix(table.slice(0, 0)[name]).shape == (0, wanted.shape[1])


def test_signatures_made_otherwise_are_refused_with_both_sides_named():
    made = MinHashSettings(5, 14, 8)
    with pytest.raises(SettingsMismatch, match=r"bands 14 there, 20 asked for; rows 8 there, 13 asked for"):
        check_schema(schema(made), MinHashSettings(5, 20, 13))
    with pytest.raises(SettingsMismatch, match="no MinHash signatures"):
        check_schema(pa.schema([("key", pa.uint64())]), made)
    with pytest.raises(SettingsMismatch, match="no column minima"):
        check_schema(schema(made).remove(5), made)
    older = schema(made).with_metadata({METADATA_KEY: schema(made).metadata[METADATA_KEY].replace(b"1", b"0", 1)})
    with pytest.raises(SettingsMismatch, match=r"format 0 there, 1 asked for"):
        check_schema(older, made)


def test_signatures_and_settings_must_fit():
    signed = signatures(pa.array(["a b c", "d"]), MinHashSettings())
    with pytest.raises(ValueError, match="14 bands where 20 belong"):
        to_record_batch(np.arange(2, dtype=np.uint64), signed, MinHashSettings(5, 20, 13))
    with pytest.raises(ValueError, match="3 keys where 2 belong"):
        to_record_batch(np.arange(3, dtype=np.uint64), signed, MinHashSettings())


def test_content_is_a_hash_of_the_bytes_alone(snapshots):
    data = pa.array(["same", "x" * 100, "same"])
    content = signatures(data, MinHashSettings(seed=1)).content
    assert np.array_equal(content, signatures(data, MinHashSettings(3, 5, 7, seed=9)).content)
    assert content[0] == content[2]
    offsets = np.array([0, 4], np.int64)
    assert content[0] == hash_texts(np.frombuffer(b"same", np.uint8), offsets, 0x636F6E74656E7421)[0]
