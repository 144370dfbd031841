"""How the configuration names rule presets: by name, or with languages and a label of their own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag

from pipeline.config.section import Section


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


def in_full(uses: list[str | PresetUse]) -> list[PresetUse]:
    """Uses in order, each in its long form."""
    return [PresetUse(name=use) if isinstance(use, str) else use for use in uses]
