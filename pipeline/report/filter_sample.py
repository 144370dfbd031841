"""What the report says of single documents and their statistics: a sample of the decisions and what they went by.

It is taken when a report is written, is bounded, and depends on the output folder's content alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.statistics import STATISTICS
from filters.urls import hosts_of
from pipeline import storage
from pipeline.arrays import vector
from pipeline.errors import GristmillError
from pipeline.parts import read_part, read_rows, read_schema
from pipeline.report.copies import texts_of
from text.hashing import keyed_hash

MOST_DOCUMENTS = 100_000
_LEAST_PARTS = 50  # that many are heard where there are as many
_BINS = 40
_TAIL = 0.005  # of the documents, at either end, stand in the outermost bins
_REMOVED, _KEPT = 3, 2  # documents to read of each rule
_EXCERPT = 700  # characters of one
_HOSTS = 20


def filter_sample(output: str, settings: Mapping[str, Any], files: Iterable[str]) -> dict[str, Any] | None:
    """A sample of the decisions, with the statistics that they went by.

    Args:
        output: the output folder, whose ``decisions/``, ``annotations/`` and ``documents/`` are read.
        settings: of the job ``decide``: its presets.
        files: of the job ``decide``, relative to the output folder.

    Returns:
        ``documents`` in the sample; ``overlap`` of rules as a matrix of documents that fail both,
        and those that fail one alone; ``distributions`` of
        each statistic that a rule asks for; ``hosts`` before and after; ``examples`` to read of each rule; ``missing``,
        why there is less. None where there is no rule or no file.
    """
    parts = sorted((path for path in files if path.endswith(".parquet")), key=_shuffled)
    rules = [(preset, rule) for preset in settings.get("presets", ()) for rule in preset["rules"]]
    if not parts or not rules:
        return None
    found, missing = [], ""
    left, quota = MOST_DOCUMENTS, -(-MOST_DOCUMENTS // min(len(parts), _LEAST_PARTS))
    for path in parts:
        if left <= 0:
            break
        try:
            table = _joined(output, path.removeprefix("decisions/"), rules, min(left, quota))
        except (GristmillError, OSError, KeyError) as error:
            missing = missing or str(error)
            continue
        found.append(table)
        left -= table.num_rows
    if not found:
        return {"documents": 0, "missing": missing}
    sample = pa.concat_tables(found, promote_options="default").combine_chunks().sort_by("key")
    names = [f"{preset['name']}/{rule['name']}" for preset, rule in rules]
    fails = _fails(sample["failing"].combine_chunks(), len(rules))
    return {
        "documents": sample.num_rows,
        "missing": missing,
        "overlap": {
            "rules": names,
            "matrix": (fails.astype(np.float64).T @ fails).astype(int).tolist(),
            "alone": fails[fails.sum(1) == 1].sum(0).tolist(),
        },
        "distributions": list(_distributions(sample, rules, names)),
        "hosts": _hosts(sample),
        "examples": _examples(output, sample, rules, names),
    }


def _shuffled(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest()


def _joined(output: str, part: str, rules: Sequence[tuple[Any, Any]], most: int) -> pa.Table:
    """The first documents of a part: decision, statistics and address."""
    decided = _first(storage.join(output, "decisions", part), ["key", "kept", "rule", "failing"], most)
    asked = dict.fromkeys(rule["statistic"] for _, rule in rules)
    measured = _first_known(storage.join(output, "annotations", part), ["key", "text_bytes", *asked], most)
    if not measured["key"].equals(decided["key"]):
        raise GristmillError(f"annotations/{part} and decisions/{part} are of different documents: filter again")
    columns = {name: measured[name] for name in measured.column_names if name != "key"}
    for name in asked:
        if name not in columns and (column := _elsewhere(output, part, name, decided["key"], most)) is not None:
            columns[name] = column
    for name, column in columns.items():
        decided = decided.append_column(name, column)
    keys = vector(decided["key"])
    batches = list(read_rows(storage.join(output, "documents", part), ["key", "url"], keys))
    urls = pa.Table.from_batches(batches)["url"] if batches else pa.nulls(0, pa.string())
    return decided.append_column("url", urls)


def _first(path: str, columns: Sequence[str], most: int) -> pa.Table:
    batches, rows = [], 0
    for batch in read_part(path, columns):
        batches.append(batch)
        rows += batch.num_rows
        if rows >= most:
            break
    if not batches:
        raise GristmillError(f"{path} has no documents")
    return pa.Table.from_batches(batches).slice(0, most)


def _first_known(path: str, columns: Sequence[str], most: int) -> pa.Table:
    """The same of the columns that are there: what models and evaluation sets say lies elsewhere."""
    there = set(read_schema(path).names)
    return _first(path, [name for name in columns if name in there], most)


def _elsewhere(output: str, part: str, name: str, keys: pa.ChunkedArray, most: int) -> pa.ChunkedArray | None:
    """A column of a folder of its own, null where a document has no row there; None where there is no such file."""
    kind, _, of = name.partition("_")
    folder = {"quality": f"quality/{of}", "label": f"quality/{of}", "contamination": "contamination"}.get(kind)
    path = storage.join(output, folder, part) if folder else ""
    if not folder or not storage.exists(path) or name not in read_schema(path).names:
        return None
    found = _first(path, ["key", name], most)
    return found[name].take(pc.index_in(keys, value_set=found["key"].combine_chunks()))


def _fails(failing: pa.ListArray, rules: int) -> np.ndarray:
    """Which document fails which rule: bool [n, rules]."""
    fails = np.zeros((len(failing), rules), bool)
    fails[vector(pc.list_parent_indices(failing)), vector(failing.flatten())] = True
    return fails


def _distributions(
    sample: pa.Table, rules: Sequence[tuple[Any, Any]], names: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Of each statistic with a threshold: edges of bins, documents kept and removed in each, and the thresholds."""
    thresholds: dict[str, list[dict[str, Any]]] = {}
    for (_, rule), name in zip(rules, names, strict=True):
        if rule["threshold"] is not None and rule["statistic"] in sample.column_names:
            asked = {"rule": name, "bound": rule["bound"], "value": rule["threshold"]}
            thresholds.setdefault(rule["statistic"], []).append(asked)
    kept = sample["kept"].to_numpy()
    for statistic, drawn in thresholds.items():
        values = sample[statistic].to_numpy().astype(np.float64)
        known = np.isfinite(values)
        if not known.any():
            continue
        edges, scale = _edges(values[known], [each["value"] for each in drawn])
        inside = np.clip(values, edges[0], edges[-1])
        yield {
            "statistic": statistic,
            "help": STATISTICS.get(statistic, ""),
            "scale": scale,
            "edges": edges.tolist(),
            "kept": np.histogram(inside[known & kept], edges)[0].tolist(),
            "removed": np.histogram(inside[known & ~kept], edges)[0].tolist(),
            "thresholds": drawn,
        }


