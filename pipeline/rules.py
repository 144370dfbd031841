"""The rules in force: what the filter's settings say, as presets with their thresholds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from filters import statistics
from filters.decisions import decide
from filters.presets import Preset, language_preset, load_preset, quality_preset
from pipeline.config import Filter, PresetUse, nearest
from pipeline.config.filter import Threshold
from pipeline.errors import ConfigError

FINEWEB_LANGUAGE_SCORE = 0.65
RESERVED = ("language", "quality", "lines")  # what the pipeline's own rules are called


def presets_of(config: Filter) -> list[Preset]:
    """Rules in force, in the order in which a removal is put down to them: language, the presets, quality.

    Raises:
        ValueError: see ``load_preset``; ``check`` says the same with the keys.
    """
    presets = used_presets(config)
    language = config.language
    if language.keep or language.minimum_score is not None:
        score = FINEWEB_LANGUAGE_SCORE if language.minimum_score is None else language.minimum_score
        presets.insert(0, language_preset(language.keep or None, score))
    if config.quality:
        presets.append(quality_preset(config.quality.minimum))
    return presets


def used_presets(config: Filter) -> list[Preset]:
    """One preset for each of ``filter.presets``, with its thresholds, languages and label."""
    uses = config.uses()
    names = [_own_name(use) for use in uses]
    return [
        load_preset(use.name, _overrides(config, use, own, label), use.languages, label)
        for use, own, label in zip(uses, names, _labels(uses, names), strict=True)
    ]


def check(config: Filter) -> None:
    """Refuses presets, rules and thresholds that do not exist or cannot be used together.

    Raises:
        ConfigError: names the key and the remedy.
    """
    uses = config.uses()
    names = []
    for number, use in enumerate(uses):
        with _of(f"filter.presets[{number}]"):
            load_preset(use.name)
            names.append(_own_name(use))
    labels = _labels(uses, names)
    _check_labels(labels)
    _check_overrides(config, uses, names, labels)
    with _of("filter.overrides"):  # together: line rules can be impossible beside each other only
        presets = presets_of(config)
    measured = annotation_schema(with_quality=config.quality is not None)
    for number, preset in enumerate(used_presets(config)):
        for rule in preset.rules:
            if rule.statistic not in measured.names:
                raise ConfigError(
                    f"filter.presets[{number}]: rule {preset.name}/{rule.name} asks for `{rule.statistic}`, which is "
                    "not measured; a quality model's score is `quality`, once filter.quality gives a model"
                )
    with _of("filter.presets"):
        decide(measured.empty_table(), presets)


def annotation_schema(with_quality: bool) -> pa.Schema:
    """The columns of annotations that rules can ask for."""
    fields = [pa.field("language", pa.string()), pa.field("language_score", pa.float32())]
    quality = [pa.field("quality", pa.float32())] if with_quality else []
    return pa.schema([*fields, *quality, *statistics.schema()])


def _own_name(use: PresetUse) -> str:
    """A preset's own name: of a file, what it says inside."""
    return load_preset(use.name).name if use.name.endswith((".yaml", ".yml")) else use.name


def _labels(uses: list[PresetUse], names: list[str]) -> list[str]:
    """What each use is called: its label, else its preset's name, told apart by languages where it comes twice."""
    labels = []
    for use, name in zip(uses, names, strict=True):
        derived = "-".join([name, *(use.languages or [])]) if names.count(name) > 1 else name
        labels.append(use.label or derived)
    return labels


def _overrides(config: Filter, use: PresetUse, own_name: str, label: str) -> dict[str, Threshold | None]:
    """Thresholds for one use: those of its preset, then those of its label."""
    keys = dict.fromkeys([use.name, own_name, label])
    return {rule: value for key in keys for rule, value in config.overrides.get(key, {}).items()}


def _check_labels(labels: list[str]) -> None:
    for number, label in enumerate(labels):
        if label in RESERVED:
            raise ConfigError(
                f"filter.presets[{number}]: `{label}` is what rules of the pipeline's own are called; give a `label`"
            )
        if label in labels[:number]:
            raise ConfigError(
                f"filter.presets[{number}]: `{label}` is filter.presets[{labels.index(label)}] already; give one of "
                f"them a `label` of its own, such as {{name: …, label: {label}-2}}, or leave it out"
            )


def _check_overrides(config: Filter, uses: list[PresetUse], names: list[str], labels: list[str]) -> None:
    known = list(dict.fromkeys([*labels, *names]))
    for key, thresholds in config.overrides.items():
        meant = [use for use, name, label in zip(uses, names, labels, strict=True) if key in (use.name, name, label)]
        if not meant:
            raise ConfigError(f"filter.overrides.{key}: this preset is not among filter.presets; {nearest(key, known)}")
        for use in meant:
            with _of(f"filter.overrides.{key}"):
                load_preset(use.name, thresholds)


@contextlib.contextmanager
def _of(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{key}: {error.filename}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
