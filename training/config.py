"""One training run as typed, documented settings, and the strict reader that fills them from a mapping.

Plain dataclasses: the trainer must run with torch, numpy and pyarrow alone. Every field carries its help text once, in
its metadata; ``describe`` prints them. An unknown key, a value of the wrong kind or an impossible one is refused with
the key's path, the value and the nearest name that would be valid.
"""

# ruff: noqa: RUF009  (setting() is dataclasses.field with its help text)
from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from training.batch_ramp import BatchRamp
from training.errors import ConfigError
from training.presets import PRESETS

T = TypeVar("T")


def setting(
    help: str, default: Any = dataclasses.MISSING, *, least: float | None = None, above: float | None = None,
    most: float | None = None, below: float | None = None, factory: Any = dataclasses.MISSING,
) -> Any:  # fmt: skip
    """A dataclass field with its help text and the range its value must lie in."""
    limits = {"least": least, "above": above, "most": most, "below": below}
    metadata = {"help": help, "limits": {name: limit for name, limit in limits.items() if limit is not None}}
    if factory is not dataclasses.MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of the decoder."""

    preset: str | None = setting(f"a shape by name, whose values the other keys override: {', '.join(PRESETS)}", None)
    layers: int = setting("decoder blocks", least=1)
    width: int = setting("size of the residual stream (d_model)", least=2)
    feed_forward: int = setting("size inside the SwiGLU layer", least=1)
    heads: int = setting("query heads; width divided by heads must be even", least=1)
    kv_heads: int = setting("key-value heads; fewer than heads is grouped-query attention", least=1)
    vocabulary: int | None = setting("rows of the embedding and the head; null takes the shards' own", None, least=2)
    context: int = setting("longest sequence, in tokens", 4096, least=1)
    rope_theta: float = setting("base of the rotary position frequencies", 10_000.0, above=0)
    norm_eps: float = setting("added to the mean square in RMSNorm", 1e-6, above=0)
    init_std: float = setting("standard deviation of the initial weights", 0.006, above=0)

    def check(self, path: str = "model") -> None:
        """Refuses shapes that no decoder can have."""
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ConfigError(
                f"{path}.width: {self.width} over {self.heads} heads is not a whole even head size; "
                f"try {2 * self.heads * max(1, round(self.width / (2 * self.heads)))}"
            )
        if self.heads % self.kv_heads:
            raise ConfigError(f"{path}.kv_heads: {self.kv_heads} does not divide {path}.heads = {self.heads}")

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True, kw_only=True)
class ShardSet:
    """One folder of shards and its part of the mixture."""

    path: str = setting("folder that holds shards.json")
    weight: float = setting("share of the samples taken from here, relative to the other folders", 1.0, above=0)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What a step reads."""

    shards: tuple[ShardSet, ...] = setting("folder of shards, or a list of folders, or of {path, weight}")
    context: int | None = setting("tokens in a sample; null takes model.context", None, least=1)
    batch: int = setting("samples in an optimizer step", least=1)
    micro_batch: int | None = setting(
        "samples that a process computes at once; the gradients of its part of the batch are added up over as many "
        "such parts as it takes. null computes all at once", None, least=1,
    )  # fmt: skip
    mask_documents: bool = setting("no attention across documents, positions restart at each", False)
    seed: int = setting("key of the order in which samples are read", 0, least=0)
    verify: bool = setting("compare every shard with its checksum before the first step", False)

    def check(self, path: str = "data") -> None:
        """Refuses a mixture of nothing."""
        if not self.shards:
            raise ConfigError(f"{path}.shards: names no folder")