def _edges(values: np.ndarray, thresholds: Sequence[float]) -> tuple[np.ndarray, str]:
    """Edges of the bins, which hold most documents and the thresholds near them; logarithmic for wide ranges."""
    low, high = np.quantile(values, [_TAIL, 1 - _TAIL])
    near = [value for value in thresholds if value <= 1000 * max(high, 1e-9)]  # one far outside would leave one bar
    low, high = min([low, *near]), max([high, *(1.05 * value for value in near)])
    if high <= low:
        high = low + 1
    if low >= 0 and high > 50 and high > 50 * max(1.0, np.median(values) / 4):
        low = max(low, 1.0)
        return np.geomspace(low, high, _BINS + 1), "log"
    return np.linspace(low, high, _BINS + 1), "linear"


def _hosts(sample: pa.Table) -> dict[str, dict[str, int]]:
    """Documents and bytes of the largest hosts, before and after."""
    table = pa.table(
        {
            "host": hosts_of(sample["url"]),
            "text_bytes": sample["text_bytes"],
            "kept_bytes": pc.multiply(sample["text_bytes"], sample["kept"].cast(pa.uint64())),
            "kept": sample["kept"].cast(pa.uint64()),
        }
    )
    groups = table.group_by("host").aggregate(
        [("kept", "count"), ("kept", "sum"), ("text_bytes", "sum"), ("kept_bytes", "sum")]
    )
    ordered = groups.sort_by([("text_bytes_sum", "descending"), ("host", "ascending")]).slice(0, _HOSTS).to_pylist()
    return {
        row["host"] or "(no URL)": {
            "documents": row["kept_count"],
            "kept": row["kept_sum"],
            "text_bytes": row["text_bytes_sum"],
            "kept_bytes": row["kept_bytes_sum"],
        }
        for row in ordered
    }


def _examples(
    output: str, sample: pa.Table, rules: Sequence[tuple[Any, Any]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """For each rule that removes something: some documents that it removed first, and those it nearly removed."""
    keys, first = vector(sample["key"]), sample["rule"].to_pylist()
    order = np.argsort(keyed_hash(keys, 0), kind="stable")
    by_rule: dict[str, list[int]] = {}
    for row in order.tolist():
        if first[row] is not None and len(by_rule.setdefault(first[row], [])) < _REMOVED:
            by_rule[first[row]].append(row)
    kept = sample["kept"].to_numpy()
    chosen = []
    for (_, rule), name in zip(rules, names, strict=True):
        if name in by_rule:
            chosen.append((name, rule, by_rule[name], _nearest(sample, rule, kept)))
    wanted = {row for _, _, *rows in chosen for some in rows for row in some}
    texts, _ = texts_of(output, (int(keys[row]) for row in wanted))

    def told(row: int, statistic: str) -> dict[str, Any]:
        value = sample[statistic][row].as_py() if statistic in sample.column_names else None
        text = texts.get(int(keys[row]), "")
        cut = text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")
        return {"key": str(keys[row]), "url": sample["url"][row].as_py(), "value": value, "text": cut}

    return [
        {
            "rule": name,
            "statistic": rule["statistic"],
            "bound": rule["bound"],
            "threshold": rule["threshold"],
            "reason": rule["reason"],
            "removed": [told(row, rule["statistic"]) for row in removed],
            "kept": [told(row, rule["statistic"]) for row in near],
        }
        for name, rule, removed, near in chosen
    ]


def _nearest(sample: pa.Table, rule: Mapping[str, Any], kept: np.ndarray) -> list[int]:
    """The kept documents whose statistic is nearest to the threshold; of equal ones those with the smaller keys."""
    if rule["threshold"] is None or rule["statistic"] not in sample.column_names:
        return []
    values = sample[rule["statistic"]].to_numpy().astype(np.float64)
    distance = np.where(kept & np.isfinite(values), np.abs(values - rule["threshold"]), np.inf)
    rows = np.argsort(distance, kind="stable")[:_KEPT]
    return [row for row in rows.tolist() if np.isfinite(distance[row])]
