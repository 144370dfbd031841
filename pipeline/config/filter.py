"""The section `filter`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag

from pipeline.config.section import Section, Share


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


class Quality(Section):
    """A fastText quality model of the user's own."""

    model: str = Field(description="A fastText classifier on local disk, .bin or .ftz.")
    label: str = Field(default="positive", description="The label whose probability is the score.")
    minimum: Share = Field(default=0.5, description="Documents that score less are removed.")


class PresetUse(Section):
    """A rule preset for some languages only, or once more with other thresholds."""

    name: str = Field(description="Name of the preset, or the path of one of your own.")
    languages: list[str] | None = Field(
        default=None,
        min_length=1,
        description="The languages it judges; documents in others pass it. When empty, as the preset says: mostly all.",
    )
    label: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="What this use is called in overrides and results. When empty the preset's name; `name-languages`, "
        "such as c4-en, where a preset is used more than once.",
    )


def _kind_of_use(value: Any) -> str:
    return "PresetUse" if isinstance(value, (dict, PresetUse)) else "str"


AnyUse = Annotated[
    Annotated[str, Tag("str")] | Annotated[PresetUse, Tag("PresetUse")],
    Discriminator(_kind_of_use),  # errors of the one that is meant, not of both
]


# Text, numbers and switches: line rules have some of each. A whole number stays one.
Threshold = StrictBool | StrictInt | StrictFloat | StrictStr


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
    quality: Quality | None = Field(default=None, description="A quality model; none when empty.")

    def uses(self) -> list[PresetUse]:
        """The presets in use, in order, each in its long form."""
        return [PresetUse(name=use) if isinstance(use, str) else use for use in self.presets]
