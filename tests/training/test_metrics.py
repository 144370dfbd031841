"""Rows of a run, for people, charts and TensorBoard."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from training.clock import PARTS, StepClock
from training.errors import TrainingError
from training.evaluate import Score, total
from training.flops import peak_flops
from training.metrics import MetricsLog, peak_memory, speed, validation_row


def board(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads in a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder))
    read.Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def test_steps_of_a_resumed_run_take_the_place_of_the_lost_ones(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0, tensorboard=True) as log:
        for step in range(1, 10):
            log.write({"step": step, "loss": 5.0, "parts": {"forward": 0.5}, "mfu": None})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 10, "lo')
    with MetricsLog(tmp_path, 6, tensorboard=True) as log:
        for step in range(7, 12):
            log.write({"step": step, "loss": 4.0, "parts": {"forward": 0.5}, "mfu": 0.4})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["loss"]) for row in rows] == [(s, 5.0 if s < 7 else 4.0) for s in range(1, 12)]
    read = board(tmp_path / "tensorboard")
    assert set(read) == {"train/loss", "parts/forward", "speed/mfu"}
    assert dict(read["train/loss"]) == {s: 5.0 if s < 7 else 4.0 for s in range(1, 12)}


def test_the_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(TrainingError, match=r"metrics\.tensorboard true needs the package tensorboard"):
        MetricsLog(tmp_path, 0, tensorboard=True)


def test_without_tensorboard_there_is_no_folder(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, 0, tensorboard=False) as log:
        log.write({"step": 1, "loss": 1.0})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_the_parts_of_a_step_are_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.5, 11.0, 13.0, 14.0, 16.0, 16.25, 16.5])
    monkeypatch.setattr("training.clock.time.perf_counter", lambda: next(times))
    clock = StepClock(torch.device("cpu"))
    clock.start()
    for part in ("data", "forward", "backward", "forward", "backward", "optimizer"):
        clock.mark(part)
    parts = clock.stop()
    assert parts == {"data": 0.5, "forward": 1.5, "backward": 4.0, "optimizer": 0.25, "other": 0.25}
    assert tuple(parts) == PARTS and sum(parts.values()) == 16.5 - 10.0


def test_mfu_is_the_share_of_the_stated_peak() -> None:
    # 1,000 tokens of 6·10⁹ FLOPs in 2 s are 3·10¹² FLOP/s
    figures = speed(1000, {"forward": 0.5, "backward": 1.5}, 6e9, 10e12)
    assert figures["mfu"] == pytest.approx(0.3) and figures["tokens_per_s"] == 500 and figures["seconds"] == 2
    assert speed(1000, {"forward": 2.0}, 6e9, None)["mfu"] is None
    assert 1e7 < figures["memory_bytes"] <= peak_memory()


def test_peaks_are_dense_bfloat16() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3") == peak_flops("NVIDIA H200") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA A100-SXM4-80GB") == 312e12
    assert peak_flops("Quadro") is None


def test_validation_is_told_whole_by_set_and_by_source() -> None:
    easy = Score(30, 100, 60.0, {"web": Score(10, 40, 30.0), "books": Score(20, 60, 30.0)})
    hard = Score(10, 20, 50.0, {"web": Score(10, 20, 50.0)})
    row = validation_row(7, {"easy": easy, "hard": hard})
    assert (row["step"], row["validation_loss"]) == (7, 110 / 40)
    assert {name: part["validation_loss"] for name, part in row["sets"].items()} == {"easy": 2.0, "hard": 5.0}
    assert {name: part["validation_loss"] for name, part in row["sources"].items()} == {"books": 1.5, "web": 4.0}
    assert row["bits_per_byte"] == pytest.approx(110 / 120 / 0.6931471805599453)
    assert "sets" not in validation_row(7, {"hard": hard}) and "sources" not in validation_row(7, {"hard": hard})
    assert total([easy, Score(1, None, 1.0)]).bits_per_byte is None
