"""The corpus configuration, typed; each help text serves `config show`, `config schema` and errors."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dedup.limits import MOST_PAIRS, MOST_VALUES, MOST_WORDS
from tokenizer.forbidden import check_forbidden
from tokenizer.limits import MOST_TOKENS
from tokenizer.special_tokens import DEFAULT_SPECIAL_TOKENS, check_special_tokens
from tokenizer.weights import whole_weights

Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # a compiled hash that has met a smaller one takes an int64
LARGEST_COUNT = 2**63 - 1  # int64
STAGES = ("ingest", "dedup", "filter", "mix", "tokenizer", "tokenize")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class Source(Section):
    """Where documents come from."""

    name: str = Field(description="Name of the source; documents carry it, and the mixture can weigh it.")
    format: Literal["wet", "warc", "jsonl", "parquet"] = Field(description="What the files hold.")
    paths: list[str] = Field(
        default=[],
        description="Files or globs, local, s3://, gs:// or https://. `{dump}` matches a part of a name: the dump.",
    )
    path_lists: list[str] = Field(
        default=[], description="Files that list input files, one a line, such as Common Crawl's wet.paths.gz."
    )
    base: str = Field(
        default="", description="What relative lines of a path list start with, such as https://data.commoncrawl.org/."
    )
    files: str | None = Field(default=None, description="A slice of the files found, such as 0:20; all when empty.")
    dump: str | None = Field(
        default=None,
        description="Name of the dump where no `{dump}` tells it; else a Common Crawl path does, else `main`.",
    )
    columns: dict[str, str] = Field(
        default={}, description="For JSONL and Parquet: which column is text, id, url, date, language."
    )

    @model_validator(mode="after")
    def _has_files(self) -> Source:
        if not self.paths and not self.path_lists:
            raise ValueError("needs `paths` or `path_lists`")
        return self

    @field_validator("base")
    @classmethod
    def _completes_a_list(cls, base: str, info: ValidationInfo) -> str:
        if base and not info.data.get("path_lists", True):
            raise ValueError("has no effect without `path_lists`: paths are taken as they are; leave it out")
        return base

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        known = ["text", "id", "url", "date", "language"]
        if columns and info.data.get("format") in ("wet", "warc"):
            raise ValueError(f"has no effect on {info.data['format']} files, which have no columns; leave it out")
        for name in columns:
            if name not in known:
                raise ValueError(f"`{name}` is no document field; {nearest(name, known)}")
        return columns


class Ingest(Section):
    """Reading crawl files into documents."""

    max_reject_share: Share = Field(
        default=0.2, description="The stage fails when more than this share of records was rejected, or of files lost."
    )


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
        "one that scores best with `filter.quality`.",
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


class Filter(Section):
    """Heuristic rules, language and quality."""

    presets: list[AnyUse] = Field(
        default=["gopher-repetition", "gopher-quality", "c4", "fineweb"],
        description="Rule presets in the order in which a removal is put down to them: a name, or "
        "{name: …, languages: […]} for some languages only. At most 63 rules in all.",
    )
    overrides: dict[str, dict[str, float | None]] = Field(
        default={},
        description="Thresholds by preset and rule; null switches a rule off. A label stands for one use of a preset, "
        "its name for every use; the label's win.",
    )
    language: Language = Field(default=Language(), description="Language identification.")
    quality: Quality | None = Field(default=None, description="A quality model; none when empty.")

    def uses(self) -> list[PresetUse]:
        """The presets in use, in order, each in its long form."""
        return [PresetUse(name=use) if isinstance(use, str) else use for use in self.presets]


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


Weight = Annotated[float, Field(ge=0, le=1_000_000)]


class TokenizerWeights(Section):
    """How often text counts for the tokenizer, which needs not be how often the model sees it."""

    sources: dict[str, Weight] = Field(
        default={}, description="By source, up to six digits behind the point; 1 for those not listed."
    )
    languages: dict[str, Weight] = Field(
        default={}, description="By language; 1 for those not listed. A document counts by the product of both."
    )

    @field_validator("sources", "languages")
    @classmethod
    def _six_digits(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if round(weight, 6) != weight:
                raise ValueError(f"`{name}` has the weight {weight}: give at most six digits behind the point")
        return weights

    @model_validator(mode="after")
    def _can_be_whole_numbers(self) -> TokenizerWeights:
        whole_weights(self.sources, self.languages)
        return self


class Expression(Section):
    """A pre-tokenizer of the user's own."""

    regex: str = Field(
        min_length=1,
        description="A regular expression: its matches and the text between them are the pieces. Those that need "
        "more than tables are run by `tokenizers`, far slower.",
    )


def _kind_of_pretokenizer(value: Any) -> str:
    return "Expression" if isinstance(value, (dict, Expression)) else "str"


AnyPretokenizer = Annotated[
    Annotated[str, Tag("str")] | Annotated[Expression, Tag("Expression")],
    Discriminator(_kind_of_pretokenizer),
]


