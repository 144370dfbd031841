"""The corpus configuration, typed; each help text serves `config show`, `config schema` and errors."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from pipeline.config.decontamination import Decontamination, EvaluationSet
from pipeline.config.dedup import Dedup
from pipeline.config.engine import Engine
from pipeline.config.filter import Filter, Language
from pipeline.config.languages import LanguageRules
from pipeline.config.mix import Mix
from pipeline.config.personal_data import PersonalData
from pipeline.config.presets import PresetUse
from pipeline.config.quality import QualityModel
from pipeline.config.section import LARGEST_COUNT, Section, Seed, Share, nearest
from pipeline.config.shards import Shards
from pipeline.config.sources import Ingest, Source
from pipeline.config.tokenizer import Tokenizer, TokenizerWeights

__all__ = [
    "LARGEST_COUNT",
    "STAGES",
    "CorpusConfig",
    "Decontamination",
    "Dedup",
    "Engine",
    "EvaluationSet",
    "Filter",
    "Ingest",
    "Language",
    "LanguageRules",
    "Mix",
    "PersonalData",
    "PresetUse",
    "QualityModel",
    "Section",
    "Seed",
    "Shards",
    "Share",
    "Source",
    "Tokenizer",
    "TokenizerWeights",
    "nearest",
]  # fmt: skip

STAGES = ("ingest", "dedup", "filter", "mix", "tokenizer", "tokenize")


class CorpusConfig(Section):
    """One corpus, from crawl files to token shards."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the corpus; its output folder is marked with it."
    )
    output: str = Field(description="Folder for everything that is made, local, s3:// or gs://.")
    sources: list[Source] = Field(min_length=1, description="Where documents come from.")
    ingest: Ingest = Field(default=Ingest(), description=Ingest.__doc__)
    dedup: Dedup = Field(default=Dedup(), description=Dedup.__doc__)
    filter: Filter = Field(default=Filter(), description=Filter.__doc__)
    mix: Mix = Field(default=Mix(), description=Mix.__doc__)
    tokenizer: Tokenizer = Field(default=Tokenizer(), description=Tokenizer.__doc__)
    shards: Shards = Field(default=Shards(), description=Shards.__doc__)
    engine: Engine = Field(default=Engine(), description=Engine.__doc__)

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, sources: list[Source]) -> list[Source]:
        names = [source.name for source in sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources are named `{name}`")
        return sources

    @model_validator(mode="after")
    def _mixture_has_documents(self) -> CorpusConfig:
        names = [source.name for source in self.sources]
        for name in self.mix.sources.named:
            if name not in names:
                raise ValueError(f"mix.sources.{name} is no source; {nearest(name, names)}")
        models = [name for name, model in self.filter.quality.items() if model.classify]
        for name in self.mix.labels:
            if name not in models:
                raise ValueError(
                    f"mix.labels.{name} is no model of filter.quality that classifies; {nearest(name, models)}"
                )
        self._shares_have_documents()
        return self

    @model_validator(mode="after")
    def _quality_can_be_scored(self) -> CorpusConfig:
        if self.dedup.keep == "best-quality":
            self.best_quality_model()
        return self

    def best_quality_model(self) -> tuple[str, QualityModel]:
        """The model, with its name, that `dedup.keep: best-quality` goes by.

        Raises:
            ValueError: there is none, or it is not clear which.
        """
        scoring = [name for name, model in self.filter.quality.items() if model.scored_label]
        if not scoring:
            raise ValueError(
                "dedup.keep: best-quality goes by the scores of filter.quality, which names no model that scores: "
                "add one, or set another dedup.keep"
            )
        name = self.dedup.quality or scoring[0]
        if self.dedup.quality is None and len(scoring) > 1:
            raise ValueError(f"dedup.quality must say which model best-quality goes by: {', '.join(scoring)}")
        if name not in scoring:
            raise ValueError(f"dedup.quality: `{name}` is no model that scores; {nearest(name, scoring)}")
        return name, self.filter.quality[name]

    def _shares_have_documents(self) -> None:
        """Refuses shares by language that the filter is certain to leave without a document."""
        keep, axis = self.filter.language.keep, self.mix.languages
        shares = {**axis.shares, **axis.at_least}
        for name, share in shares.items():
            if not keep or not share:
                continue
            if name == "other" and set(keep) <= set(shares):
                raise ValueError("mix.languages.other has no documents: filter.language.keep leaves only those named")
            if name != "other" and name not in keep:
                raise ValueError(
                    f"mix.languages.{name} has no documents: filter.language.keep leaves only {', '.join(keep)}"
                )
