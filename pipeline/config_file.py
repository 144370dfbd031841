"""The file a corpus configuration is kept in: reading it, with errors a person can act on, and showing it in full."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from pipeline.config import CorpusConfig, Filter, LanguageRules, Section, nearest
from pipeline.errors import ConfigError


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
    except IsADirectoryError as error:
        beside = [near for near in (path.with_name(f"{path.name}.yaml"), path / "corpus.yaml") if near.is_file()]
        hint = f"; did you mean {beside[0]}?" if beside else ""
        raise ConfigError(f"{path}: is a folder, and the YAML file of a corpus is wanted{hint}") from error
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
    sections: list[Filter | LanguageRules] = [config.filter, *config.filter.by_language.values()]
    for rules in sections:
        rules.presets = [
            absolute_preset(use) if isinstance(use, str) else use.model_copy(update={"name": absolute_preset(use.name)})
            for use in rules.presets
        ]
        rules.overrides = {absolute_preset(name): thresholds for name, thresholds in rules.overrides.items()}
    for lists in (config.filter.urls.block, config.filter.urls.allow):
        for field in type(lists).model_fields:
            if field.endswith("_files"):
                setattr(lists, field, [absolute(path) for path in getattr(lists, field)])
    if config.tokenizer.path:
        config.tokenizer.path = absolute(config.tokenizer.path)
    if config.tokenizer.extend:
        config.tokenizer.extend = absolute(config.tokenizer.extend)
    if config.tokenizer.forbidden_file:
        config.tokenizer.forbidden_file = absolute(config.tokenizer.forbidden_file)
    if config.filter.language.model:
        config.filter.language.model = absolute(config.filter.language.model)
    if config.mix.hosts:
        config.mix.hosts.files = {name: absolute(path) for name, path in config.mix.hosts.files.items()}
    config.dedup.against = [absolute(folder) for folder in config.dedup.against]
    for model in config.filter.quality.values():
        model.model = absolute(model.model)
    for evaluation_set in config.filter.decontamination.sets.values():
        evaluation_set.paths = [absolute(path) for path in evaluation_set.paths]
    return config


def show(config: CorpusConfig) -> str:
    """The whole configuration as YAML, each key with its help text as a comment."""
    return "\n".join(_show_section(config, 0)) + "\n"


def _show_section(section: Section, depth: int) -> list[str]:
    lines = []
    indent = "  " * depth
    plain = section.model_dump()
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        lines.append(f"{indent}# {field.description}")
        if isinstance(value, Section):
            lines += [f"{indent}{name}:", *_show_section(value, depth + 1)]
        elif isinstance(value, list) and value and all(isinstance(item, Section) for item in value):
            lines.append(f"{indent}{name}:")
            for item in value:
                shown = _show_section(item, depth + 2)
                first = next(i for i, line in enumerate(shown) if not line.lstrip().startswith("#"))
                shown[first] = f"{indent}  - {shown[first].lstrip()}"
                lines += shown
        else:
            # Unsorted: the ids of special tokens go by the order in which they are named.
            dumped = yaml.safe_dump(
                plain[name], allow_unicode=True, default_flow_style=True, width=10**6, sort_keys=False
            )
            lines.append(f"{indent}{name}: {dumped.removesuffix('...' + chr(10)).strip()}")
    return lines


def check_names(config: CorpusConfig, origin: str) -> None:
    """Refuses presets, rules and pre-tokenizers that do not exist or cannot be used, before anything runs."""
    from pipeline import rules
    from tokenizer.pretokenizers import PRETOKENIZERS, pretokenizer

    try:
        rules.check(config.filter)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None
    sources = [source.name for source in config.sources]
    for name in config.tokenizer.weights.sources:
        if name not in sources:
            raise ConfigError(f"{origin}: tokenizer.weights.sources: `{name}` is no source; {nearest(name, sources)}")
    chosen = config.tokenizer.pretokenizer
    if not isinstance(chosen, str):
        try:
            pretokenizer(chosen.model_dump())
        except ValueError as error:
            raise ConfigError(f"{origin}: tokenizer.pretokenizer: {error}") from None
    elif chosen not in PRETOKENIZERS:
        raise ConfigError(
            f"{origin}: tokenizer.pretokenizer: `{chosen}` is unknown; {nearest(chosen, list(PRETOKENIZERS))}"
        )


_KINDS = ("str", "PresetUse", "Expression")


def _explain(problem: Any) -> str:
    """One line for one of pydantic's errors: the key's path, what is wrong, the nearest name or the help text."""
    # Behind a key or the index into a list of two kinds pydantic puts the kind, which is no key.
    loc = problem["loc"]
    location = [
        part for part, before in zip(loc, (None, *loc))
        if not (part in _KINDS and (isinstance(before, int) or before == "pretokenizer"))
    ]  # fmt: skip
    key = ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location).replace(".[", "[")
    if problem["type"] == "extra_forbidden":
        model = _model_at(location[:-1])
        names = list(model.model_fields) if model else []
        near = difflib.get_close_matches(str(location[-1]), names, 1, 0.5)
        if near and model:
            return f"{key}: there is no such key; did you mean `{near[0]}`? ({model.model_fields[near[0]].description})"
        return f"{key}: there is no such key; there are {', '.join(names)}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:].partition(", unable to parse")[0]
    if problem["type"] != "missing" and problem["type"] != "value_error":
        message += f", not {problem['input']!r}{_remedy(problem, str(location[-1]) if location else '')}"
    parent = _model_at(location[:-1])
    field = parent.model_fields.get(str(location[-1])) if parent and location else None
    return (f"{key}: " if key else "") + message + (f" ({field.description})" if field else "")


def _remedy(problem: Any, key: str) -> str:
    """What was probably meant, where a text stands in place of one of some words or of a list; else nothing."""
    value = problem["input"]
    if problem["type"] == "literal_error" and isinstance(value, str):
        near = nearest(value, re.findall("'([^']*)'", problem["ctx"]["expected"]))
        return f"; {near}" if near.startswith("did") else ""
    if problem["type"] == "list_type" and isinstance(value, str):
        return f"; as a list it is `{key}: {yaml.safe_dump([value], default_flow_style=True, width=10**6).strip()}`"
    return ""


def _model_at(location: list[Any]) -> type[Section] | None:
    """The section that a path of keys leads to."""
    model: Any = CorpusConfig
    named = False  # whether the next key is a name that the user chose
    for part in location:
        if isinstance(part, int) or named:
            named = False
            continue
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, Section) else None
        if field is None:
            return None
        named = get_origin(field.annotation) is dict
        model = next(_sections_in(field.annotation), None)
    return model


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a type names, however deep: ``list[Annotated[str | PresetUse, …]]`` names one."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _sections_in(inner)
