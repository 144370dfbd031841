"""Errors meant for a person: one line that says what, where and what to do."""

from __future__ import annotations

import errno
import json

_MARK = "gristmill-error:"


class GristmillError(Exception):
    """A failure with a remedy. Shown as one line without a traceback; exit code 1."""


class ConfigError(GristmillError):
    """A configuration or a call that cannot be right. Shown as one line a problem; exit code 2."""


def as_marked(error: BaseException) -> RuntimeError | None:
    """Wraps an error for the journey through a runner, which keeps nothing of an exception but its text."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        error = GristmillError(
            f"no space left on the device while writing {error.filename or 'the output'}: free some space or choose "
            "another output folder, then run again; finished files are kept"
        )
    if isinstance(error, GristmillError):
        return RuntimeError(f"{_MARK}{json.dumps([type(error).__name__, str(error)])}{_MARK}")
    return None


def from_marked(error: BaseException) -> GristmillError | None:
    """Finds the error that ``as_marked`` hid in a runner's exception; None if there is none."""
    text = str(error)
    if text.count(_MARK) < 2:
        return None
    try:
        name, message = json.loads(text.split(_MARK)[1])
    except ValueError:  # a runner escaped the quotes of its own accord
        name, message = "", text.split(_MARK)[1].encode().decode("unicode_escape").strip('[]"')
    return (ConfigError if name == "ConfigError" else GristmillError)(message)
