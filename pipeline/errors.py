"""Errors meant for a person: one line that says what, where and what to do."""

from __future__ import annotations

import dis
import errno
import json

_MARK = "gristmill-error:"
_PACKAGES = ("dedup", "filters", "pipeline", "text", "tokenizer")


class GristmillError(Exception):
    """A failure with a remedy. Shown as one line without a traceback; exit code 1."""


class ConfigError(GristmillError):
    """A configuration or a call that cannot be right. Shown as one line a problem; exit code 2."""


def told(error: BaseException) -> GristmillError | None:
    """The error as one meant for a person; None for a defect of the code.

    Meant are GristmillErrors, what the machine refused, and what a ``raise`` of this project's own says of a value (its
    rooms promise ValueErrors that name the remedy). An error that a library raised on the way is a defect.
    """
    if isinstance(error, GristmillError):
        return error
    if _raised_here(error) and str(error):
        return GristmillError(str(error))
    if not isinstance(error, OSError):
        return None
    where = error.filename or "the output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GristmillError(
            f"no space left on the device while writing {where}: free some space or choose another output folder, "
            "then run again; finished files are kept"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return GristmillError(f"{where} may not be written or read ({error.strerror}): change its rights or its place")
    if error.errno and error.filename:
        return GristmillError(f"{where}: {error.strerror}; finished files are kept, run again when it is mended")
    return GristmillError(str(error)) if isinstance(error, (ConnectionError, TimeoutError)) and str(error) else None


def _raised_here(error: BaseException) -> bool:
    """Whether it is a ValueError, plain or of our own, that a ``raise`` in one of our packages made."""
    plain_or_own = type(error) is ValueError or type(error).__module__.partition(".")[0] in _PACKAGES
    if not (isinstance(error, ValueError) and plain_or_own):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _PACKAGES:
        return False
    # Functions in C leave no frame: only the instruction tells our `raise` from a call that failed.
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def as_marked(error: BaseException) -> RuntimeError | None:
    """Wraps an error for the journey through a runner, which keeps nothing of an exception but its text."""
    meant = told(error)
    if meant is not None:
        name = "ConfigError" if isinstance(meant, ConfigError) else "GristmillError"
        return RuntimeError(f"{_MARK}{json.dumps([name, str(meant)])}{_MARK}")
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
