"""Packing plans against a plain best-fit decreasing, and the stream's borders counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.packing import packing_plan


def plain_best_fit(lengths, context):
    """Contexts of best-fit decreasing, every document tried against every context."""
    rooms = []
    for length in sorted((n % context for n in lengths if n % context), reverse=True):
        fitting = [room for room in rooms if room >= length]
        if fitting:
            rooms.remove(min(fitting))
            rooms.append(min(fitting) - length)
        else:
            rooms.append(context - length)
    return len(rooms) + sum(n // context for n in lengths)


def plain_cut(lengths, context):
    """Documents with tokens on two sides of a border."""
    contexts = np.repeat(np.arange(len(lengths)), lengths), np.arange(sum(lengths)) // context
    return len({document for document, _ in zip(*contexts)} & _in_two(*contexts))


def _in_two(documents, contexts):
    return {d for d in set(documents.tolist()) if len(set(contexts[documents == d].tolist())) > 1}


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 16))
def test_plan_is_that_of_plain_best_fit(lengths, context):
    plan = packing_plan(np.array(lengths, np.int64), context)
    assert plan.packed_contexts == plain_best_fit(lengths, context)
    assert plan.stream_cut == plain_cut(lengths, context)
    assert plan.stream_contexts == -(-sum(lengths) // context)
    assert plan.longer == sum(n > context for n in lengths)
    assert plan.padded == pytest.approx(1 - sum(lengths) / (plan.packed_contexts * context) if sum(lengths) else 0)
    assert plan.cropped * sum(lengths) == pytest.approx(sum(max(n - context, 0) for n in lengths))


def test_web_like_lengths_pack_almost_without_padding():
    lengths = np.random.default_rng(5).lognormal(6, 1, 20_000).astype(np.int64)
    plan = packing_plan(lengths, 4096)
    assert plan.padded < 0.001
    assert plan.stream_cut > 1000


def test_impossible_contexts_and_lengths_are_refused():
    with pytest.raises(ValueError, match="context = 0: give a number"):
        packing_plan(np.array([1]), 0)
    with pytest.raises(ValueError, match="document of -1 tokens"):
        packing_plan(np.array([-1]), 8)