@dataclass(frozen=True, kw_only=True)
class RampConfig:
    """Smaller batches at the start of the run, growing in equal increments over stages of equal tokens."""

    start: int | None = setting("samples in the first steps; null for data.batch from the first step on", None, least=1)
    increment: int | None = setting("samples that each stage adds; null for one stage only", None, least=1)
    tokens: int = setting("training tokens after which the batch is data.batch", 0, least=0)

    def check(self, path: str = "ramp") -> None:
        """Refuses a ramp without a length."""
        if self.start is not None and not self.tokens:
            raise ConfigError(f"{path}.tokens: say over how many tokens the batch grows from {path}.start")
        if self.start is None and (self.increment is not None or self.tokens):
            raise ConfigError(f"{path}.start: say with how many samples a step the ramp begins")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """AdamW; defaults of the reference (arXiv 2401.02954, section 2.3)."""

    learning_rate: float = setting("highest learning rate; by default the 7B model's", 4.2e-4, above=0)
    beta1: float = setting("decay of the first moment", 0.9, least=0, below=1)
    beta2: float = setting("decay of the second moment", 0.95, least=0, below=1)
    eps: float = setting("added to the root of the second moment", 1e-8, above=0)
    weight_decay: float = setting("decoupled decay, on matrices only", 0.1, least=0)
    clip: float | None = setting("largest global gradient norm; null for no clipping", 1.0, above=0)
    skip_limit: int = setting("steps in a row with a non-finite gradient after which the run stops", 5, least=1)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The learning rate over the run, as a factor of the highest."""

    kind: Literal["multi-step", "cosine", "wsd", "constant"] = setting("shape after the warm-up", "multi-step")
    warmup_steps: int = setting("steps of linear warm-up", 2000, least=0)
    milestones: tuple[float, ...] = setting("multi-step: shares of the run after which the rate falls", (0.8, 0.9))
    factors: tuple[float, ...] = setting("multi-step: factor of the highest rate after each", (0.316, 0.1))
    decay_share: float = setting("wsd: last share of the run, in which the rate falls", 0.2, above=0, most=1)
    floor: float = setting("cosine and wsd: factor of the highest rate at the end", 0.1, least=0, most=1)

    def check(self, path: str = "schedule") -> None:
        """Refuses milestones that are not an increasing list of shares with one factor each."""
        if len(self.milestones) != len(self.factors):
            raise ConfigError(f"{path}.factors: {len(self.factors)} values for {len(self.milestones)} milestones")
        if list(self.milestones) != sorted(set(self.milestones)) or not all(0 < m < 1 for m in self.milestones):
            raise ConfigError(f"{path}.milestones: {list(self.milestones)} must increase and lie between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """When the run is saved and what is kept."""

    every: int = setting("steps between checkpoints; the last step is always saved", 1000, least=1)
    keep: int = setting("newest checkpoints to keep, at least 1", 3, least=1)
    keep_every: int | None = setting(
        "keep for good each checkpoint whose step this divides; null for none", None, least=1
    )
    background: bool = setting(
        "copy the state to the CPU's memory and write it while the next steps go on; false waits until it is written",
        True,
    )


@dataclass(frozen=True, kw_only=True)
class ParallelConfig:
    """How the processes of torchrun share a run; one process takes no notice of it."""

    kind: Literal["zero1", "fully_shard"] = setting(
        "zero1: every GPU holds the weights, 1/N of the moments; fully_shard: 1/N of everything, weights gathered by "
        "block when needed", "zero1",
    )  # fmt: skip
    bucket_mb: int = setting("zero1: megabytes of float32 gradients that are sent together", 128, least=1)


@dataclass(frozen=True, kw_only=True)
class ValidationSet:
    """Documents to measure on, in a folder of shards."""

    path: str = setting("folder that holds shards.json")
    name: str | None = setting("what its rows are called; null takes the folder's name", None)
    split: str = setting("split of the shards", "validation")


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """Loss on held-out documents while training."""

    every: int | None = setting("steps between validations (and one at the end); null for none", 500, least=1)
    tokens: int = setting("most tokens of each set to read each time", 1_000_000, least=1)
    shards: tuple[ValidationSet, ...] | None = setting(
        "sets to measure on: a folder, or a list of folders, or of {path, name, split}; null takes the validation "
        "splits of data.shards", None,
    )  # fmt: skip

    def check(self, path: str = "validation") -> None:
        """Refuses two sets of one name."""
        names = [entry.name for entry in self.shards or () if entry.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{path}.shards: two sets are called {name}; give each a name of its own")


@dataclass(frozen=True, kw_only=True)
class MetricsConfig:
    """What is written down beside metrics.jsonl."""

    tensorboard: bool = setting("also write the output folder's tensorboard/; needs the package tensorboard", False)
    peak_tflops: float | None = setting(
        "dense peak of one device in TFLOP/s, which MFU is a share of; null takes a known GPU's for bfloat16", None,
        above=0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A whole run: ``gristmill train training.yaml``."""

    model: ModelConfig = setting("the decoder")
    data: DataConfig = setting("what a step reads")
    output: str = setting("folder of the run: config.yaml, metrics.jsonl, checkpoints/")
    steps: int | None = setting("optimizer steps of the run; give this or tokens", None, least=1)
    tokens: int | None = setting("training tokens of the run, rounded up to whole steps", None, least=1)
    optimizer: OptimizerConfig = setting("AdamW", factory=OptimizerConfig)
    schedule: ScheduleConfig = setting("learning rate over the run", factory=ScheduleConfig)
    ramp: RampConfig = setting("smaller batches at the start", factory=RampConfig)
    parallel: ParallelConfig = setting("several processes", factory=ParallelConfig)
    checkpoint: CheckpointConfig = setting("when the run is saved", factory=CheckpointConfig)
    validation: ValidationConfig = setting("loss on held-out documents", factory=ValidationConfig)
    metrics: MetricsConfig = setting("what is written down", factory=MetricsConfig)
    seed: int = setting("seed of the initial weights", 0, least=0)
    device: Literal["auto", "cpu", "cuda"] = setting("auto takes a GPU when there is one", "auto")
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "type of the forward and backward pass; auto is bfloat16 on a GPU, float32 on a CPU; "
        "weights, moments and accumulated gradients are float32 always", "auto",
    )  # fmt: skip
    threads: int | None = setting(
        "CPU threads; null for all. Results repeat bit for bit only at the same number", None, least=1
    )
    kernels: Literal["reference", "compile"] = setting("reference: plain PyTorch; compile: torch.compile", "reference")
    recompute: int = setting(
        "activation checkpointing: recompute the insides of every n-th block in the backward pass instead of storing "
        "them; 1 all, 2 every second, 0 none", 0, least=0,
    )  # fmt: skip

    def check(self, path: str = "") -> None:
        """Refuses a run without a length, or whose samples are longer than its model allows."""
        if (self.steps is None) == (self.tokens is None):
            raise ConfigError("steps: give steps or tokens, and only one of them, to say how long the run is")
        if self.context > self.model.context:
            raise ConfigError(
                f"data.context: {self.context} is longer than model.context = {self.model.context}; "
                "lower the one or raise the other"
            )
        ramp = self.ramp
        if ramp.start is not None:
            if ramp.start >= self.data.batch:
                raise ConfigError(f"ramp.start: {ramp.start} is not below data.batch = {self.data.batch}")
            if ramp.increment and (self.data.batch - ramp.start) % ramp.increment:
                raise ConfigError(
                    f"ramp.increment: {ramp.increment} does not lead from ramp.start = {ramp.start} to "
                    f"data.batch = {self.data.batch} in whole stages; try a divisor of {self.data.batch - ramp.start}"
                )
        if self.schedule.kind != "constant" and self.schedule.warmup_steps >= self.total_steps:
            raise ConfigError(
                f"schedule.warmup_steps: {self.schedule.warmup_steps} leaves nothing of the run's {self.total_steps} "
                "steps; the reference takes 2000 of some 200,000, one in a hundred is a fair start"
            )

    @property
    def context(self) -> int:
        """Tokens in a sample."""
        return self.data.context or self.model.context

    @functools.cached_property
    def batches(self) -> BatchRamp:
        """How many samples each step reads."""
        full, ramp = self.data.batch, self.ramp
        start = ramp.start or full
        return BatchRamp(full, start, ramp.increment or max(1, full - start), math.ceil(ramp.tokens / self.context))

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return (
            self.steps if self.steps is not None else self.batches.steps(math.ceil((self.tokens or 0) / self.context))
        )

    def tokens_before(self, step: int) -> int:
        """Training tokens of all steps before one (counted from 0)."""
        return self.batches.samples_before(step) * self.context

    def progress(self, step: int) -> float:
        """Share of the run's training tokens that come before a step."""
        return self.tokens_before(step) / self.tokens_before(self.total_steps)


