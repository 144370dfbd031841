"""Which errors are meant for a person: what a room refuses in words, and never a defect."""

import errno

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from dedup.minhash import MinHashSettings
from dedup.signature_files import SettingsMismatch, check_schema, schema
from filters.presets import load_preset
from pipeline.config import Engine
from pipeline.errors import ConfigError, GristmillError, as_marked, from_marked, told
from pipeline.job import telling_errors
from pipeline.runners import runner_and_options
from tokenizer import shuffle


def caught(call) -> Exception:
    with pytest.raises(Exception) as info:
        call()
    return info.value


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: load_preset("c5"), ValueError, "unknown preset 'c5'; did you mean 'c4'?"),
        (lambda: shuffle.splits_of(np.empty(0, np.uint64), 0, 2.0), ValueError, "validation_share 2.0 is outside 0..1"),
        (
            lambda: check_schema(schema(MinHashSettings(seed=2)), MinHashSettings()),
            SettingsMismatch,
            "signatures made with other settings (seed 2 there, 1 asked for)",
        ),
    ],
)
def test_what_a_room_refuses_is_told_as_it_says_it(call, kind, words):
    error = caught(call)
    assert type(error) is kind
    assert type(told(error)) is GristmillError
    assert str(told(error)).startswith(words)
    assert str(from_marked(as_marked(error))) == str(error)


@pytest.mark.parametrize(
    "call",
    [
        lambda: shuffle.shuffle_hash(np.arange(3), np.arange(2), 0),  # NumPy, called by us: shapes that do not fit
        lambda: shuffle.concatenate([shuffle.Documents(*[np.empty((0, 1))] * 5), 1]),  # a wrong type
        lambda: int("x"),  # not in our code
        lambda: pa.array(["x"]).cast(pa.int64()),  # Arrow's own kind of ValueError
        lambda: {}["x"],
        lambda: np.empty(3).reshape(2, 2),
    ],
)
def test_a_defect_is_none_of_them(call):
    error = caught(call)
    assert told(error) is None
    assert as_marked(error) is None


def test_what_the_machine_refuses_is_told_with_the_place():
    full = OSError(errno.ENOSPC, "No space left", "/out/part")
    assert "no space left on the device while writing /out/part" in str(told(full))
    assert told(ConfigError("x")).args == ("x",)


class _Refuses(beam.DoFn):
    def process(self, name):
        with telling_errors():
            yield load_preset(name)


def test_it_reaches_the_person_through_a_runner_as_one_line():
    runner, options = runner_and_options(Engine(workers=1))

    def run() -> None:
        with beam.Pipeline(runner=runner, options=options) as pipeline:
            pipeline | beam.Create(["c5"]) | beam.ParDo(_Refuses())

    assert str(from_marked(caught(run))) == "unknown preset 'c5'; did you mean 'c4'?"
