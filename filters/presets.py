"""Presets: published sets of rules as data, with the user's thresholds. ``filters.decisions`` asks them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from filters.line_rules import LineRules, line_rules
from filters.names import unknown
from filters.statistics import STATISTICS

Bound = Literal["minimum", "maximum", "above", "below"]
FINEWEB_LANGUAGE_SCORE = 0.65  # for fastText's lid.176; arXiv 2406.17557, section 3.3
BOUNDS: tuple[Bound, ...] = ("minimum", "maximum", "above", "below")
_WORDS = {"minimum": "≥", "maximum": "≤", "above": ">", "below": "<"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a document must meet to stay.

    Its value must be at least the threshold (``minimum``), at most (``maximum``), ``above`` or ``below`` it; ``one_of``
    takes the place of a bound for a text column. A null or NaN meets no rule.
    """

    name: str
    statistic: str
    bound: Bound | None = None
    threshold: float | None = None
    one_of: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        """The rule as a condition, for example ``content_words ≥ 50``."""
        if self.bound is None:
            return f"{self.statistic} in {', '.join(self.one_of)}"
        return f"{self.statistic} {_WORDS[self.bound]} {self.threshold:g}"


@dataclasses.dataclass(frozen=True)
class Preset:
    """Rules in the order in which they are asked.

    ``languages`` limits the rules to documents of these languages: all others pass, and so do those of
    ``except_languages`` (``filters.decisions.judged``). ``lines`` are the line rules that rewrite the documents that
    stay (``filters.line_rules.edit_lines``), or None.
    """

    name: str
    rules: tuple[Rule, ...]
    source: str = ""
    lines: LineRules | None = None
    divergences: tuple[str, ...] = ()
    languages: tuple[str, ...] | None = None
    except_languages: tuple[str, ...] = ()


def preset_names() -> list[str]:
    """The presets that are shipped, sorted."""
    return sorted(file.name.removesuffix(".yaml") for file in _folder().iterdir() if file.name.endswith(".yaml"))


def load_preset(
    name: str,
    overrides: Mapping[str, bool | int | float | str | None] | None = None,
    languages: Collection[str] | None = None,
    label: str | None = None,
) -> Preset:
    """Reads a preset and applies the user's thresholds.

    Args:
        name: one of ``preset_names()``, or the path of a preset of the user's own (``*.yaml``, the same format).
        overrides: a threshold by rule name; None switches the rule off. ``lines.FIELD`` sets a line rule instead, which
            changes how documents are rewritten, not the statistics of the line rules as published.
        languages: limits the preset to documents in these languages; None keeps what the preset says (mostly all).
        label: another name for the preset, so that it can be used twice, for example with thresholds by language.

    Raises:
        ValueError: a preset, rule or statistic that does not exist (with the nearest that does), or a threshold that
            no document or every document meets.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ValueError(f"preset {name!r}: no such file; give the path of a YAML file or one of {preset_names()}")
        text = path.read_text(encoding="utf-8")
    elif name in preset_names():
        text = _folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    else:
        raise ValueError(unknown("preset", name, preset_names()))
    preset = _parse(name, text)

    lines = preset.lines
    rules = {rule.name: rule for rule in preset.rules}
    line_changes: dict[str, Any] = {}
    for key, value in (overrides or {}).items():
        if key.startswith("lines."):
            if lines is None:
                raise ValueError(f"preset {name!r} has no line rules, so {key!r} cannot be set")
            line_changes[key.removeprefix("lines.")] = value
        elif key not in rules:
            raise ValueError(f"preset {name!r}: {unknown('rule', key, rules)}")
        elif value is None:
            del rules[key]
        else:
            if rules[key].bound is None:
                raise ValueError(
                    f"preset {name!r}: rule {key!r} names texts and has no threshold; null switches it off"
                )
            rules[key] = dataclasses.replace(rules[key], threshold=_threshold(name, rules[key], value))
    if line_changes:
        defaults = dataclasses.asdict(LineRules())
        given = dataclasses.asdict(lines or LineRules())
        given |= {key: defaults.get(key) if value is None else value for key, value in line_changes.items()}
        lines = line_rules(f"preset {name!r}", given)
    return dataclasses.replace(
        preset,
        name=label or preset.name,
        rules=tuple(rules.values()),
        lines=lines,
        languages=preset.languages if languages is None else tuple(sorted(languages)),
    )


def language_preset(
    languages: Collection[str] | None, minimum_score: float | None = FINEWEB_LANGUAGE_SCORE, rule: str = "score"
) -> Preset:
    """Keeps documents in the given languages (labels as the language model writes them) that are certain enough.

    None keeps every language, or whatever the score. ``rule``: what the rule about the score is called.

    Raises:
        ValueError: no language, or a score outside 0 to 1.
    """
    rules = []
    if languages is not None:
        if not languages:
            raise ValueError("language rule: no languages; name at least one, or leave the rule out")
        wanted = tuple(sorted(languages))
        rules.append(Rule("language", "language", one_of=wanted, reason="not in a wanted language"))
    if minimum_score is not None:
        if not 0 <= minimum_score <= 1:
            raise ValueError(f"language rule: minimum score {minimum_score!r} is not between 0 and 1")
        rules.append(Rule(rule, "language_score", "minimum", minimum_score, reason="the language is uncertain"))
    return Preset("language", tuple(rules))


def quality_preset(model: str, minimum: float, rule: str | None = None) -> Preset:
    """Keeps documents whose score by a quality model, ``quality_<model>``, is at least ``minimum`` [0, 1].

    The rule is called as the model where it has no name of its own.

    Raises:
        ValueError: a score outside 0 to 1.
    """
    if not 0 <= minimum <= 1:
        raise ValueError(f"quality rule: minimum score {minimum!r} is not between 0 and 1")
    reason = "the quality model scores it too low"
    return Preset("quality", (Rule(rule or model, f"quality_{model}", "minimum", minimum, reason=reason),))


def _folder() -> Any:
    return resources.files("filters").joinpath("presets")


@functools.lru_cache(maxsize=64)
def _parse(where: str, text: str) -> Preset:
    """Reads the YAML of a preset."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"preset {where!r} is not YAML: {error}") from error
    if not isinstance(values, dict) or not isinstance(values.get("rules"), list) or "name" not in values:
        raise ValueError(f"preset {where!r} needs at least the keys name and rules")
    known = ("name", "source", "languages", "lines", "rules", "divergences")
    for key in values:
        if key not in known:
            raise ValueError(f"preset {where!r}: {unknown('key', key, known)}")
    rules: list[Rule] = []
    for entry in values["rules"]:
        rule = _parse_rule(where, entry)
        if any(rule.name == other.name for other in rules):
            raise ValueError(f"preset {where!r}: two rules are named {rule.name!r}")
        rules.append(rule)
    return Preset(
        name=str(values["name"]),
        rules=tuple(rules),
        source=str(values.get("source", "")),
        lines=line_rules(f"preset {where!r}", values["lines"]) if values.get("lines") else None,
        divergences=tuple(values.get("divergences") or ()),
        languages=tuple(sorted(values["languages"])) if values.get("languages") else None,
    )


