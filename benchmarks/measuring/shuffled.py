"""How many bytes a pipeline on the local engine puts through its shuffles, as Beam encodes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer


class Shuffled:
    """``bytes`` that all groupings were given so far."""

    bytes = 0


@contextlib.contextmanager
def counting() -> Iterator[Shuffled]:
    """Counts what the engine's groupings are given while the block runs."""
    counted = Shuffled()
    append = GroupingBuffer.append

    def counting_append(self: GroupingBuffer, elements_data: bytes) -> None:
        counted.bytes += len(elements_data)
        append(self, elements_data)

    GroupingBuffer.append = counting_append
    try:
        yield counted
    finally:
        GroupingBuffer.append = append
