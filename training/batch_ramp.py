"""How many samples a step reads, over the run: a small batch first, where gradients agree, then larger ones.

A pure function of the step, so that there is nothing to save: the loader's cursor at a step is the number of samples of
all steps before it. The ramp is Megatron-LM's (``--rampup-batch-size``): stages of equal tokens whose batches grow by
equal increments; DeepSeek-V3 (arXiv 2412.19437, section 4.2) ramps from 3,072 to 15,360 over 469 billion tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class BatchRamp:
    """Batches from ``start`` to ``full`` in steps of ``increment``, over about ``samples`` samples."""

    full: int
    start: int
    increment: int
    samples: int

    @cached_property
    def stages(self) -> list[tuple[int, int, int]]:
        """(first step, samples before it, batch) of each stage; the last goes on for ever."""
        sizes = range(self.start, self.full, self.increment) if self.start < self.full else range(0)
        stages, step, read = [], 0, 0
        for size in sizes:
            stages.append((step, read, size))
            steps = math.ceil(self.samples / len(sizes) / size)
            step, read = step + steps, read + steps * size
        return [*stages, (step, read, self.full)]

    def batch(self, step: int) -> int:
        """Samples that step (counted from 0) reads."""
        return self._stage(step)[2]

    def samples_before(self, step: int) -> int:
        """Samples of all steps before one: where it starts to read."""
        first, read, size = self._stage(step)
        return read + (step - first) * size

    def steps(self, samples: int) -> int:
        """Steps that it takes to read at least so many samples."""
        first, read, size = max(stage for stage in self.stages if stage[1] <= samples)
        return first + math.ceil((samples - read) / size)

    def sizes(self) -> Iterator[int]:
        """Every batch size of the run."""
        return (size for _, _, size in self.stages)

    def _stage(self, step: int) -> tuple[int, int, int]:
        return max(stage for stage in self.stages if stage[0] <= step)
