"""Training curves: the ``metrics.jsonl`` of training runs in or below an output folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline import storage
from pipeline.report.schema import clean

PARTS = ("data", "forward", "backward", "optimizer", "other")  # of a step's time, as the trainer tells them
_POINTS = 2000  # a chart shows no more; a long run is thinned evenly, its last step kept
_TRAINING = (
    "tokens", "loss", "learning_rate", "gradient_norm", "tokens_per_s", "seconds", "mfu", "memory_bytes",
    *(f"parts.{part}" for part in PARTS),
)  # fmt: skip
_VALIDATION = ("validation_loss", "bits_per_byte")
_GROUPS = ("sources", "sets")  # of a validation: figures by name


def read_runs(output: str) -> list[dict[str, Any]]:
    """Finds ``metrics.jsonl`` in the folder itself, in ``training/`` and one level below that.

    Returns:
        For each run its ``name``, ``steps`` (rows of the training metrics, the parts of a step's time among them as
        ``parts.forward`` and so on), ``validations`` (rows of the validation metrics, with ``sources`` and ``sets``:
        the same by name) and ``broken_lines`` (a run that was killed may have left half a line).
    """
    paths = [path for path in ("metrics.jsonl", "training/metrics.jsonl") if storage.exists(storage.join(output, path))]
    below = storage.list_files(storage.join(output, "training"))
    paths += [f"training/{path}" for path in below if path.count("/") == 1 and path.endswith("/metrics.jsonl")]
    return [_read_run(output, path) for path in paths]


def _read_run(output: str, path: str) -> dict[str, Any]:
    rows, broken = [], 0
    with storage.open_read(storage.join(output, path)) as file:
        for line in file.read().splitlines():
            try:
                rows.append(_flat(clean(json.loads(line))))
            except (ValueError, AttributeError):
                broken += 1
    name = storage.join(output, path).split("/")[-2]
    validations = _columns(rows, "validation_loss", (*_VALIDATION, *_GROUPS))
    return {
        "name": name,
        "steps": _thinned(_columns(rows, "loss", _TRAINING)),
        "validations": _thinned(validations),
        "broken_lines": broken,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row's numbers; those of ``parts`` as keys of their own, those of sources and sets below their name."""
    flat: dict[str, Any] = {key: value for key, value in row.items() if _is_number(value)}
    for part, value in row["parts"].items() if isinstance(row.get("parts"), dict) else ():
        if _is_number(value):
            flat[f"parts.{part}"] = value
    for group in _GROUPS:
        named = row[group].items() if isinstance(row.get(group), dict) else ()
        flat[group] = {
            name: {key: value if _is_number(value := figures.get(key)) else None for key in _VALIDATION}
            for name, figures in named
            if isinstance(figures, Mapping)
        }
    return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _columns(rows: list[dict[str, Any]], required: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows that hold a step and the required metric. A step repeated after a resume counts as last written."""
    by_step = {row["step"]: row for row in rows if "step" in row and required in row}
    return [{"step": step} | {name: by_step[step].get(name) for name in names} for step in sorted(by_step)]


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) <= _POINTS:
        return rows
    return [rows[round(index * (len(rows) - 1) / (_POINTS - 1))] for index in range(_POINTS)]
