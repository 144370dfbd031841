"""Training curves: the ``metrics.jsonl`` of training runs in or below an output folder."""

from __future__ import annotations

import json
from typing import Any

from pipeline import storage
from pipeline.report.schema import clean

_POINTS = 2000  # a chart shows no more; a long run is thinned evenly, its last step kept
_TRAINING = ("tokens", "loss", "learning_rate", "gradient_norm", "tokens_per_s", "seconds")
_VALIDATION = ("validation_loss", "bits_per_byte")


def read_runs(output: str) -> list[dict[str, Any]]:
    """Finds ``metrics.jsonl`` in the folder itself, in ``training/`` and one level below that.

    Returns:
        For each run its ``name``, ``steps`` (rows of the training metrics), ``validations`` (rows of the validation
        metrics) and ``broken_lines`` (a run that was killed may have left half a line).
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
                row = clean(json.loads(line))
                rows.append({key: value for key, value in row.items() if isinstance(value, (int, float))})
            except (ValueError, AttributeError):
                broken += 1
    name = storage.join(output, path).split("/")[-2]
    return {
        "name": name,
        "steps": _thinned(_columns(rows, "loss", _TRAINING)),
        "validations": _thinned(_columns(rows, "validation_loss", _VALIDATION)),
        "broken_lines": broken,
    }


def _columns(rows: list[dict[str, Any]], required: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows that hold a step and the required metric. A step repeated after a resume counts as last written."""
    by_step = {row["step"]: row for row in rows if "step" in row and required in row}
    return [{"step": step} | {name: by_step[step].get(name) for name in names} for step in sorted(by_step)]


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rows) <= _POINTS:
        return rows
    return [rows[round(index * (len(rows) - 1) / (_POINTS - 1))] for index in range(_POINTS)]
