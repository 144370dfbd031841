"""The corpus configuration: one YAML file, typed; each help text serves `config show`, `config schema` and errors."""

from __future__ import annotations

import difflib
import glob
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
STAGES = ("ingest", "dedup", "filter", "mix", "tokenizer", "tokenize")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class Source(_Section):
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

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        known = ["text", "id", "url", "date", "language"]
        for name in columns:
            if name not in known:
                raise ValueError(f"`{name}` is no document field; {nearest(name, known)}")
        return columns


class Ingest(_Section):
    """Reading crawl files into documents."""

    max_reject_share: Share = Field(
        default=0.2, description="The stage fails when more than this share of all records had to be rejected."
    )


class Dedup(_Section):
    """Removing copies across dumps, exact and near."""

    ngram: int = Field(default=5, ge=1, le=64, description="Words in a shingle.")
    bands: int = Field(
        default=14, ge=1, le=256, description="Bands of the signature; two documents meet in one equal band."
    )
    rows: int = Field(default=8, ge=1, le=64, description="MinHash values in a band.")
    seed: int = Field(default=1, ge=0, description="Seed of the hash family.")
    verify: float | None = Field(
        default=0.7,
        ge=0,
        le=1,
        description="Candidate pairs join only above this Jaccard estimated from their signatures; null joins all.",
    )
    keep: Literal["earliest", "latest"] = Field(
        default="earliest", description="Which copy stays: the first by dump, file and record, or the last."
    )
    partitions: int = Field(
        default=16, ge=1, le=65536, description="Pieces of the band shuffle; more need less memory each."
    )


class Language(_Section):
    """Which languages stay."""

    keep: list[str] = Field(default=[], description="ISO codes of the languages to keep; empty keeps all.")
    minimum_score: Share = Field(default=0.65, description="Least confidence of the language model (FineWeb's 0.65).")
    model: str | None = Field(default=None, description="A fastText language model; the embedded lid.176 when empty.")


class Quality(_Section):
    """A fastText quality model of the user's own."""

    model: str = Field(description="A fastText classifier, .bin or .ftz.")
    label: str = Field(default="positive", description="The label whose probability is the score.")
    minimum: Share = Field(default=0.5, description="Documents that score less are removed.")


class PresetUse(_Section):
    """A rule preset for some languages only."""

    name: str = Field(description="Name of the preset, or the path of one of your own.")
    languages: list[str] = Field(min_length=1, description="The languages it judges; documents in others pass it.")


class Filter(_Section):
    """Heuristic rules, language and quality."""

    presets: list[str | PresetUse] = Field(
        default=["gopher-repetition", "gopher-quality", "c4", "fineweb"],
        description="Rule presets in the order in which a removal is put down to them: a name, or "
        "{name: …, languages: […]} for some languages only.",
    )
    overrides: dict[str, dict[str, float | None]] = Field(
        default={}, description="Thresholds by preset and rule; null switches a rule off."
    )
    language: Language = Field(default=Language(), description="Language identification.")
    quality: Quality | None = Field(default=None, description="A quality model; none when empty.")

    def preset_names(self) -> list[str]:
        """Names of the presets in use, in order."""
        return [preset if isinstance(preset, str) else preset.name for preset in self.presets]


