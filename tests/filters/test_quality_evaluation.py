"""Precision, recall and ROC area against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.quality_evaluation import evaluate

scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=30)


@given(scores, scores, st.floats(0, 1))
def test_equals_the_definitions(positive, negative, minimum):
    found = evaluate(np.array(positive), np.array(negative), minimum)
    passed = sum(score >= minimum for score in positive)
    wrong = sum(score >= minimum for score in negative)
    assert found.recall == passed / len(positive)
    assert math.isnan(found.precision) if passed + wrong == 0 else found.precision == passed / (passed + wrong)
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert found.roc_auc == pytest.approx(sum(pairs) / len(pairs))


def test_one_empty_side_is_refused():
    with pytest.raises(ValueError, match="both sides"):
        evaluate(np.array([0.5]), np.array([]), 0.5)
