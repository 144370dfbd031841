"""The section `mix`."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import LARGEST_COUNT, Section, Seed, Share


class Mix(Section):
    """The shares of sources and languages in the corpus."""

    sources: dict[str, Share] = Field(
        default={},
        description="Target share of the text by source. Sources that are not listed are left out; when none is, all "
        "stay as they are.",
    )
    languages: dict[str, Share] = Field(
        default={},
        description="Target share of the text by language. Languages that are not listed are left out, unless `other` "
        "gives them a share; when none is listed, all stay as they are.",
    )
    max_epochs: float = Field(
        default=1.0, gt=0, le=100, description="How often a document may be repeated at the most."
    )
    total_bytes: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_COUNT,
        description="Text to aim at in bytes; the most that the shares allow when empty.",
    )
    seed: Seed = Field(default=0, description="Seed of the sampling.")
