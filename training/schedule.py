"""The learning rate over a run, as a pure function of where the run stands: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from training.config import ScheduleConfig, TrainingConfig


def learning_rate(config: TrainingConfig, step: int) -> float:
    """The learning rate of a step of a run, counted from 0."""
    warm = config.progress(config.schedule.warmup_steps)
    return config.optimizer.learning_rate * learning_rate_factor(config.schedule, step, config.progress(step), warm)


def learning_rate_factor(schedule: ScheduleConfig, step: int, progress: float, warm: float) -> float:
    """Factor of the highest learning rate at a step.

    ``step`` counts from 0; ``progress`` in [0, 1] is the share of the run's training tokens already seen, so that the
    shape does not depend on the batch size, and ``warm`` what it is at the end of the warm-up. Multi-step is the
    reference's (arXiv 2401.02954, section 2.3): linear warm-up, then the maximum, 0.316 of it after 80 % of the tokens,
    0.1 after 90 %.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    if schedule.kind == "multi-step":
        factor = 1.0
        for milestone, value in zip(schedule.milestones, schedule.factors, strict=True):
            if progress >= milestone:
                factor = value
        return factor
    if schedule.kind == "cosine":  # from the end of the warm-up, where the factor is 1, down to the floor
        share = (progress - warm) / (1 - warm) if warm < 1 else 1.0
        return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * min(1.0, share))) / 2
    if schedule.kind == "wsd":  # warm-up, stable, decay (arXiv 2404.06395), the decay linear
        into_decay = (progress - (1 - schedule.decay_share)) / schedule.decay_share
        return 1.0 - (1.0 - schedule.floor) * min(1.0, max(0.0, into_decay))
    return 1.0
