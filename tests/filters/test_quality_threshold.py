"""The score from which a wanted share stays, against trying every one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality_threshold import find_cut

documents = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.30000001192, 0.7, 1.0]), st.integers(1, 50)), min_size=1, max_size=30
)


@given(documents, st.floats(0.01, 1), st.booleans())
def test_no_other_score_keeps_a_share_nearer_to_what_is_wanted(rows, keep, by_bytes):
    scores = np.array([score for score, _ in rows], np.float32)
    sizes = np.array([size for _, size in rows])
    found = find_cut(scores, keep, sizes if by_bytes else None)
    weights = sizes if by_bytes else np.ones(len(rows))

    def kept(minimum):
        return weights[scores >= np.float32(minimum)].sum() / weights.sum()

    assert found.kept == pytest.approx(kept(found.minimum))
    assert np.float32(found.minimum) in scores
    assert all(abs(found.kept - keep) <= abs(kept(other) - keep) + 1e-12 for other in scores)
    assert found.kept_documents == (scores >= np.float32(found.minimum)).sum()
    assert found.tied == (scores == np.float32(found.minimum)).sum()
    assert found.low <= found.minimum <= found.high


def test_values_computed_by_hand():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], np.float32)
    found = find_cut(scores, 0.3)
    assert (found.minimum, found.kept, found.kept_documents) == (0.8, 0.3, 3)
    assert found.error == pytest.approx((0.3 * 0.7 / 10) ** 0.5)
    # Half of the bytes are in the best document: a share of 30 % of the text is nearest with it alone.
    found = find_cut(scores, 0.3, np.array([1] * 9 + [9]))
    assert (found.minimum, found.kept) == (1.0, 0.5)
    assert found.error == pytest.approx((9 * 0.5**2 + 81 * 0.5**2) ** 0.5 / 18)


def test_the_error_is_how_far_samples_lie_from_the_whole():
    generator = np.random.default_rng(7)
    scores = generator.random(200_000).astype(np.float32)
    sizes = generator.lognormal(7, 1.2, len(scores)).astype(np.int64)
    misses = []
    for _ in range(200):
        rows = generator.integers(0, len(scores), 2000)
        cut = find_cut(scores[rows], 0.1, sizes[rows])
        truth = sizes[scores >= np.float32(cut.minimum)].sum() / sizes.sum()
        misses.append((cut.kept - truth) / cut.error)
    assert 0.85 < np.std(misses) < 1.15


def test_the_best_document_stays_however_little_is_wanted():
    assert find_cut(np.array([0.5, 0.5, 0.2], np.float32), 0.01)[:2] == (0.5, pytest.approx(2 / 3))


def test_what_gives_no_threshold_is_refused():
    with pytest.raises(ValueError, match="no documents"):
        find_cut(np.array([], np.float32), 0.1)
    with pytest.raises(ValueError, match="a share of 10 cannot be kept"):
        find_cut(np.array([0.5], np.float32), 10)
    with pytest.raises(ValueError, match="hold no text"):
        find_cut(np.array([0.5], np.float32), 0.1, np.array([0]))
    with pytest.raises(ValueError, match="no numbers"):
        find_cut(np.array([np.nan], np.float32), 0.1)
