"""The section `mix`."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import LARGEST_COUNT, Section, Seed, Share, nearest

Weight = Annotated[float, Field(ge=0, le=100)]
Epochs = Annotated[float, Field(gt=0, le=100)]


class MixAxis(Section):
    """What domains of documents are to make up; a mapping of numbers alone is `shares`."""

    shares: dict[str, Share] = Field(
        default={},
        description="Target share of the mixture by domain. Domains that are not listed are left out, unless `other` "
        "gives them a share.",
    )
    temperature: Share | None = Field(
        default=None,
        description="Shares in proportion to amount^temperature: 1 as they are, 0 all equal; 0.3 is usual for "
        "languages. Instead of `shares`.",
    )
    weights: dict[str, Weight] = Field(
        default={},
        description="How often a domain is used, or by how much its share is scaled where another axis has shares; 1 "
        "for those not listed. Instead of `shares`.",
    )
    at_least: dict[str, Share] = Field(
        default={},
        description="Least share by domain: raises what is under-represented, in proportion at the cost of the rest.",
    )
    max_epochs: dict[str, Epochs] = Field(
        default={}, description="Cap on repetitions by domain, where it is not `mix.max_epochs`."
    )

    @property
    def asks(self) -> bool:
        """Whether anything is asked of this axis."""
        return bool(self.shares or self.weights or self.at_least or self.max_epochs) or self.temperature is not None

    @property
    def named(self) -> list[str]:
        """The domains that are named, without `other`."""
        names = {**self.shares, **self.weights, **self.at_least, **self.max_epochs}
        return [name for name in names if name != "other"]

    @model_validator(mode="before")
    @classmethod
    def _shares_alone(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not all(isinstance(number, (int, float)) for number in value.values()):
            return value
        meant = any(difflib.get_close_matches(str(name), cls.model_fields, 1, 0.8) for name in value)
        return value if meant or not value else {"shares": value}

    @model_validator(mode="after")
    def _one_kind(self) -> MixAxis:
        given = {"shares": self.shares, "temperature": self.temperature is not None, "weights": self.weights}
        names = [name for name, there in given.items() if there]
        if len(names) > 1:
            raise ValueError(f"`{names[0]}` and `{names[1]}` exclude each other: give one of them")
        if self.shares and self.at_least:
            raise ValueError("`at_least` has no effect on `shares`, which say all; leave one of them out")
        if self.shares and abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"adds up to {sum(self.shares.values()):g}, not to 1")
        if sum(self.at_least.values()) > 1:
            raise ValueError(f"`at_least` adds up to {sum(self.at_least.values()):g}, more than 1")
        return self


class MixHosts(MixAxis):
    """Domains that are lists of hosts; documents of no list are in the domain `other`."""

    lists: dict[str, list[str]] = Field(
        default={}, description="Hosts of a domain, subdomains included, such as wiki: [wikipedia.org]."
    )
    files: dict[str, str] = Field(
        default={},
        description="A file of hosts of a domain, one a line; local or in a store. What # begins is ignored.",
    )

    @model_validator(mode="before")
    @classmethod
    def _shares_alone(cls, value: Any) -> Any:
        return value  # a mapping of numbers says no hosts

    @model_validator(mode="after")
    def _domains_are_listed(self) -> MixHosts:
        known = list({**self.lists, **self.files})
        if not known:
            raise ValueError("needs `lists` or `files`: which hosts a domain consists of")
        if "other" in known:
            raise ValueError("`other` stands for hosts of no list: name the list otherwise")
        for name in self.named:
            if name not in known:
                raise ValueError(f"`{name}` is no list of hosts; {nearest(name, known)}")
        return self


class Rehydrate(Section):
    """Documents that the crawls held often are used more often, by the size of their cluster of duplicates."""

    weights: dict[int, Weight] = Field(
        default={},
        description="From which cluster size on a document is used how often, such as {1: 1, 2: 2, 5: 5, 1000: 1}.",
    )
    up_to: int | None = Field(
        default=None,
        ge=2,
        le=100,
        description="The weights as FineWeb2 finds them, from the share that the filters remove at each size: 1 where "
        "it is average or above, so many where it is lowest. Instead of `weights`.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Rehydrate:
        if bool(self.weights) == bool(self.up_to):
            raise ValueError("give either `weights` or `up_to`")
        if self.weights and min(self.weights) != 1:
            raise ValueError("`weights` must say what a document without duplicates counts: begin with size 1")
        return self


class Mix(Section):
    """How often documents are used, so that their domains get the shares they are to have."""

    sources: MixAxis = Field(default=MixAxis(), description="By source.")
    languages: MixAxis = Field(default=MixAxis(), description="By language.")
    hosts: MixHosts | None = Field(default=None, description="By host of the address.")
    labels: dict[str, MixAxis] = Field(
        default={}, description="By the label that a model of filter.quality gives; by the name of the model."
    )
    rehydrate: Rehydrate | None = Field(default=None, description=Rehydrate.__doc__)
    unit: Literal["tokens", "bytes", "documents"] = Field(
        default="tokens",
        description="What shares and the total are of. Tokens are those of tokenizer.path; without one, of a tokenizer "
        "that is trained on the filtered text for the purpose.",
    )
    max_epochs: Epochs = Field(default=1.0, description="How often a document may be repeated at the most.")
    total: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST_COUNT,
        description="Size of the mixture in `unit`; as much as there is when empty.",
    )
    keep: Literal["shares", "total"] | None = Field(
        default=None,
        description="What holds where the caps do not allow both: `shares` makes the mixture smaller, `total` gives "
        "what a domain lacks to the others. When empty `shares` if any are given, else `total`.",
    )
    seed: Seed = Field(default=0, description="Seed of the sampling.")

    def axes(self) -> dict[str, MixAxis]:
        """The axes by the name of their column: source and language always, the others where they are asked for."""
        hosts = {} if self.hosts is None else {"host": self.hosts}
        labels = {f"label_{model}": axis for model, axis in self.labels.items()}
        return {"source": self.sources, "language": self.languages, **hosts, **labels}

    @property
    def asked(self) -> bool:
        """Whether anything is asked: else every document is used once, and nothing is measured for it."""
        axes = [self.sources, self.languages, *([self.hosts] if self.hosts else []), *self.labels.values()]
        steered = any(axis.asks for axis in axes) or self.rehydrate is not None
        return steered or self.total is not None or self.max_epochs < 1

    @field_validator("labels")
    @classmethod
    def _labels_ask_something(cls, labels: dict[str, MixAxis]) -> dict[str, MixAxis]:
        for name, axis in labels.items():
            if not axis.asks:
                raise ValueError(f"`{name}` asks for nothing; give shares, a temperature, weights or at_least")
        return labels

    @model_validator(mode="after")
    def _weights_fit_the_cap(self) -> Mix:
        axes = {"sources": self.sources, "languages": self.languages, "hosts": self.hosts or MixAxis()}
        axes |= {f"labels.{name}": axis for name, axis in self.labels.items()}
        if any(axis.shares or axis.at_least or axis.temperature is not None for axis in axes.values()):
            return self  # weights are relative then
        uses = [
            (f"{key}.weights.{name}", weight, axis.max_epochs.get(name, self.max_epochs))
            for key, axis in axes.items()
            for name, weight in axis.weights.items()
        ]
        if self.rehydrate:
            uses.append(("rehydrate", self.rehydrate.up_to or max(self.rehydrate.weights.values()), self.max_epochs))
        for key, most, cap in uses:
            if most > cap:
                raise ValueError(f"`{key}` repeats documents {most:g} times and `max_epochs` is {cap:g}: raise it")
        return self
