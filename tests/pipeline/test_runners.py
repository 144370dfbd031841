"""The local engine carries every element whole."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.worker.data_plane import SizeBasedBufferingClosableOutputStream

from pipeline.config import Engine
from pipeline.runners import runner_and_options

MESSAGES, ROWS = 14, 200_000


class Make(beam.DoFn):
    """Large messages from a bundle that lasts longer than a second, after which Beam would empty its buffer midway."""

    def process(self, number):
        time.sleep(0.2)
        yield number % 3, np.full(ROWS, number, np.uint64)


class Check(beam.DoFn):
    """What came of the messages."""

    def process(self, element):
        _, groups = element
        for column in groups["columns"]:
            assert len(column) == ROWS and (column == column[0]).all()
            received.append(int(column[0]))


received: list[int] = []


@pytest.mark.parametrize("workers", [1, 2])
def test_large_messages_arrive_whole_for_none_but_their_writer_empties_a_buffer(workers, monkeypatch):
    received.clear()
    flushing: dict[int, set[int]] = defaultdict(set)
    streams = []  # held, so that no other gets the id of one
    flush, write = (getattr(SizeBasedBufferingClosableOutputStream, name) for name in ("flush", "maybe_flush"))

    def seen(method):
        def call(self):
            streams.append(self)
            flushing[id(self)].add(threading.get_ident())
            return method(self)

        return call

    monkeypatch.setattr(SizeBasedBufferingClosableOutputStream, "flush", seen(flush))
    monkeypatch.setattr(SizeBasedBufferingClosableOutputStream, "maybe_flush", seen(write))
    runner, options = runner_and_options(Engine(workers=workers))
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        made = pipeline | beam.Create(range(MESSAGES)) | beam.Reshuffle() | beam.ParDo(Make())
        nothing = pipeline | "None" >> beam.Create([(0, None)])
        {"columns": made, "nothing": nothing} | beam.CoGroupByKey() | "Check" >> beam.ParDo(Check())
    assert sorted(received) == list(range(MESSAGES))
    assert all(len(threads) == 1 for threads in flushing.values())
    assert flushing or workers == 1  # one worker has no buffer