class Tokenizer(Section):
    """The tokenizer: trained on the mixture, or an existing one."""

    path: str | None = Field(
        default=None,
        description="An existing tokenizer.json or its folder, which takes the place of all other keys here; trained "
        "when empty.",
    )
    pretokenizer: AnyPretokenizer = Field(
        default="deepseek-llm",
        description="How text is split before merging: deepseek-llm, deepseek-llm-mended, deepseek-coder, deepseek-v3, "
        "gpt2, gpt4, or {regex: …}.",
    )
    vocabulary: int = Field(
        default=100_000, ge=256, le=MOST_TOKENS, description="Regular tokens, the 256 bytes included."
    )
    special_tokens: dict[str, str] = Field(
        default=DEFAULT_SPECIAL_TOKENS,
        description="Name and text of the special tokens; their ids follow the regular ones in this order. Ordinary "
        "text never becomes one of them.",
    )
    model_vocabulary: int | None = Field(
        default=None,
        ge=257,
        le=2**31 - 1,
        description="The model's vocabulary, special tokens and padding included; the next multiple of 4,096 when "
        "empty.",
    )
    weights: TokenizerWeights = Field(
        default=TokenizerWeights(), description="How often documents count here, beside their copies in the mixture."
    )
    min_frequency: int = Field(default=2, ge=1, le=LARGEST_COUNT, description="A pair rarer than this is not merged.")
    max_token_length: int | None = Field(default=None, ge=2, le=2**31 - 1, description="Bytes of the longest token.")
    forbidden: list[str] = Field(
        default=[],
        description="Tokens never to be made: their text, or /a regular expression/ that is found in it.",
    )
    forbidden_file: str | None = Field(default=None, description="A file of more of them, one a line.")
    extend: str | None = Field(
        default=None,
        description="A tokenizer.json or its folder whose merges and ids are kept; further ones are learned on top.",
    )
    strict: bool = Field(
        default=False, description="Fail when the text is too little for the vocabulary, not just say so."
    )

    @field_validator(
        "pretokenizer", "vocabulary", "special_tokens", "model_vocabulary", "weights", "min_frequency",
        "max_token_length", "forbidden", "forbidden_file", "extend", "strict",
    )  # fmt: skip
    @classmethod
    def _has_effect(cls, value: Any, info: ValidationInfo) -> Any:
        # `config show` writes defaults out, so only what differs can be known to be meant.
        if info.data.get("path") and value != cls.model_fields[str(info.field_name)].default:
            raise ValueError(f"{value!r} has no effect: tokenizer.path gives a whole tokenizer; leave one of them out")
        return value

    @field_validator("special_tokens")
    @classmethod
    def _can_be_told_apart(cls, tokens: dict[str, str]) -> dict[str, str]:
        check_special_tokens(tokens)
        return tokens

    @field_validator("forbidden")
    @classmethod
    def _are_expressions(cls, forbidden: list[str]) -> list[str]:
        check_forbidden(forbidden)
        return forbidden

    @field_validator("model_vocabulary")
    @classmethod
    def _holds_the_vocabulary(cls, rows: int | None, info: ValidationInfo) -> int | None:
        regular, special = info.data.get("vocabulary", 0), len(info.data.get("special_tokens", ()))
        if rows is not None and rows < regular + special:
            raise ValueError(
                f"{rows:,} rows are too few for the vocabulary of {regular:,} and {special} special tokens: "
                f"give at least {regular + special:,}, or leave it out"
            )
        return rows


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


class Engine(Section):
    """Where the jobs run."""

    name: Literal["direct", "spark", "flink", "dataflow"] = Field(
        default="direct", description="The engine; direct is this machine."
    )
    workers: int = Field(default=0, ge=0, le=1024, description="Workers of the direct engine; 0 means one a core.")
    options: list[str] = Field(default=[], description="Further options for Beam, as on its command line.")


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
    def _shares_add_up(self) -> CorpusConfig:
        for key, shares in [("mix.sources", self.mix.sources), ("mix.languages", self.mix.languages)]:
            if shares and abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"{key} adds up to {sum(shares.values()):g}, not to 1")
        names = [source.name for source in self.sources]
        for name in self.mix.sources:
            if name not in names:
                raise ValueError(f"mix.sources.{name} is no source; {nearest(name, names)}")
        self._shares_have_documents()
        return self

    @model_validator(mode="after")
    def _quality_can_be_scored(self) -> CorpusConfig:
        if self.dedup.keep == "best-quality" and self.filter.quality is None:
            raise ValueError(
                "dedup.keep: best-quality goes by the scores of filter.quality, which names no model: "
                "set filter.quality.model, or another dedup.keep"
            )
        return self

    def _shares_have_documents(self) -> None:
        """Refuses shares by language that the filter is certain to leave without a document."""
        keep, shares = self.filter.language.keep, self.mix.languages
        for name, share in shares.items():
            if not keep or not share:
                continue
            if name == "other" and set(keep) <= set(shares):
                raise ValueError("mix.languages.other has no documents: filter.language.keep leaves only those named")
            if name != "other" and name not in keep:
                raise ValueError(
                    f"mix.languages.{name} has no documents: filter.language.keep leaves only {', '.join(keep)}"
                )


def nearest(name: str, known: list[str]) -> str:
    """A hint for a wrong name: the nearest valid one, or all of them."""
    near = difflib.get_close_matches(name, known, 1, 0.4)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known) or 'none'}"