class Mix(_Section):
    """The shares of sources and languages in the corpus."""

    sources: dict[str, Share] = Field(
        default={}, description="Target share of the text by source; empty leaves it as it is."
    )
    languages: dict[str, Share] = Field(
        default={}, description="Target share of the text by language; `other` holds those not named."
    )
    max_epochs: float = Field(
        default=1.0, gt=0, le=100, description="How often a document may be repeated at the most."
    )
    total_bytes: int | None = Field(
        default=None, ge=1, description="Text to aim at in bytes; the most that the shares allow when empty."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the sampling.")


class Tokenizer(_Section):
    """The tokenizer: trained on the mixture, or an existing one."""

    path: str | None = Field(default=None, description="An existing tokenizer.json or its folder; trained when empty.")
    pretokenizer: str = Field(default="deepseek-llm", description="How text is split before merging.")
    vocabulary: int = Field(
        default=100_000, ge=256, le=10_000_000, description="Regular tokens, the 256 bytes included."
    )
    model_vocabulary: int | None = Field(
        default=None,
        ge=257,
        description="The model's vocabulary, padding included; the next multiple of 4,096 when empty.",
    )
    min_frequency: int = Field(default=2, ge=1, description="A pair rarer than this is not merged.")
    strict: bool = Field(
        default=False, description="Fail when the text is too little for the vocabulary, not just say so."
    )


class Shards(_Section):
    """Token shards: shuffle, split, size."""

    seed: int = Field(default=0, ge=0, description="Seed of the shuffle and of the split.")
    validation_share: Share = Field(default=0.001, description="Share of documents held out for validation.")
    tokens_per_shard: int = Field(default=1 << 25, ge=1, description="Tokens a shard is to hold; 4 bytes each.")
    begin_token: bool = Field(default=False, description="Start each document with the begin token.")
    end_token: bool = Field(default=True, description="End each document with the end token.")


class Engine(_Section):
    """Where the jobs run."""

    name: Literal["direct", "spark", "flink", "dataflow"] = Field(
        default="direct", description="The engine; direct is this machine."
    )
    workers: int = Field(default=0, ge=0, le=1024, description="Workers of the direct engine; 0 means one a core.")
    options: list[str] = Field(default=[], description="Further options for Beam, as on its command line.")


class CorpusConfig(_Section):
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
        return self


def load(path: str | Path) -> CorpusConfig:
    """Reads a corpus configuration; relative paths in it are taken from the folder it lies in.

    Raises:
        ConfigError: with one line for each problem, naming the key, the value and the remedy.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        near = [found.name for found in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        hint = f"; {nearest(path.name, near)}" if near else ""
        raise ConfigError(f"{path}: there is no such file{hint}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a corpus configuration is a mapping with name, output and sources")
    return parse(raw, str(path), path.resolve().parent)


def parse(raw: dict[str, Any], origin: str = "config", folder: Path | None = None) -> CorpusConfig:
    """Checks a mapping, and takes its relative paths from a folder if one is given; see ``load`` for the errors."""
    try:
        config = CorpusConfig.model_validate(raw)
    except ValidationError as error:
        lines = [f"{origin}: {_explain(problem)}" for problem in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    if folder is not None:
        config = resolve(config, folder)
    check_names(config, origin)
    return config


def resolve(config: CorpusConfig, folder: Path) -> CorpusConfig:
    """Makes every path absolute, so that the resolved config means the same from any folder."""

    def absolute(path: str) -> str:
        return path if "://" in path else os.path.normpath(folder / os.path.expanduser(path))

    def absolute_glob(path: str) -> str:
        # The folder is a name, whatever is in it: only what the config says is a pattern.
        return path if "://" in path else os.path.normpath(Path(glob.escape(str(folder))) / os.path.expanduser(path))

    def absolute_preset(name: str) -> str:
        return absolute(name) if name.endswith((".yaml", ".yml")) else name

    config = config.model_copy(deep=True)
    config.output = absolute(config.output)
    for source in config.sources:
        source.paths = [absolute_glob(path) for path in source.paths]
        source.path_lists = [absolute(path) for path in source.path_lists]
    config.filter.presets = [
        absolute_preset(use) if isinstance(use, str) else use.model_copy(update={"name": absolute_preset(use.name)})
        for use in config.filter.presets
    ]
    if config.tokenizer.path:
        config.tokenizer.path = absolute(config.tokenizer.path)
    if config.filter.language.model:
        config.filter.language.model = absolute(config.filter.language.model)
    if config.filter.quality:
        config.filter.quality.model = absolute(config.filter.quality.model)
    return config


def show(config: CorpusConfig) -> str:
    """The whole configuration as YAML, each key with its help text as a comment."""
    return "\n".join(_show_section(config, 0)) + "\n"


def _show_section(section: _Section, depth: int) -> list[str]:
    lines = []
    indent = "  " * depth
    plain = section.model_dump()
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        lines.append(f"{indent}# {field.description}")
        if isinstance(value, _Section):
            lines += [f"{indent}{name}:", *_show_section(value, depth + 1)]
        elif isinstance(value, list) and value and all(isinstance(item, _Section) for item in value):
            lines.append(f"{indent}{name}:")
            for item in value:
                shown = _show_section(item, depth + 2)
                first = next(i for i, line in enumerate(shown) if not line.lstrip().startswith("#"))
                shown[first] = f"{indent}  - {shown[first].lstrip()}"
                lines += shown
        else:
            dumped = yaml.safe_dump(plain[name], allow_unicode=True, default_flow_style=True, width=10**6)
            lines.append(f"{indent}{name}: {dumped.removesuffix('...' + chr(10)).strip()}")
    return lines


def check_names(config: CorpusConfig, origin: str) -> None:
    """Refuses presets, rules and pre-tokenizers that do not exist, before anything runs."""
    from filters.presets import load_preset
    from tokenizer.pretokenizers import PRETOKENIZERS

    names = config.filter.preset_names()
    for name in config.filter.overrides:
        if name not in names:
            raise ConfigError(
                f"{origin}: filter.overrides.{name}: this preset is not among filter.presets; {nearest(name, names)}"
            )
    for name in names:
        try:
            load_preset(name, config.filter.overrides.get(name, {}))
        except ValueError as error:
            raise ConfigError(f"{origin}: filter.presets: {error}") from None
    if config.tokenizer.pretokenizer not in PRETOKENIZERS:
        raise ConfigError(
            f"{origin}: tokenizer.pretokenizer: `{config.tokenizer.pretokenizer}` is unknown; "
            f"{nearest(config.tokenizer.pretokenizer, list(PRETOKENIZERS))}"
        )


def _explain(problem: Any) -> str:
    """One line for one of pydantic's errors: the key's path, what is wrong, the nearest name or the help text."""
    location = list(problem["loc"])
    key = ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location).replace(".[", "[")
    if problem["type"] == "extra_forbidden":
        model = _model_at(location[:-1])
        names = list(model.model_fields) if model else []
        near = difflib.get_close_matches(str(location[-1]), names, 1, 0.5)
        if near and model:
            return f"{key}: there is no such key; did you mean `{near[0]}`? ({model.model_fields[near[0]].description})"
        return f"{key}: there is no such key; there are {', '.join(names)}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if problem["type"] != "missing" and problem["type"] != "value_error":
        message += f", not {problem['input']!r}"
    parent = _model_at(location[:-1])
    field = parent.model_fields.get(str(location[-1])) if parent and location else None
    return (f"{key}: " if key else "") + message + (f" ({field.description})" if field else "")


def _model_at(location: list[Any]) -> type[_Section] | None:
    """The section that a path of keys leads to."""
    model: Any = CorpusConfig
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, _Section) else None
        if field is None:
            return None
        inner = [field.annotation, *getattr(field.annotation, "__args__", [])]
        model = next((kind for kind in inner if isinstance(kind, type) and issubclass(kind, _Section)), None)
    return model


def nearest(name: str, known: list[str]) -> str:
    """A hint for a wrong name: the nearest valid one, or all of them."""
    near = difflib.get_close_matches(name, known, 1, 0.4)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known) or 'none'}"
