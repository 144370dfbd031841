"""The learning rate at the places that matter."""

from __future__ import annotations

import math

import pytest

from training.config import ScheduleConfig, training_config
from training.schedule import learning_rate, learning_rate_factor

TOTAL = 10_000


def factor(schedule: ScheduleConfig, step: int) -> float:
    return learning_rate_factor(schedule, step, step / TOTAL, schedule.warmup_steps / TOTAL)


def test_warm_up_is_linear_and_ends_at_the_maximum() -> None:
    schedule = ScheduleConfig(warmup_steps=2000)
    assert factor(schedule, 0) == 1 / 2000
    assert factor(schedule, 999) == 0.5
    assert factor(schedule, 1999) == factor(schedule, 2000) == 1.0
    assert factor(ScheduleConfig(warmup_steps=0), 0) == 1.0


def test_multi_step_falls_at_80_and_90_percent() -> None:
    schedule = ScheduleConfig(warmup_steps=2000)
    assert [factor(schedule, s) for s in (7999, 8000, 8999, 9000, 9999)] == [1.0, 0.316, 0.316, 0.1, 0.1]


def test_cosine_falls_from_the_end_of_the_warm_up_to_the_floor() -> None:
    schedule = ScheduleConfig(kind="cosine", warmup_steps=2000, floor=0.1)
    assert factor(schedule, 2000) == pytest.approx(1.0)
    assert factor(schedule, 6000) == pytest.approx(0.55)
    assert factor(schedule, 4000) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert factor(schedule, TOTAL) == pytest.approx(0.1)


def test_wsd_is_flat_and_then_falls_in_a_line() -> None:
    schedule = ScheduleConfig(kind="wsd", warmup_steps=100, decay_share=0.2, floor=0.0)
    assert [factor(schedule, s) for s in (100, 5000, 8000)] == [1.0, 1.0, 1.0]
    assert factor(schedule, 9000) == pytest.approx(0.5)
    assert factor(schedule, TOTAL) == pytest.approx(0.0)


def test_constant_stays() -> None:
    assert {factor(ScheduleConfig(kind="constant", warmup_steps=0), s) for s in range(0, TOTAL, 100)} == {1.0}


def test_with_a_ramp_the_shape_follows_the_tokens_not_the_steps() -> None:
    run = {"model": {"preset": "2m"}, "data": {"shards": "s", "batch": 16, "context": 128}, "output": "o",
           "tokens": 128 * 16 * 1000, "schedule": {"kind": "cosine", "warmup_steps": 50},
           "optimizer": {"learning_rate": 1.0}}  # fmt: skip
    ramped = training_config({**run, "ramp": {"start": 4, "increment": 4, "tokens": 128 * 4800}})
    plain = training_config(run)
    assert plain.total_steps == 1000 and ramped.total_steps == 400 + 200 + 134 + 700
    warm = ramped.progress(50)
    assert (
        warm == ramped.tokens_before(50) / ramped.tokens_before(ramped.total_steps) == pytest.approx(0.0125, rel=1e-2)
    )
    assert learning_rate(ramped, 49) == learning_rate(ramped, 50) == 1.0
    rates = [learning_rate(ramped, step) for step in range(50, ramped.total_steps)]
    assert rates == sorted(rates, reverse=True)
    half = next(step for step in range(2000) if ramped.progress(step) >= (1 + warm) / 2)
    assert learning_rate(ramped, half) == pytest.approx(0.55, rel=1e-3)