def training_config(mapping: Mapping[str, Any]) -> TrainingConfig:
    """Reads a run from a mapping (a parsed YAML or JSON file); raises ConfigError naming the key."""
    return from_mapping(TrainingConfig, mapping)


def model_config(mapping: Mapping[str, Any]) -> ModelConfig:
    """Reads a model from a mapping: ``{"preset": "deepseek-7b", ...overrides}`` or every size spelt out."""
    return from_mapping(ModelConfig, mapping, "model")


def from_mapping(kind: type[T], mapping: Any, path: str = "") -> T:
    """Fills the dataclass ``kind`` from a mapping and checks it; ``path`` is where the mapping stands."""
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{path or 'the configuration'}: expected keys and values, got {_shown(mapping)}")
    if kind is ModelConfig:
        mapping = _with_preset(mapping, path)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in mapping:
        if key not in fields:
            raise ConfigError(f"{_join(path, str(key))}: unknown key{_nearest(str(key), fields)}")
    values = {}
    for name, f in fields.items():
        if name in mapping:
            value = mapping[name]
            if name == "shards" and value is not None:
                value = _shards(value, _join(path, name))
            values[name] = _convert(value, hints[name], _join(path, name))
            _within(values[name], f.metadata["limits"], _join(path, name))
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{_join(path, name)}: missing; {f.metadata['help']}")
    config = kind(**values)
    if hasattr(config, "check"):
        config.check(path)
    return config


