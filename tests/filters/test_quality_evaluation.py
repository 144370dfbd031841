"""Precision, recall, areas, calibration and confusion against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality_evaluation import by_label, calibration, curve, evaluate, histogram

scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), min_size=1, max_size=30)


def at(positive, negative, minimum):
    """Precision, recall and F1 by counting."""
    passed, wrong = sum(s >= minimum for s in positive), sum(s >= minimum for s in negative)
    precision = passed / (passed + wrong) if passed + wrong else math.nan
    recall = passed / len(positive)
    f1 = 2 * precision * recall / (precision + recall) if passed else 0.0
    return precision, recall, f1


@given(scores, scores, st.floats(0, 1))
def test_equals_the_definitions(positive, negative, minimum):
    found = evaluate(np.array(positive), np.array(negative), minimum)
    precision, recall, f1 = at(positive, negative, minimum)
    assert found.recall == recall
    assert found.precision == precision or (math.isnan(found.precision) and math.isnan(precision))
    assert found.f1 == pytest.approx(f1)
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found.roc_auc == pytest.approx(sum(pairs) / len(pairs))

    thresholds = sorted({*positive, *negative}, reverse=True)
    by_threshold = [at(positive, negative, threshold) for threshold in thresholds]
    before, area = 0.0, 0.0
    for precision, recall, _ in by_threshold:
        area += precision * (recall - before)
        before = recall
    assert found.average_precision == pytest.approx(area)
    assert found.best_f1 == pytest.approx(max(f1 for _, _, f1 in by_threshold))
    assert at(positive, negative, found.best_minimum)[2] == pytest.approx(found.best_f1)
    assert found.brier == pytest.approx(np.mean([(1 - s) ** 2 for s in positive] + [s**2 for s in negative]))
    gap = 0.0
    for i in range(10):
        inside = [(s, 1) for s in positive if int(min(s * 10, 9)) == i]
        inside += [(s, 0) for s in negative if int(min(s * 10, 9)) == i]
        if inside:
            gap += abs(sum(s for s, _ in inside) - sum(good for _, good in inside))
    assert found.calibration_error == pytest.approx(gap / len(positive + negative))


def test_values_computed_by_hand():
    # Good 0.9 0.8 0.3, other 0.8 0.2: of the six pairs four are right and one is a tie.
    found = evaluate(np.array([0.9, 0.8, 0.3]), np.array([0.8, 0.2]), 0.5)
    assert (found.positives, found.negatives) == (3, 2)
    assert (found.precision, found.recall, found.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert found.roc_auc == pytest.approx(5 / 6 - 0.5 / 6)  # 0.9 beats both, 0.8 ties one, 0.3 beats one
    # Thresholds 0.9, 0.8, 0.3, 0.2: precision 1, 2/3, 3/4, 3/5 at recall 1/3, 2/3, 1, 1.
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert (found.best_f1, found.best_minimum) == pytest.approx((6 / 7, 0.3))
    assert found.brier == pytest.approx((0.01 + 0.04 + 0.49 + 0.64 + 0.04) / 5)


def test_thresholds_are_compared_as_the_filter_compares_them():
    found = evaluate(np.array([0.1], np.float32), np.array([0.0], np.float32), 0.1)  # float32(0.1) is above 0.1
    assert found.recall == 1
    assert evaluate(np.array([0.7], np.float32), np.array([0.0], np.float32), 0.7).recall == 1  # and this one below


@given(scores, scores)
def test_a_curve_counts_what_passes_each_threshold(positive, negative):
    found = curve(np.array(positive), np.array(negative))
    assert found.thresholds.tolist() == sorted({*positive, *negative}, reverse=True)
    for threshold, good, other in zip(*found):
        assert good == sum(s >= threshold for s in positive)
        assert other == sum(s >= threshold for s in negative)


def test_calibration_by_hand():
    rows = calibration(np.array([0.05, 0.95, 1.0]), np.array([0.0, 0.5]), bins=2)
    assert [row.documents for row in rows] == [2, 3]
    assert [row.mean_score for row in rows] == pytest.approx([0.025, 2.45 / 3])
    assert [row.good for row in rows] == pytest.approx([1 / 2, 2 / 3])
    # Wilson's interval for 1 of 2 and 2 of 3, as published tables have it.
    assert (rows[0].good_low, rows[0].good_high) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert (rows[1].good_low, rows[1].good_high) == pytest.approx((0.2077, 0.9385), abs=1e-4)
    empty = calibration(np.array([0.1]), np.array([0.1]), bins=2)[1]
    assert (empty.documents, empty.good, empty.mean_score) == (0, None, None)


def test_a_score_of_one_is_in_the_last_bin():
    assert histogram(np.array([0.0, 0.1, 0.999, 1.0, 1.00001], np.float32), 10).tolist() == [1, 1, *[0] * 7, 3]


labelled = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(0, 4), min_size=3, max_size=3)), min_size=1, max_size=20
)


@given(labelled)
def test_a_classification_equals_the_definitions(documents):
    truth = np.array([label for label, _ in documents])
    probabilities = np.array([row for _, row in documents], float)
    taken = [row.index(max(row)) for _, row in documents]
    found = by_label(truth, probabilities, ["a", "b", "c"])
    assert found["accuracy"] == pytest.approx(np.mean(truth == taken))
    f1s = []
    for i, row in enumerate(found["labels"]):
        right = sum(t == i == k for t, k in zip(truth, taken))
        named, there = taken.count(i), int((truth == i).sum())
        assert row["documents"] == there == sum(found["confusion"][i])
        assert row["precision"] == (right / named if named else None)
        assert row["recall"] == (right / there if there else None)
        assert row["f1"] == (2 * right / (named + there) if named + there else None)
        f1s += [row["f1"]] if there else []
        inside, outside = probabilities[truth == i, i], probabilities[truth != i, i]
        if there and there < len(truth):
            pairs = [(p > n) + 0.5 * (p == n) for p in inside for n in outside]
            assert row["roc_auc"] == pytest.approx(np.mean(pairs))
        else:
            assert row["roc_auc"] is None
    assert found["macro_f1"] == pytest.approx(np.mean(f1s))


def test_one_empty_side_is_refused():
    with pytest.raises(ValueError, match="both sides"):
        evaluate(np.array([0.5]), np.array([]), 0.5)
    with pytest.raises(ValueError, match="needs documents"):
        by_label(np.array([], int), np.empty((0, 2)), ["a", "b"])
