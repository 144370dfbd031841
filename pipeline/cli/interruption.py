"""Ctrl-C: a short word, exit code 130, and nothing to wait for, because files in flight have no name yet."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

CODE = 128 + signal.SIGINT  # as shells have it


def stop(*_: Any) -> NoReturn:
    """Ends the process at once, threads and all; leaves the terminal's line and cursor as it should be."""
    clean = b"\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else b""
    os.write(2, clean + b"stopped; what was finished is kept, and the same command goes on from there\n")
    os._exit(CODE)


def stop_at_once() -> None:
    """From now on Ctrl-C ends the process by ``stop``.

    As an exception it would get lost: some libraries catch everything while they are imported, and an engine waits for
    its workers before it lets an exception out.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell's background job does not want it
        signal.signal(signal.SIGINT, stop)
