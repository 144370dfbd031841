"""Where the time of a step goes: data, forward, backward, optimizer, and other.

A GPU works behind the program, so there the marks are events in its stream and the times are the device's own: what the
program computes while the GPU is busy costs nothing and shows as nothing. On a CPU they are the wall clock's.
"""

from __future__ import annotations

import time
from typing import Any

import torch

PARTS = ("data", "forward", "backward", "optimizer", "other")


class StepClock:
    """``start()``, then ``mark(part)`` when a part ends, as often as it occurs, then ``stop()``."""

    def __init__(self, device: torch.device):
        self._gpu = device.type == "cuda"
        self._marks: list[tuple[str, Any]] = []

    def start(self) -> None:
        """A step begins."""
        self._marks = [("", self._now())]

    def mark(self, part: str) -> None:
        """What was done since the mark before was this part of the step."""
        self._marks.append((part, self._now()))

    def stop(self) -> dict[str, float]:
        """Seconds by part; on a GPU it waits until the step is done. Together they are the step's seconds."""
        self.mark("other")
        if self._gpu:
            self._marks[-1][1].synchronize()
        seconds = dict.fromkeys(PARTS, 0.0)
        for (_, before), (part, now) in zip(self._marks, self._marks[1:], strict=False):
            seconds[part] += before.elapsed_time(now) / 1000 if self._gpu else now - before
        return seconds

    def _now(self) -> Any:
        if not self._gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event