def to_mapping(config: Any) -> dict[str, Any]:
    """The settings as plain dicts, lists, strings and numbers, ready for JSON; ``from_mapping`` reads them back."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def to_yaml(config: Any) -> str:
    """The settings as YAML, written here so that saving a run needs no YAML library."""
    return "".join(_yaml_lines(to_mapping(config), ""))


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> list[tuple[str, Any, Any]]:
    """Keys whose values differ between two configurations as mappings: (path, old value, new value)."""
    changes: list[tuple[str, Any, Any]] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changes += changed_keys(before, after, _join(path, key))
        elif before != after:
            changes.append((_join(path, key), before, after))
    return changes


def with_overrides(mapping: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a configuration mapping with ``{"data.batch": 8, ...}`` set in it, folders of keys made as needed."""
    result = json.loads(json.dumps(mapping))
    for path, value in overrides.items():
        *parents, last = path.split(".")
        place = result
        for name in parents:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{path}: {name} is a single value and has no keys below it")
        place[last] = value
    return result


def describe(kind: Any = TrainingConfig, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every setting as (key path, default, help text), in the order of the file."""
    hints = typing.get_type_hints(kind)
    for f in dataclasses.fields(kind):
        inner = hints[f.name]
        if dataclasses.is_dataclass(inner):
            yield from describe(inner, _join(path, f.name))
        else:
            default = "required" if f.default is dataclasses.MISSING else json.dumps(f.default)
            yield _join(path, f.name), default, f.metadata["help"]


def _with_preset(mapping: Mapping[str, Any], path: str) -> dict[str, Any]:
    name = mapping.get("preset")
    if name is None:
        return dict(mapping)
    if name not in PRESETS:
        raise ConfigError(f"{_join(path, 'preset')}: no model is called {_shown(name)}{_nearest(str(name), PRESETS)}")
    return {**PRESETS[name], **mapping}


def _shards(value: Any, path: str) -> Any:
    """One folder, a list of folders, or a list of {path, …}: all as the last."""
    entries = [value] if isinstance(value, (str, Mapping)) else value
    if not isinstance(entries, (list, tuple)):
        raise ConfigError(f"{path}: expected a folder or a list of folders, got {_shown(value)}")
    return [{"path": entry} if isinstance(entry, str) else entry for entry in entries]


def _convert(value: Any, hint: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(value, next(a for a in arguments if a is not type(None)), path)
    if origin is Literal:
        if value not in arguments:
            names = ", ".join(map(str, arguments))
            raise ConfigError(f"{path}: {_shown(value)} is none of {names}{_nearest(str(value), arguments)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{path}: expected a list, got {_shown(value)}")
        return tuple(_convert(item, arguments[0], f"{path}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), value, path)
    if hint in (int, float):
        return _number(value, hint, path)
    if not isinstance(value, hint):
        raise ConfigError(f"{path}: expected {_NAMES[hint]}, got {_shown(value)}")
    return value


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def _number(value: Any, kind: type, path: str) -> Any:
    """Takes 1e-4 too, which YAML 1.1 reads as a string, and 2e9 where a whole number is asked."""
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError
        number = float(value) if isinstance(value, str) else value
        if not math.isfinite(number) or (kind is int and number != int(number)):
            raise ValueError
        return kind(number)
    except (TypeError, ValueError):
        raise ConfigError(f"{path}: expected {_NAMES[kind]}, got {_shown(value)}") from None


def _within(value: Any, limits: Mapping[str, float], path: str) -> None:
    if value is None:
        return
    rules = {
        "least": ("at least", lambda v, limit: v >= limit),
        "above": ("more than", lambda v, limit: v > limit),
        "most": ("at most", lambda v, limit: v <= limit),
        "below": ("less than", lambda v, limit: v < limit),
    }
    for name, limit in limits.items():
        words, holds = rules[name]
        if not holds(value, limit):
            raise ConfigError(f"{path}: {_shown(value)} is impossible, it must be {words} {limit:g}")


def _nearest(name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, [str(v) for v in valid], 1, 0.5)
    return f"; did you mean {close[0]}?" if close else f"; valid are {', '.join(str(v) for v in valid)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _yaml_lines(mapping: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:\n"
            yield from _yaml_lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {json.dumps(value)}\n"  # JSON scalars and lists are YAML