def _parse_rule(where: str, entry: Any) -> Rule:
    if not isinstance(entry, dict) or "name" not in entry or "statistic" not in entry:
        raise ValueError(f"preset {where!r}: each rule needs a name, a statistic and a bound, not {entry!r}")
    name, statistic = str(entry["name"]), str(entry["statistic"])
    known = ("name", "statistic", "reason", "one_of", *BOUNDS)
    for key in entry:
        if key not in known:
            raise ValueError(f"preset {where!r}, rule {name!r}: {unknown('key', key, known)}")
    reason = str(entry.get("reason", ""))
    if statistic == "language" or statistic.startswith("label_"):  # text; a model's columns are named by the user
        values = entry.get("one_of")
        if not isinstance(values, list) or not values or any(bound in entry for bound in BOUNDS):
            raise ValueError(f"preset {where!r}, rule {name!r}: {statistic} is text and needs one_of, a list of texts")
        return Rule(name, statistic, one_of=tuple(map(str, values)), reason=reason)
    if statistic not in STATISTICS and statistic != "language_score" and not statistic.startswith("quality_"):
        raise ValueError(f"preset {where!r}, rule {name!r}: {unknown('statistic', statistic, STATISTICS)}")
    bounds: list[Bound] = [bound for bound in BOUNDS if bound in entry]
    if len(bounds) != 1 or "one_of" in entry:
        raise ValueError(f"preset {where!r}, rule {name!r} needs exactly one of {', '.join(BOUNDS)}")
    rule = Rule(name, statistic, bounds[0], reason=reason)
    return dataclasses.replace(rule, threshold=_threshold(where, rule, entry[bounds[0]]))


def _threshold(where: str, rule: Rule, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"preset {where!r}, rule {rule.name!r}: the threshold must be a number, not {value!r}")
    largest = 1 if rule.statistic.endswith("_fraction") else math.inf
    if not 0 <= value <= largest:
        range_text = "between 0 and 1" if largest == 1 else "0 or more"
        raise ValueError(f"preset {where!r}, rule {rule.name!r}: {rule.statistic} is {range_text}, not {value!r}")
    return value
