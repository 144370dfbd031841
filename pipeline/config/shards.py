"""The section `shards`."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.section import Section, Seed, Share


class Shards(Section):
    """Token shards: shuffle, split, size."""

    seed: Seed = Field(default=0, description="Seed of the shuffle and of the split.")
    validation_share: Share = Field(default=0.001, description="Share of documents held out for validation.")
    test_share: Share = Field(default=0.0, description="Share of documents held out for a test, beside validation.")
    fill_in_middle: Share = Field(
        default=0.0,
        description="Share of training documents that are written prefix, suffix, middle between the three "
        "fill-in-the-middle tokens, cut at random places.",
    )
    tokens_per_shard: int = Field(
        default=1 << 25,
        ge=1,
        le=1 << 31,
        description="Tokens a shard is to hold, 4 bytes each. A worker that builds one of 33,554,432 was measured to "
        "grow by 13 bytes a token.",
    )
    begin_token: bool = Field(default=False, description="Start each document with the begin token.")
    end_token: bool = Field(default=True, description="End each document with the end token.")

    @model_validator(mode="after")
    def _some_to_train_on(self) -> Shards:
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                f"`validation_share` {self.validation_share:g} and `test_share` {self.test_share:g} together leave no "
                "documents to train on: lower one of them, their sum must be below 1"
            )
        return self
