"""The section `filter.decontamination`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from pipeline.config.section import Section, Share

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class EvaluationSet(Section):
    """One benchmark: where its texts are, and what happens to documents that have them."""

    paths: list[str] = Field(min_length=1, description="JSONL files of the set; plain, gzip or zstd, local or remote.")
    fields: list[str] = Field(
        min_length=1,
        description="Fields whose texts are looked for, each on its own: `question`; `choices.text` goes into objects "
        "and lists; `question + answer` joins two; a `?` behind a field lets lines do without it.",
    )
    action: Literal["drop", "mask", "report"] = Field(
        default="drop",
        description="What happens to documents: `drop` removes them, `mask` cuts the shared text out, `report` counts.",
    )
    runs: int = Field(default=1, ge=1, description="Shared runs of words from which on a document is meant.")
    share: Share = Field(
        default=0.0,
        description="Least share of the runs of one text of the set that the document must have as well.",
    )
    ngram: int = Field(default=13, ge=1, description="Words in a run; GPT-3's 13.")
    shortest: int = Field(
        default=8,
        ge=1,
        description="Of texts of fewer words than a run the whole is looked for, if it has at least so many words.",
    )


class Decontamination(Section):
    """Evaluation sets whose texts are to be found in the corpus."""

    sets: dict[str, EvaluationSet] = Field(default={}, description="Evaluation sets by name; none when empty.")
    placeholder: str = Field(default="", description="What stands in the place of masked text; nothing when empty.")

    @field_validator("sets")
    @classmethod
    def _names(cls, sets: dict[str, EvaluationSet]) -> dict[str, EvaluationSet]:
        for name in sets:
            if not _NAME.fullmatch(name):
                raise ValueError(f"`{name}` cannot name a set: letters, digits, `.`, `_` and `-` can")
            if f"share_{name}" in sets:  # contamination_share_NAME is a column of NAME
                raise ValueError(f"`share_{name}` cannot stand beside `{name}`: both would have one column")
        return sets
