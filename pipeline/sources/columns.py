"""Which columns of JSONL and Parquet hold the fields of a document."""

from __future__ import annotations

import difflib

from pipeline.errors import ConfigError

FIELDS = ("text", "id", "url", "date", "language")


class ColumnError(ConfigError):
    """A file lacks a column that the configuration needs."""


def missing_column(path: str, field: str, name: str, there: list[str]) -> str:
    """The message for a column that is not there: which there are, and which is nearest."""
    near = difflib.get_close_matches(name, there, 1, 0.5)
    hint = f"did you mean `{near[0]}`? " if near else ""
    shown = ", ".join(there[:30]) + (", …" if len(there) > 30 else "")
    return f"{path} has no column `{name}` for columns.{field}; {hint}it has {shown or 'none'}: set columns.{field}"
