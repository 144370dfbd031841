"""Progress of the running job: counters that tasks advance in this process, and who shows them.

Threads of the direct engine share this module with the command line, so progress is live there. On other engines tasks
run elsewhere, and progress is what the engine's own page shows.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Counters of one job. ``bytes``: text, or stored input while ingesting; ``tasks`` are mostly files."""

    job: str = ""
    tasks: int = 0
    tasks_done: int = 0
    bytes_expected: int = 0
    documents: int = 0
    bytes: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the job began."""
        return time.monotonic() - self.started

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes a second so far."""
        return self.bytes / 1e6 / max(self.seconds, 1e-9)

    steps: tuple[int, int] = (0, 0)

    @property
    def share_done(self) -> float:
        """Share of the work done: by what the task itself says, else by bytes where they are known, else by tasks."""
        if self.steps[1]:
            return self.steps[0] / self.steps[1]
        if self.bytes_expected:
            return min(1.0, self.bytes / self.bytes_expected)
        return self.tasks_done / max(self.tasks, 1)


current = Progress()
_lock = threading.Lock()


def start(job: str, tasks: int, bytes_expected: int) -> None:
    """Begins a job: resets the counters."""
    global current
    with _lock:
        current = Progress(job, tasks, 0, bytes_expected)


def advance(documents: int = 0, text_bytes: int = 0, tasks: int = 0) -> None:
    """Adds what a task has just done."""
    with _lock:
        current.documents += documents
        current.bytes += text_bytes
        current.tasks_done += tasks


def expect(done: int, of: int) -> None:
    """Tells how far a job of one long task is, in steps of its own."""
    current.steps = (done, of)
