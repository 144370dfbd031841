"""The batch over the run, against adding up the steps one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.batch_ramp import BatchRamp


@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 6), st.integers(1, 300))
def test_the_cursor_is_the_sum_of_the_batches_before(start: int, increment: int, stages: int, samples: int) -> None:
    ramp = BatchRamp(start + stages * increment, start, increment, samples)
    read = 0
    for step in range(60):
        assert ramp.samples_before(step) == read
        assert ramp.steps(read) == step
        assert ramp.steps(read + 1) == step + 1
        read += ramp.batch(step)
        assert step == 0 or ramp.batch(step) in (ramp.batch(step - 1), ramp.batch(step - 1) + increment)
    assert set(ramp.sizes()) == set(range(start, ramp.full + 1, increment))


def test_stages_are_of_equal_tokens_in_whole_steps() -> None:
    ramp = BatchRamp(full=16, start=4, increment=4, samples=120)
    assert ramp.stages == [(0, 0, 4), (10, 40, 8), (15, 80, 12), (19, 128, 16)]
    assert BatchRamp(full=16, start=16, increment=1, samples=0).stages == [(0, 0, 16)]
