"""The trainer's benchmarks: what they read is what was written, and both sides of a comparison learn the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.generated import shards as generated
from benchmarks.train_step import Case, measure
from training.stream import open_split


def test_generated_shards_hold_what_their_places_say(tmp_path: Path) -> None:
    generated.write_shards(tmp_path, generated.BLOCK + 1)
    split = open_split(tmp_path, verify=True)
    assert split.tokens == 2 * generated.BLOCK
    for start in (0, 12345, generated.BLOCK - 5):
        out = np.empty(10, np.int64)
        split.read(start, out)
        assert np.array_equal(out, generated.expected(np.arange(start, start + 10)))
    lengths = np.diff(split.bounds[0])
    assert lengths.min() > 0 and 900 < lengths.mean() < 1100


@pytest.mark.parametrize("masked", [False, True])
def test_the_peer_of_the_step_learns_the_same(tmp_path: Path, masked: bool) -> None:
    pytest.importorskip("transformers")
    torch.set_num_threads(1)
    rows, peer = measure(Case("tiny", "2m", 700, 2, 300, masked), tmp_path, 4, 1)
    assert [r["loss"] for r in rows] == pytest.approx(peer.losses, rel=1e-5)
    assert len({r["loss"] for r in rows}) == len(peer.seconds) == 4
