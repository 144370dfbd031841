"""Which preset judges which languages with which thresholds: `filter.presets` and `filter.by_language` as one list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from filters.presets import load_preset
from pipeline.config import Filter, LanguageRules, PresetUse
from pipeline.config.languages import languages_of
from pipeline.config.presets import Threshold, in_full


class Scope(NamedTuple):
    """Languages: ``only`` these, all when None, ``but`` not those."""

    only: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    def within(self, other: Scope) -> Scope:
        """The languages of both."""
        but = self.but | other.but
        if self.only is None and other.only is None:
            return Scope(None, but)
        both = [scope.only for scope in (self, other) if scope.only is not None]
        return Scope(frozenset.intersection(*both) - but)

    def without(self, other: Scope) -> Scope:
        """These languages, but none of the other's."""
        return self.within(Scope(other.but) if other.only is None else Scope(None, other.only))

    @property
    def empty(self) -> bool:
        """Whether no language is left."""
        return self.only is not None and not self.only


EVERYWHERE = Scope()


class Group(NamedTuple):
    """An entry of `filter.by_language`. ``label``: its key as a part of a rule's name, such as de-fr."""

    key: str
    label: str
    scope: Scope
    rules: LanguageRules


class Use(NamedTuple):
    """A preset in use. ``key``: where in the config; ``group``: of `filter.by_language`, if it stands there;
    ``own_name``: of a file, what it says inside.
    """

    key: str
    group: str | None
    name: str
    own_name: str
    label: str
    scope: Scope
    overrides: dict[str, Threshold | None]

    @property
    def keys(self) -> list[str]:
        """What stands for it under `overrides`: its preset, whatever it is called, then its label, which wins."""
        return list(dict.fromkeys([self.name, self.own_name, self.label]))


def groups_of(config: Filter) -> list[Group]:
    """The entries of `filter.by_language`."""
    named = {key: languages_of(key) for key in config.by_language}
    every = frozenset(language for languages in named.values() for language in languages)
    return [
        Group(
            key, "-".join(named[key]) or key, Scope(frozenset(named[key])) if named[key] else Scope(None, every), rules
        )
        for key, rules in config.by_language.items()
    ]


def by_scope(
    default: float | None, own: list[tuple[Group, float | None]], where: Scope, add: Callable[[float, str, Scope], None]
) -> None:
    """Shares out a threshold: ``add`` is given the default with the languages that have none of their own, then each
    group's, with what its rule's name ends in.
    """
    rest = where
    for group, _ in own:
        rest = rest.without(group.scope)
    if default is not None and not rest.empty:
        add(default, "", rest)
    for group, value in own:
        inside = where.within(group.scope)
        if value is not None and not inside.empty:
            add(value, f"-{group.label}", inside)


def uses_of(config: Filter) -> list[Use]:
    """Every preset in use, in order; one with thresholds of their own for some languages comes once more for these.

    Raises:
        ValueError: see ``load_preset``.
    """
    groups = groups_of(config)
    found: list[Use] = []
    for use in entries(config):
        rest = use.scope
        split: list[Use] = []
        for group in groups:
            changes = _overrides(use, group.rules.overrides)
            inside = use.scope.within(group.scope)
            if changes and not inside.empty and use.group is None:
                label = f"{use.label}-{group.label}"
                split.append(use._replace(label=label, scope=inside, overrides=use.overrides | changes))
                rest = rest.without(group.scope)
        if not rest.empty:
            found.append(use._replace(scope=rest))
        found += split
    return found


def named_uses(config: Filter) -> list[tuple[str, PresetUse, Group | None]]:
    """Where in the config presets are named, and how; with the group of languages they stand in."""
    named: list[tuple[str, PresetUse, Group | None]] = [
        (f"filter.presets[{number}]", use, None) for number, use in enumerate(config.uses())
    ]
    for group in groups_of(config):
        uses = in_full(group.rules.presets)
        named += [(f"filter.by_language.{group.key}.presets[{n}]", use, group) for n, use in enumerate(uses)]
    return named


def entries(config: Filter) -> list[Use]:
    """The presets as the config names them, not yet divided by thresholds for some languages."""
    named = named_uses(config)
    presets = [load_preset(use.name) for _, use, _ in named]
    own_names = [
        preset.name if use.name.endswith((".yaml", ".yml")) else use.name
        for preset, (_, use, _) in zip(presets, named, strict=True)
    ]
    found = []
    for (key, use, group), preset, own_name in zip(named, presets, own_names, strict=True):
        languages = use.languages or (preset.languages if group is None else None)
        scope = Scope(frozenset(languages)) if languages else EVERYWHERE
        told_apart = [*(use.languages or ([group.label] if group else []))] if own_names.count(own_name) > 1 else []
        made = Use(
            key, group and group.key, use.name, own_name, use.label or "-".join([own_name, *told_apart]), scope, {}
        )
        overrides = _overrides(made, config.overrides)
        if group is not None:
            made = made._replace(scope=scope.within(group.scope))
            overrides |= _overrides(made, group.rules.overrides)
        found.append(made._replace(overrides=overrides))
    return found


def _overrides(use: Use, by_key: Mapping[str, Mapping[str, Threshold | None]]) -> dict[str, Threshold | None]:
    """The thresholds for one use: those of its preset, then those of its label."""
    return {rule: value for key in use.keys for rule, value in by_key.get(key, {}).items()}
