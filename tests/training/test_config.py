"""A run's settings: defaults of the reference, presets, and refusals that name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from training.config import (
    ScheduleConfig,
    changed_keys,
    describe,
    from_mapping,
    to_mapping,
    to_yaml,
    training_config,
    with_overrides,
)
from training.config import model_config as read_model
from training.errors import ConfigError
from training.presets import PRESETS


def run(**changes: Any) -> dict[str, Any]:
    mapping = {
        "model": {"preset": "2m"}, "data": {"shards": "s", "batch": 4, "context": 128}, "output": "o",
        "steps": 1000, "schedule": {"warmup_steps": 10},
    }  # fmt: skip
    return with_overrides(mapping, changes)


def test_defaults_are_those_of_the_reference() -> None:
    config = training_config(run(steps=200_000, schedule={}))
    assert (config.optimizer.beta1, config.optimizer.beta2, config.optimizer.weight_decay) == (0.9, 0.95, 0.1)
    assert config.optimizer.clip == 1.0
    assert (config.schedule.kind, config.schedule.warmup_steps) == ("multi-step", 2000)
    assert (config.schedule.milestones, config.schedule.factors) == ((0.8, 0.9), (0.316, 0.1))
    assert (config.model.norm_eps, config.model.rope_theta, config.model.init_std) == (1e-6, 1e4, 0.006)


def test_every_preset_is_a_valid_shape_and_overrides_win() -> None:
    for name in PRESETS:
        assert read_model({"preset": name}).layers == PRESETS[name]["layers"]
    assert read_model({"preset": "2m", "layers": 3, "vocabulary": 8192}).layers == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimizer.learning_rat": 1}, r"optimizer\.learning_rat: unknown key; did you mean learning_rate\?"),
        ({"modle": 1}, r"modle: unknown key; did you mean model\?"),
        ({"optimizer.beta1": 1.0}, r"optimizer\.beta1: 1\.0 is impossible, it must be less than 1"),
        ({"data.batch": 0}, r"data\.batch: 0 is impossible, it must be at least 1"),
        ({"data.batch": 2.5}, r"data\.batch: expected a whole number, got 2\.5"),
        ({"data.batch": True}, r"data\.batch: expected a whole number, got true"),
        ({"data.verify": "yes"}, r'data\.verify: expected true or false, got "yes"'),
        ({"data.micro_batch": 0}, r"data\.micro_batch: 0 is impossible, it must be at least 1"),
        ({"ramp.start": 2}, r"ramp\.tokens: say over how many tokens the batch grows"),
        ({"ramp.tokens": 2}, r"ramp\.start: say with how many samples a step the ramp begins"),
        ({"ramp.start": 4, "ramp.tokens": 9}, r"ramp\.start: 4 is not below data\.batch = 4"),
        ({"ramp.start": 1, "ramp.increment": 2, "ramp.tokens": 9}, r"ramp\.increment: 2 does not lead from"),
        ({"data.shards": []}, r"data\.shards: names no folder"),
        ({"data.shards": [{"path": "a", "weight": 0}]}, r"data\.shards\[0\]\.weight: 0\.0 is impossible"),
        ({"model.preset": "deepseek-8b"}, r'model\.preset: no model is called "deepseek-8b"; did you mean deepseek-7b'),
        ({"model.heads": 5}, r"model\.width: 192 over 5 heads is not a whole even head size; try 190"),
        ({"model.kv_heads": 2}, r"model\.kv_heads: 2 does not divide model\.heads = 3"),
        ({"schedule.kind": "multistep"}, r'schedule\.kind: "multistep" is none of .*; did you mean multi-step\?'),
        ({"schedule.milestones": [0.9, 0.8]}, r"schedule\.milestones: \[0\.9, 0\.8\] must increase"),
        ({"schedule.factors": [0.5]}, r"schedule\.factors: 1 values for 2 milestones"),
        ({"schedule.warmup_steps": 1000}, r"schedule\.warmup_steps: 1000 leaves nothing of the run's 1000 steps"),
        ({"tokens": 5}, r"steps: give steps or tokens, and only one"),
        ({"data.context": 4096}, r"data\.context: 4096 is longer than model\.context = 2048"),
        ({"data": 3}, r"data: expected keys and values, got 3"),
    ],
)  # fmt: skip
def test_refusals_name_the_key_the_value_and_the_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        training_config(run(**change))


def test_a_missing_key_is_named_with_what_it_means() -> None:
    mapping = run()
    del mapping["output"]
    with pytest.raises(ConfigError, match=r"output: missing; folder of the run"):
        training_config(mapping)


def test_numbers_as_yaml_reads_them() -> None:
    config = training_config(run(**{"optimizer.learning_rate": "1e-4", "steps": None, "tokens": 2e6}))
    assert config.optimizer.learning_rate == 1e-4
    assert config.total_steps == 3907  # 2,000,000 / (4 · 128), rounded up


def test_shards_may_be_a_folder_a_list_or_weighted() -> None:
    one = training_config(run()).data.shards
    assert [(s.path, s.weight) for s in one] == [("s", 1.0)]
    many = training_config(run(**{"data.shards": ["a", {"path": "b", "weight": 3}]})).data.shards
    assert [(s.path, s.weight) for s in many] == [("a", 1.0), ("b", 3.0)]


def test_settings_survive_a_round_through_yaml() -> None:
    config = training_config(run(**{"optimizer.eps": 1e-9, "data.shards": [{"path": "ä b", "weight": 0.25}]}))
    assert training_config(yaml.safe_load(to_yaml(config))) == config
    assert from_mapping(type(config), to_mapping(config)) == config


def test_changed_keys_are_found_with_both_values() -> None:
    before, after = (to_mapping(training_config(run(**c))) for c in ({}, {"optimizer.beta2": 0.99, "steps": 5000}))
    assert changed_keys(before, after) == [("optimizer.beta2", 0.95, 0.99), ("steps", 1000, 5000)]


def test_every_setting_has_help() -> None:
    rows = list(describe())
    assert ("optimizer.clip", "1.0", "largest global gradient norm; null for no clipping") in rows
    assert all(text for _, _, text in rows)
    assert len(rows) == len({key for key, _, _ in rows}) > 40


def test_every_config_that_users_start_from_is_valid() -> None:
    folder = Path(__file__).resolve().parents[2] / "configs" / "training"
    configs = {path.stem: training_config(yaml.safe_load(path.read_text())) for path in folder.glob("*.yaml")}
    assert {"demo", "10m", "30m", "100m", "300m", "1b", "deepseek-7b", "deepseek-67b"} <= configs.keys()
    seven = configs["deepseek-7b"]
    assert (seven.data.batch, seven.optimizer.learning_rate, seven.tokens) == (2304, 4.2e-4, 2_000_000_000_000)
    assert seven.schedule == ScheduleConfig() and seven.optimizer.clip == 1.0
