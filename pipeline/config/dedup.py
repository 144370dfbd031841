"""The section `dedup`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from dedup.limits import MOST_PAIRS, MOST_VALUES, MOST_WORDS
from pipeline.config.section import LARGEST_COUNT, Section, Seed, Share


class Dedup(Section):
    """Removing copies across dumps, exact and near."""

    ngram: int = Field(default=5, ge=1, le=MOST_WORDS, description="Words in a shingle.")
    bands: int = Field(
        default=14, ge=1, le=MOST_VALUES, description="Bands of the signature; two documents meet in one equal band."
    )
    rows: int = Field(default=8, ge=1, le=MOST_VALUES, description="MinHash values in a band.")
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="In place of `bands` and `rows`: the Jaccard similarity for which they are chosen, as datasketch "
        "does, from `permutations` values.",
    )
    permutations: int | None = Field(
        default=None,
        ge=1,
        le=MOST_VALUES,
        description="MinHash values stored for a document, of which bands × rows are used; just those when empty, and "
        "128 where `threshold` shares them out. With some to spare, other bands need no new signatures.",
    )
    seed: Seed = Field(default=1, description="Seed of the hash family.")
    urls: bool = Field(default=False, description="Join documents of the same address too, whatever they say.")
    verify: Literal["estimate", "exact", "off"] = Field(
        default="estimate",
        description="How candidate pairs are judged before they join: by their signatures, by their shingles, which "
        "reads the texts of candidates again, or not at all.",
    )
    min_jaccard: Share = Field(
        default=0.7, description="The least Jaccard similarity, estimated or exact, of a pair that joins."
    )
    passes: int = Field(
        default=3,
        ge=1,
        le=16,
        description="Centres that a document is tried against in a bucket, while those before refuse it.",
    )
    scope: Literal["global", "per-dump"] = Field(
        default="global", description="Whether copies are looked for across dumps, or inside each dump only."
    )
    against: list[str] = Field(
        default=[],
        description="Output folders of other corpora: documents with a copy there are removed here. Only their "
        "signatures are read.",
    )
    keep: Literal["earliest", "latest", "longest", "best-quality"] = Field(
        default="earliest",
        description="Which copy stays: the first by dump, file and record, the last, the one with most bytes, or the "
        "one that scores best with a model of `filter.quality`.",
    )
    quality: str | None = Field(
        default=None,
        description="The model of `filter.quality` that `best-quality` goes by; when null the only one that scores.",
    )
    max_chain: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pairs that may lie between a removed document and the copy that stays; 1 removes only what "
        "resembles that copy itself. When null any chain of copies is one cluster.",
    )
    min_cluster_size: int = Field(
        default=2, ge=2, le=LARGEST_COUNT, description="Clusters of fewer documents stay as they are."
    )
    both_orders: bool = Field(
        default=False, description="Report the rates for the dumps taken from the last to the first too."
    )
    partitions: int = Field(
        default=16, ge=1, le=65536, description="Pieces of the band shuffle; more need less memory each."
    )
    components: Literal["auto", "one-worker", "rounds"] = Field(
        default="auto",
        description="How pairs become clusters: united in the memory of one worker, or by rounds of shuffles; auto "
        "goes by `max_pairs_in_memory`.",
    )
    max_pairs_in_memory: int = Field(
        default=50_000_000, ge=1, le=MOST_PAIRS, description="Pairs that one worker may unite, at 160 bytes each."
    )
    paragraphs: bool = Field(
        default=False, description="Then remove paragraphs that stand word for word in an earlier kept document."
    )
    paragraph_words: int = Field(
        default=10, ge=1, le=LARGEST_COUNT, description="Words below which a paragraph is never removed as a copy."
    )

    @field_validator("verify", mode="before")
    @classmethod
    def _yaml_off(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads a bare `off` as false

    @model_validator(mode="after")
    def _one_way_to_the_bands(self) -> Dedup:
        given = [name for name in ("bands", "rows") if getattr(self, name) != type(self).model_fields[name].default]
        if self.threshold is not None and given:
            raise ValueError(f"`threshold` chooses bands and rows: leave out {' and '.join(given)}, or `threshold`")
        if self.threshold is None and self.bands * self.rows > MOST_VALUES:
            raise ValueError(
                f"bands × rows = {self.bands} × {self.rows} = {self.bands * self.rows} values, and {MOST_VALUES} "
                "is the most: lower bands or rows"
            )
        if self.threshold is None and self.permutations is not None and self.bands * self.rows > self.permutations:
            raise ValueError(
                f"bands × rows = {self.bands} × {self.rows} = {self.bands * self.rows} values, but `permutations` "
                f"stores {self.permutations}: raise it, or lower bands or rows"
            )
        return self
