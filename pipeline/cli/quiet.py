"""What an engine says to itself stays off the terminal; GRISTMILL_TRACEBACK=1 lets it all through."""

from __future__ import annotations

import logging
import os

TRACEBACK = "GRISTMILL_TRACEBACK"


def wants_tracebacks() -> bool:
    """Whether the person asked for them."""
    return bool(os.environ.get(TRACEBACK))


def quieten() -> None:
    """Before a verb: leaves of the log what is an error."""
    logging.getLogger().setLevel(logging.ERROR)
    if not wants_tracebacks():
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)


def quieten_workers() -> None:
    """Before a run: Beam's worker prints the traceback of an error that is told in one line when it arrives."""
    if wants_tracebacks():
        return
    from apache_beam.runners.worker import sdk_worker

    sdk_worker.print = lambda *values, **_: None  # type: ignore[attr-defined]
