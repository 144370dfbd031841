"""What `filter.quality` holds under each name: a fastText model of the user's own."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, model_validator

from pipeline.config.section import Section, Share

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # it becomes a folder and a part of a column's name


class QualityModel(Section):
    """A fastText classifier, trained with `gristmill quality train` or elsewhere."""

    model: str = Field(description="The model on local disk, .bin or .ftz.")
    label: str | None = Field(
        default=None,
        description="The label whose probability is the score, the column `quality_NAME`. When empty `positive`, or "
        "no score where `classify` is true.",
    )
    minimum: Share | None = Field(
        default=None, description="Documents that score less are removed. When null scores are only written."
    )
    languages: list[str] | None = Field(
        default=None,
        min_length=1,
        description="The languages it was made for; documents in others are not scored and pass. All when empty.",
    )
    classify: bool = Field(
        default=False,
        description="Write the most probable label of a document, the column `label_NAME`: a domain for the mixture.",
    )
    sample_bytes: int | None = Field(
        default=None,
        ge=16,
        description="Bytes read of a document, half its beginning, half its middle, as the model was trained. All when "
        "empty.",
    )

    @property
    def scored_label(self) -> str | None:
        """The label whose probability is written, if any."""
        return self.label or (None if self.classify else "positive")

    def columns(self, name: str) -> dict[str, str]:
        """The columns that this model writes under a name: `quality` and `label`, as far as it does."""
        scored = {"quality": f"quality_{name}"} if self.scored_label else {}
        return scored | ({"label": f"label_{name}"} if self.classify else {})

    @model_validator(mode="after")
    def _minimum_has_a_score(self) -> QualityModel:
        if self.minimum is not None and self.scored_label is None:
            raise ValueError("`minimum` needs a score: give the `label` whose probability it is of")
        return self


def under_names(value: Any) -> Any:
    """Refuses a model without a name, and names that no column can have."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value  # told as no mapping
    if isinstance(value.get("model"), str):
        raise ValueError("models stand under names of their own: `quality: {NAME: {model: …, minimum: …}}`")
    for name in value:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a column: take letters, digits, `_` and `-`")
    return value
