"""Rules that drop single lines of a page, and the editor that applies them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from filters import line_rules_kernels as kernels
from filters.names import unknown
from filters.scratch import scratch
from filters.vocabulary import vocabulary
from text.arrow_buffers import text_array, text_buffers
from text.code_points import code_points


@dataclasses.dataclass(frozen=True)
class LineRules:
    """Which lines to drop; the default of each field switches it off. Order and meaning: ``judge_line``.

    ``min_words`` counts words as the statistics do: an unsegmented character is a word.
    """

    max_word_characters: int | None = None
    end_marks: str | None = None  # the line must end in one of these characters
    refuse_ellipsis: bool = False  # "..." is no end mark
    min_words: int = 0
    drop_javascript: bool = False  # lines that say "javascript"
    drop_policies: bool = False  # lines about cookies, privacy or terms of use
    remove_citations: bool = False  # [12], [edit], [citation needed] leave the line first
    max_upper_fraction: float | None = None  # of the line's letters
    drop_numeric: bool = False  # lines with numbers and no letter
    drop_counters: bool = False  # "3 likes"
    keep_blank_lines: bool = False  # one blank line stays where some stood between kept lines

    def in_force(self) -> list[tuple[str, bool | int | float | str]]:
        """The rules that are switched on, and what they are set to."""
        return [
            (field.name, getattr(self, field.name))
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]

    def row(self) -> np.ndarray:
        """The rules as the float64 [RULE_COLUMNS] row that the kernels read."""
        row = np.zeros(kernels.RULE_COLUMNS)
        row[kernels.MAX_WORD_CHARACTERS] = self.max_word_characters or 0
        row[kernels.REQUIRE_END_MARK] = self.end_marks is not None
        row[kernels.REFUSE_ELLIPSIS] = self.refuse_ellipsis
        row[kernels.MIN_WORDS] = self.min_words
        row[kernels.DROP_JAVASCRIPT] = self.drop_javascript
        row[kernels.DROP_POLICY] = self.drop_policies
        row[kernels.REMOVE_CITATIONS] = self.remove_citations
        row[kernels.MAX_UPPER_FRACTION] = 1.0 if self.max_upper_fraction is None else self.max_upper_fraction
        row[kernels.DROP_NUMERIC] = self.drop_numeric
        row[kernels.DROP_COUNTERS] = self.drop_counters
        row[kernels.KEEP_BLANK_LINES] = self.keep_blank_lines
        return row


FIELDS = tuple(field.name for field in dataclasses.fields(LineRules))


def line_rules(where: str, values: Mapping[str, Any]) -> LineRules:
    """Makes line rules from a YAML mapping.

    Raises:
        ValueError: a key that is not a field of ``LineRules``, or a value of another type; names ``where``.
    """
    for key, value in values.items():
        if key not in FIELDS:
            raise ValueError(f"{where}: {unknown('line rule', key, FIELDS)}")
        if key == "end_marks":
            valid = value is None or (isinstance(value, str) and value != "")
        elif key in ("max_word_characters", "min_words"):
            valid = value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)
        elif key == "max_upper_fraction":
            valid = value is None or (isinstance(value, (int, float)) and 0 <= value <= 1)
        else:
            valid = isinstance(value, bool)
        if not valid:
            raise ValueError(f"{where}: line rule {key!r} cannot be {value!r}")
    return LineRules(**{key: value for key, value in values.items() if value is not None})


@functools.cache
def published_line_rules() -> dict[str, LineRules]:
    """The ``lines`` blocks of the shipped presets by column prefix (``c4-datatrove`` → ``c4_datatrove``), sorted.

    Presets with equal ones, such as ``c4`` and ``c4-tfds``, share the columns of the first.
    """
    found: dict[str, LineRules] = {}
    files = resources.files("filters").joinpath("presets").iterdir()
    for file in sorted(files, key=lambda file: file.name.removesuffix(".yaml")):
        if file.name.endswith(".yaml"):
            preset = yaml.safe_load(file.read_text(encoding="utf-8"))
            if preset.get("lines"):
                rules = line_rules(file.name, preset["lines"])
                if rules not in found.values():
                    found[column_prefix(preset["name"])] = rules
    return found


def column_prefix(preset: str) -> str:
    """What the statistics of a preset's line rules begin with."""
    return preset.replace("-", "_")


def line_rule_tables(sets: Sequence[LineRules]) -> tuple[np.ndarray, np.ndarray]:
    """Sets of line rules as the kernels read them: float64 [sets, RULE_COLUMNS] and int32 [sets, marks]."""
    rows = np.stack([rules.row() for rules in sets]) if sets else np.zeros((0, kernels.RULE_COLUMNS))
    marks = np.full((len(sets), max((len(rules.end_marks or "") for rules in sets), default=0)), -1, np.int32)
    for row, rules in zip(marks, sets, strict=True):
        row[: len(rules.end_marks or "")] = [ord(mark) for mark in rules.end_marks or ""]
    return rows, marks


def edit_lines(texts: pa.Array | pa.ChunkedArray, rules: LineRules) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Drops lines from every document.

    Kept lines lose the spaces around them and are joined by line feeds, as C4 does; a document of which nothing stays
    becomes empty.

    Args:
        texts: ``string`` or ``large_string``; nulls read as empty.
        rules: which lines to drop.

    Returns:
        The new texts, ``large_string`` [n], and the bytes each document lost, uint64 [n].
    """
    data, offsets = text_buffers(texts)
    rows, marks = line_rule_tables([rules])
    room = scratch(int(np.diff(offsets).max(initial=0)), most_words=0)
    edited = np.empty(offsets[-1] - offsets[0], np.uint8)
    edited_offsets = kernels.edit_documents(data, offsets, code_points().flags, vocabulary(), rows, marks, room, edited)
    edited = edited[: edited_offsets[-1]].copy()
    removed = np.diff(offsets) - np.diff(edited_offsets)
    return text_array(edited, edited_offsets), removed.astype(np.uint64)
