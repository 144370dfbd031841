"""The scaling laws against the choices that the reference's authors made with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.config import model_config, training_config
from training.flops import flops_m
from training.scaling import batch_tokens, compute_for, learning_rate, model_scale, tokens


@pytest.mark.parametrize(
    ("preset", "rate", "batch"), [("deepseek-7b", 4.2e-4, 2304 * 4096), ("deepseek-67b", 3.2e-4, 4608 * 4096)]
)
def test_the_laws_give_the_references_own_settings(preset: str, rate: float, batch: int) -> None:
    compute = flops_m(model_config({"preset": preset}), 4096) * 2e12
    assert learning_rate(compute) == pytest.approx(rate, rel=0.03)
    assert batch_tokens(compute) == pytest.approx(batch, rel=0.12)


def test_model_and_tokens_share_the_budget() -> None:
    for compute in (1e17, 1e20, 1e24):
        assert model_scale(compute) * tokens(compute) == pytest.approx(compute, rel=0.01)
        assert compute_for(model_scale(compute)) == pytest.approx(compute, rel=1e-9)


@pytest.mark.parametrize("preset", ["10m", "30m", "100m", "300m", "1b"])
def test_configs_of_the_ladder_follow_the_laws(preset: str) -> None:
    path = Path(__file__).resolve().parents[2] / "configs" / "training" / f"{preset}.yaml"
    config = training_config(yaml.safe_load(path.read_text()))
    compute = compute_for(flops_m(config.model, config.context))
    assert config.optimizer.learning_rate == pytest.approx(learning_rate(compute), rel=0.04)
    assert config.data.batch * config.context == pytest.approx(batch_tokens(compute), rel=0.06)
    assert config.tokens == pytest.approx(tokens(compute), rel=0.03)
