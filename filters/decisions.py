"""What the rules in force say of each document: the first that it fails, and all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.names import unknown
from filters.presets import Preset, Rule


class Decisions(NamedTuple):
    """``first`` int32 [n]: the first failing rule as an index into ``rules``, -1 if the document stays.

    ``failing`` list<uint16> [n]: the numbers of all rules that fail, ascending. ``rules``: the names, ``preset/rule``.
    """

    first: np.ndarray
    failing: pa.ListArray
    rules: list[str]


def rule_names(presets: Sequence[Preset]) -> list[str]:
    """The names of all rules, ``preset/rule``, in the order in which they are asked."""
    return [f"{preset.name}/{rule.name}" for preset in presets for rule in preset.rules]


def decide(annotations: pa.RecordBatch | pa.Table, presets: Sequence[Preset]) -> Decisions:
    """Asks every rule of every preset about every document.

    Numbers are compared in the type of their column, so a share that equals a threshold of 0.1 meets ``maximum: 0.1``.

    Args:
        annotations: a column for each rule's statistic; ``language`` too if a preset is limited to languages.
        presets: in the order in which their rules are asked.

    Raises:
        ValueError: a column that is missing or has another type, or a rule named twice.
    """
    rules = rule_names(presets)
    if len(set(rules)) < len(rules):
        twice = next(name for name in rules if rules.count(name) > 1)
        raise ValueError(f"rule {twice!r} is there twice; give one of the presets a label of its own")
    fails = np.zeros((len(rules), annotations.num_rows), bool)
    for row, failed in enumerate(_verdicts(annotations, presets)):
        fails[row] = failed

    by_document = np.ascontiguousarray(fails.T)
    offsets = np.zeros(annotations.num_rows + 1, np.int32)
    np.cumsum(by_document.sum(1), out=offsets[1:])
    numbers = (np.flatnonzero(by_document) % max(1, len(rules))).astype(np.uint16)
    first = np.full(annotations.num_rows, -1, np.int32)
    some = offsets[:-1] < offsets[1:]
    first[some] = numbers[offsets[:-1][some]]
    return Decisions(first, pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers)), rules)


def _verdicts(annotations: pa.RecordBatch | pa.Table, presets: Sequence[Preset]) -> Iterator[np.ndarray]:
    """For each rule in order, which documents fail it: bool [n]."""
    for preset in presets:
        applies = np.ones(annotations.num_rows, bool)
        if preset.languages is not None or preset.except_languages:
            applies = judged(preset, _column(annotations, "language", f"preset {preset.name!r}"))
        for rule in preset.rules:
            yield applies & ~_meets(_column(annotations, rule.statistic, f"rule {preset.name}/{rule.name}"), rule)


def judged(preset: Preset, languages: pa.Array) -> np.ndarray:
    """Which documents [n] of these languages a preset judges: bool [n]; all others pass it."""
    inside = np.ones(len(languages), bool) if preset.languages is None else _is_in(languages, preset.languages)
    return inside & ~_is_in(languages, preset.except_languages) if preset.except_languages else inside


def _column(annotations: pa.RecordBatch | pa.Table, name: str, where: str) -> pa.Array:
    if name not in annotations.schema.names:
        message = unknown("column", name, annotations.schema.names)
        raise ValueError(f"{where}: {message}; annotate the documents again if it should be there")
    column = annotations.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _is_in(column: pa.Array, values: Sequence[str]) -> np.ndarray:
    if isinstance(column, pa.ChunkedArray):  # a table without rows has no chunk
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_null(column.type)):
        raise ValueError(f"a column of languages must hold text, not {column.type}")
    found = pc.is_in(column.cast(pa.string()), value_set=pa.array(values, pa.string()))
    return found.to_numpy(zero_copy_only=False)


def _meets(column: pa.Array, rule: Rule) -> np.ndarray:
    """Which rows [n] bool meet a rule."""
    if rule.bound is None:
        return _is_in(column, rule.one_of)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        if pa.types.is_null(column.type):
            return np.zeros(len(column), bool)
        raise ValueError(f"rule {rule.name!r} needs numbers in column {rule.statistic!r}, not {column.type}")
    present = pc.is_valid(column).to_numpy(zero_copy_only=False)
    values = column.fill_null(0).to_numpy(zero_copy_only=False) if column.null_count else column.to_numpy()
    assert rule.threshold is not None
    threshold: Any = rule.threshold
    if np.issubdtype(values.dtype, np.floating):
        threshold = values.dtype.type(rule.threshold)
    compare = {"minimum": np.greater_equal, "maximum": np.less_equal, "above": np.greater, "below": np.less}
    return compare[rule.bound](values, threshold) & present
