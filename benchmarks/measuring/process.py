"""A command in a process of its own, timed, with the most memory that it and its children held at once."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_EVERY = 0.2  # seconds between two looks at the memory


class Ran(NamedTuple):
    """What a command said in its last line, its seconds from start to end, core-seconds, and its peak memory in MB."""

    last_line: str
    seconds: float
    core_seconds: float
    peak_mb: float


class Failed(RuntimeError):
    """The command ended with an error; carries the end of what it said."""


def run(command: Sequence[str], timeout: float | None = None) -> Ran:
    """Runs a command of Python's: ``command`` follows the interpreter, unless it begins with one of its own.

    Memory (Linux; NaN elsewhere) is looked at five times a second: of a lone process the most it ever held, as the
    system remembers it; of a process tree the sum of proportional set sizes, in which a shared page counts once.

    Raises:
        Failed: it ended with an error, or took longer than ``timeout`` seconds.
    """
    whole = list(command) if command[0].startswith("/") else [sys.executable, *command]
    started, before = time.monotonic(), _core_seconds()
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watch = _Watch(process.pid)
        watch.start()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for pid in reversed(_tree(process.pid)):
                os.kill(pid, 9)
            process.communicate()
            raise Failed(f"took longer than {timeout:.0f} s") from None
        finally:
            watch.stop()
    if process.returncode:
        raise Failed("\n".join((out + err).strip().splitlines()[-15:]))
    last_line = (out.strip().splitlines() or [""])[-1]
    return Ran(last_line, time.monotonic() - started, _core_seconds() - before, watch.peak_mb)


def _core_seconds() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _Watch(threading.Thread):
    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._pid, self._stopped = pid, threading.Event()
        self.peak_mb = float("nan")

    def run(self) -> None:
        while not self._stopped.wait(_EVERY):
            tree = _tree(self._pid)
            # Walking the pages of many gigabytes would slow down the process that is measured.
            held = (
                _kb(tree[0], "status", "VmHWM") if len(tree) == 1 else sum(_kb(p, "smaps_rollup", "Pss") for p in tree)
            )
            held *= 1.024e-3
            self.peak_mb = held if not self.peak_mb >= held else self.peak_mb

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _tree(pid: int) -> list[int]:
    """A process and all that descend from it; parents first."""
    found = [pid]
    for each in found:
        for tasks in Path(f"/proc/{each}/task").glob("*/children"):
            try:
                found += [int(child) for child in tasks.read_text().split()]
            except OSError:
                continue
    return found


def _kb(pid: int, file: str, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:  # it has ended, or this is not Linux
        return 0
    return next((float(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
