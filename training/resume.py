"""Going on from a checkpoint: which settings may have changed since, and which would change what is learned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.config import TrainingConfig, changed_keys, to_mapping, training_config
from training.errors import ConfigError, TrainingError
from training.schedule import learning_rate

# Keys, and sections of them, that do not change what is learned beyond rounding. The shards are compared by content.
FREE = (
    "output", "checkpoint.", "validation.", "metrics.", "parallel.", "device", "threads", "kernels", "recompute",
    "data.micro_batch", "data.verify", "data.shards", "model.preset", "optimizer.skip_limit",
)  # fmt: skip
# Keys that say how long the run is and how its rate falls: they may change as far as the steps that were made, at the
# rates they were made with, would have been the same.
_FUTURE = ("steps", "tokens", "schedule.")


def check_unchanged(config: TrainingConfig, facts: Mapping[str, Any], folder: Path, allowed: Sequence[str]) -> None:
    """Raises ConfigError with the first key that differs from those a checkpoint was written under and must not."""
    changes = changed_keys(facts["config"], to_mapping(config))
    for key, old, new in changes:
        if _among(key, (*FREE, *allowed)) or (_among(key, _FUTURE) and _same_past(config, facts)):
            continue
        hint = ""
        if _among(key, _FUTURE):
            hint = f" (steps up to {facts['step']} were made at another learning rate, or the run would end before)"
        raise ConfigError(
            f"{key}: {json.dumps(new)}, but the checkpoint {folder} was written under {json.dumps(old)}{hint}; set it "
            f"back, choose another output folder, or allow the change with --allow-change {key}"
        )


def check_same_data(facts: Mapping[str, Any], now: Mapping[str, Any], folder: Path, allowed: Sequence[str]) -> None:
    """Raises TrainingError when tokenizer, shards or weights are not those of the checkpoint; ``now`` are the run's."""
    if facts["tokenizer"] != now["tokenizer"]:
        raise TrainingError(
            f"data.shards: tokenizer {now['tokenizer'][:12]}, but the checkpoint {folder} learned "
            f"{facts['tokenizer'][:12]}; take shards of that tokenizer or another output folder"
        )
    weights = [[s["weight"] for s in c["config"]["data"]["shards"]] for c in (facts, now)]
    if (facts["data"] != now["data"] or weights[0] != weights[1]) and "data.shards" not in allowed:
        raise TrainingError(
            f"data.shards: the shards or their weights are not those that the checkpoint {folder} was trained on; put "
            "them back, choose another output folder, or allow the change with --allow-change data.shards"
        )


def _same_past(config: TrainingConfig, facts: Mapping[str, Any]) -> bool:
    before = training_config(facts["config"])
    if config.total_steps < facts["step"]:
        return False
    return all(learning_rate(before, step) == learning_rate(config, step) for step in range(facts["step"]))


def _among(key: str, names: Sequence[str]) -> bool:
    return any(key == name or key.startswith(name if name.endswith(".") else f"{name}.") for name in names)
