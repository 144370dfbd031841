"""The section `filter`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from pipeline.config.decontamination import Decontamination
from pipeline.config.languages import LanguageRules, check_keys
from pipeline.config.personal_data import PersonalData
from pipeline.config.presets import AnyUse, PresetUse, Threshold, in_full
from pipeline.config.quality import QualityModel, under_names
from pipeline.config.section import Section, Share, nearest
from pipeline.config.urls import Urls


class Language(Section):
    """Which languages stay."""

    keep: list[str] = Field(
        default=[],
        description="Languages to keep, as the language model labels them, such as en; `und` is text in which it knows "
        "nothing. Empty keeps all.",
    )
    minimum_score: Share | None = Field(
        default=None,
        description="Least confidence of the language model, with `keep` or without. When null, FineWeb's 0.65 where "
        "`keep` names languages, else none.",
    )
    model: str | None = Field(
        default=None, description="A fastText language model on local disk; the embedded lid.176 when empty."
    )


class Filter(Section):
    """Heuristic rules, language and quality."""

    presets: list[AnyUse] = Field(
        default=["gopher-repetition", "gopher-quality", "c4", "fineweb"],
        description="Rule presets in the order in which a removal is put down to them: a name, or "
        "{name: …, languages: […]} for some languages only.",
    )
    overrides: dict[str, dict[str, Threshold | None]] = Field(
        default={},
        description="Thresholds by preset and rule; null switches a rule off. A label stands for one use of a preset, "
        "its name for every use; the label's win.",
    )
    language: Language = Field(default=Language(), description="Language identification.")
    urls: Urls = Field(default=Urls(), description="Rules for the addresses of documents.")
    quality: dict[str, QualityModel] = Field(
        default={}, description="fastText models of your own by name: {NAME: {model: …, label: …, minimum: …}}."
    )
    by_language: dict[str, LanguageRules] = Field(
        default={},
        description="Rules for documents of one language, of several (`de, fr`), or of all that are not named "
        "(`other`): {zh: {presets: […], overrides: {…}, minimum_score: …, quality: {MODEL: …}}}.",
    )
    decontamination: Decontamination = Field(
        default=Decontamination(), description="Evaluation sets, and what happens to documents that have their texts."
    )
    personal_data: PersonalData = Field(
        default=PersonalData(), description="Placeholders for personal data in the texts that stay."
    )

    @field_validator("quality", mode="before")
    @classmethod
    def _models_have_names(cls, value: Any) -> Any:
        return under_names(value)

    @model_validator(mode="after")
    def _languages_are_told_apart(self) -> Filter:
        check_keys(list(self.by_language))
        for key, rules in self.by_language.items():
            for name, minimum in rules.quality.items():
                if name not in self.quality:
                    raise ValueError(
                        f"by_language.{key}.quality.{name} is no model; {nearest(name, list(self.quality))}"
                    )
                if minimum is not None and self.quality[name].scored_label is None:
                    raise ValueError(f"by_language.{key}.quality.{name}: this model gives no score, only labels")
        return self

    def uses(self) -> list[PresetUse]:
        """The presets that judge all languages, in order, each in its long form."""
        return in_full(self.presets)
