"""The rules in force: what the filter's settings say, as presets with their thresholds."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import pyarrow as pa

from filters import statistics
from filters.decisions import decide
from filters.presets import FINEWEB_LANGUAGE_SCORE, Preset, language_preset, load_preset, quality_preset
from filters.urls import url_preset
from pipeline import contamination
from pipeline.config import Filter, nearest
from pipeline.config.presets import Threshold
from pipeline.errors import ConfigError
from pipeline.preset_uses import EVERYWHERE, Scope, Use, by_scope, entries, groups_of, named_uses, uses_of

Thresholds = dict[str, Threshold | None]
RESERVED = ("url", "language", "quality", contamination.PRESET, "lines")  # what the pipeline's own rules are called


def presets_of(config: Filter) -> list[Preset]:
    """Rules in force, in the order in which a removal is put down to them.

    First those of URLs and of languages, then the presets, quality and decontamination.

    Raises:
        ValueError: see ``load_preset``; ``check`` says the same with the keys.
    """
    return [
        *_url_presets(config),
        *_language_presets(config),
        *used_presets(config),
        *_quality_presets(config),
        *_decontamination_presets(config),
    ]


def _decontamination_presets(config: Filter) -> list[Preset]:
    preset = contamination.preset(config.decontamination)
    return [preset] if preset else []


def _url_presets(config: Filter) -> list[Preset]:
    urls = config.urls
    preset = url_preset(urls.block.given(), urls.block.soft_words_minimum, urls.only_allowed)
    return [preset] if preset.rules else []


def used_presets(config: Filter) -> list[Preset]:
    """One preset for each of ``filter.presets`` and ``filter.by_language``, with thresholds, languages and label."""
    return [_used(use) for use in uses_of(config)]


def _used(use: Use) -> Preset:
    return _judging(use.scope, load_preset(use.name, use.overrides, None, use.label))


def _judging(scope: Scope, preset: Preset) -> Preset:
    only = None if scope.only is None else tuple(sorted(scope.only))
    return dataclasses.replace(preset, languages=only, except_languages=tuple(sorted(scope.but)))


def _language_presets(config: Filter) -> list[Preset]:
    """Which languages stay, then how certain they must be."""
    keep, minimum = config.language.keep, config.language.minimum_score
    if keep and minimum is None:
        minimum = FINEWEB_LANGUAGE_SCORE
    presets = [language_preset(keep, None)] if keep else []

    def add(least: float, suffix: str, scope: Scope) -> None:
        presets.append(_judging(scope, language_preset(None, least, f"score{suffix}")))

    groups = [(group, group.rules.minimum_score) for group in groups_of(config)]
    by_scope(minimum, [(group, least) for group, least in groups if least is not None], EVERYWHERE, add)
    return presets


def _quality_presets(config: Filter) -> list[Preset]:
    """A rule for each model that has a threshold, and one for each group of languages that has another."""
    presets: list[Preset] = []
    for name, model in config.quality.items():

        def add(least: float, suffix: str, scope: Scope, name: str = name) -> None:
            presets.append(_judging(scope, quality_preset(name, least, f"{name}{suffix}")))

        groups = [group for group in groups_of(config) if name in group.rules.quality]
        by_scope(
            model.minimum, [(group, group.rules.quality[name]) for group in groups], _scope_of(model.languages), add
        )
    return presets


def _scope_of(languages: list[str] | None) -> Scope:
    return EVERYWHERE if languages is None else Scope(frozenset(languages))


def check(config: Filter) -> None:
    """Refuses presets, rules and thresholds that do not exist, cannot be used together or would change nothing.

    Raises:
        ConfigError: names the key and the remedy.
    """
    for key, named, _ in named_uses(config):
        with _of(key):
            load_preset(named.name)
    _check_labels(entries(config))
    _check_overrides(config)
    _check_languages(config)
    with _of("filter.overrides"):  # together: line rules can be impossible beside each other only
        presets = presets_of(config)
    measured = annotation_schema(config)
    for use in uses_of(config):
        for rule in _used(use).rules:
            if rule.statistic not in measured.names:
                raise ConfigError(
                    f"{use.key}: rule {use.label}/{rule.name} asks for `{rule.statistic}`, which is not measured; a "
                    "quality model's score is `quality_NAME`, its label `label_NAME`, by its name in filter.quality"
                )
    counted = [pa.field(rule.statistic, pa.uint32()) for preset in _url_presets(config) for rule in preset.rules]
    with _of("filter.presets"):
        shared = contamination.schema(list(config.decontamination.sets))
        decide(pa.schema([*measured, *counted, *shared]).empty_table(), presets)


def annotation_schema(config: Filter) -> pa.Schema:
    """The columns that rules can ask for."""
    types = {"quality": pa.float32(), "label": pa.string()}
    return pa.schema(
        [
            ("language", pa.string()),
            ("language_score", pa.float32()),
            *(
                (column, types[kind])
                for name, model in config.quality.items()
                for kind, column in model.columns(name).items()
            ),
            *statistics.schema(),
        ]
    )


def _check_labels(uses: list[Use]) -> None:
    for number, use in enumerate(uses):
        if use.label in RESERVED:
            raise ConfigError(
                f"{use.key}: `{use.label}` is what rules of the pipeline's own are called; give a `label`"
            )
        for before in uses[:number]:
            again = before.own_name == use.own_name and before.group is None and use.group is not None
            if again and not before.scope.within(use.scope).empty:
                raise ConfigError(
                    f"{use.key}: `{use.own_name}` judges these languages already, as {before.key}: set its thresholds "
                    f"under filter.by_language.{use.group}.overrides, or leave it out there"
                )
            if before.label == use.label:
                raise ConfigError(
                    f"{use.key}: `{use.label}` is {before.key} already; give one of them a `label` of its own, such as "
                    f"{{name: …, label: {use.label}-2}}, or leave it out"
                )


def _check_overrides(config: Filter) -> None:
    uses = entries(config)
    for key, thresholds in config.overrides.items():
        _check_override(f"filter.overrides.{key}", uses, key, thresholds, "is not among filter.presets")
    for group in groups_of(config):
        where = f"filter.by_language.{group.key}.overrides"
        here = [use for use in uses if not use.scope.within(group.scope).empty]
        for key, thresholds in group.rules.overrides.items():
            _check_override(f"{where}.{key}", here, key, thresholds, f"does not judge {group.key}")


def _check_override(where: str, uses: list[Use], key: str, thresholds: Thresholds, problem: str) -> None:
    meant = [use for use in uses if key in use.keys]
    if not meant:
        known = list(dict.fromkeys([*(use.label for use in uses), *(use.own_name for use in uses)]))
        raise ConfigError(f"{where}: this preset {problem}; {nearest(key, known)}")
    for use in meant:
        with _of(where):
            load_preset(use.name, thresholds)


def _check_languages(config: Filter) -> None:
    """Refuses rules for languages that the filter leaves no document of, or that a model does not judge."""
    keep = config.language.keep
    for group in groups_of(config):
        where = f"filter.by_language.{group.key}"
        if keep and _scope_of(keep).within(group.scope).empty:
            raise ConfigError(f"{where} has no documents: filter.language.keep leaves only {', '.join(keep)}")
        for language in group.scope.only or ():
            if keep and language not in keep:
                raise ConfigError(f"{where}: `{language}` has no documents, for filter.language.keep does not name it")
        for name in group.rules.quality:
            judges = config.quality[name].languages
            if _scope_of(judges).within(group.scope).empty:
                raise ConfigError(f"{where}.quality.{name}: this model judges only {', '.join(judges or ())}")


@contextlib.contextmanager
def _of(key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{key}: {error.filename}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None
