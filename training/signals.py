"""Signals that ask a run to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_signals(alone: bool = True) -> Iterator[list[int]]:
    """A list that becomes non-empty when SIGTERM or SIGINT arrives.

    A second SIGINT interrupts a process that is ``alone`` at once; under torchrun Ctrl-C arrives twice, from the
    terminal and from torchrun, and must not interrupt the saving that the first asked for.
    """
    received: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        received.append(number)
        if alone:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, note)
    except ValueError:  # not the main thread: whoever owns the process handles its signals
        pass
    try:
        yield received
    finally:
        for restored, handler in previous.items():
            signal.signal(restored, handler)
