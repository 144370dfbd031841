"""What `filter.by_language` holds: rules and thresholds for documents of some languages."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.presets import AnyUse, Threshold
from pipeline.config.section import Section, Share

OTHER = "other"


class LanguageRules(Section):
    """What judges the documents of some languages, beside or in place of what judges all."""

    presets: list[AnyUse] = Field(
        default=[], description="Presets that judge these languages only, after those of `filter.presets`."
    )
    overrides: dict[str, dict[str, Threshold | None]] = Field(
        default={}, description="Thresholds for these languages, by preset and rule; null switches a rule off."
    )
    minimum_score: Share | None = Field(
        default=None,
        description="Least confidence of the language model, in place of `filter.language.minimum_score`.",
    )
    quality: dict[str, Share | None] = Field(
        default={},
        description="Least score by model of `filter.quality`, in place of its `minimum`; null removes nothing.",
    )


def languages_of(key: str) -> tuple[str, ...]:
    """The languages that a key of `filter.by_language` names: `de, fr` are two; none for `other`."""
    names = tuple(name.strip() for name in key.split(","))
    return () if names == (OTHER,) else names


def check_keys(keys: list[str]) -> None:
    """Refuses a language named twice, or in no way that can be read.

    Raises:
        ValueError: names it.
    """
    seen: dict[str, str] = {}
    for key in keys:
        for language in languages_of(key):
            if not language:
                raise ValueError(f"`{key}` names no language where a comma says so: write `de, fr`")
            if language == OTHER:
                raise ValueError(f"`{key}`: `other` stands alone, for the languages that are not named")
            if language in seen:
                raise ValueError(f"`{language}` is named by `{seen[language]}` and by `{key}`: leave one of them out")
            seen[language] = key
