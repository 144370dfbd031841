"""Saving beside training: what is saved is what was, the run does not wait, and an error does not get lost."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from training import background, checkpoint
from training.background import Writer
from training.config import CheckpointConfig
from training.errors import TrainingError

FACTS = {"config": {"a": 1}, "cursor": 12}


def state(value: float) -> dict[str, torch.Tensor]:
    return {"master.x": torch.full((1000, 100), value), "first.x": torch.full((7,), value)}


def loaded(folder: Path) -> dict[str, torch.Tensor]:
    target = {name: torch.zeros_like(t) for name, t in state(0).items()}
    checkpoint.load(folder, target)
    return target


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Writing waits for this event."""
    event, write = threading.Event(), background.save

    def slow(*arguments: Any) -> Path:
        assert event.wait(30)
        return write(*arguments)

    monkeypatch.setattr(background, "save", slow)
    return event


def test_the_run_goes_on_and_what_it_changes_is_not_saved(tmp_path: Path, gate: threading.Event) -> None:
    writer = Writer(tmp_path, CheckpointConfig(keep=2))
    now = state(1.0)
    assert writer.save(1, now, FACTS) == []  # it has only begun
    for tensor in now.values():
        tensor.fill_(2.0)
    assert writer.finished() == [] and checkpoint.found(tmp_path) == []
    gate.set()
    (saved,) = writer.wait()
    assert (saved.step, saved.folder.name, saved.bytes) == (1, "step-0000001", 4 * 100_007)
    assert saved.stall < saved.seconds
    assert all((t == 1.0).all() for t in loaded(saved.folder).values())
    assert writer.wait() == []
    writer.close()


def test_the_next_one_waits_for_the_one_before_and_old_ones_go(tmp_path: Path, gate: threading.Event) -> None:
    gate.set()
    writer = Writer(tmp_path, CheckpointConfig(keep=2))
    finished = [saved.step for step in range(1, 6) for saved in writer.save(step, state(step), FACTS)]
    finished += [saved.step for saved in writer.wait()]
    assert finished == [1, 2, 3, 4, 5]
    assert [folder.name for folder in checkpoint.found(tmp_path)] == ["step-0000005", "step-0000004"]
    assert all((t == 5.0).all() for t in loaded(tmp_path / "step-0000005").values())
    writer.close()


def test_in_the_foreground_it_is_there_on_return(tmp_path: Path, gate: threading.Event) -> None:
    gate.set()
    (saved,) = Writer(tmp_path, CheckpointConfig(background=False)).save(3, state(3), FACTS)
    assert saved.stall == saved.seconds and json.loads((saved.folder / "checkpoint.json").read_text())["step"] == 3


def test_an_error_of_the_thread_reaches_the_run(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    writer = Writer(tmp_path / "checkpoints", CheckpointConfig())
    writer.save(1, state(1), FACTS)
    with pytest.raises(TrainingError, match=r"checkpoint of step 1 could not be written to .*File exists"):
        writer.wait()
    writer.close()


def test_the_thread_stays_on_the_ranks_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[tuple[str, int]] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", lambda gpu: chosen.append((threading.current_thread().name, gpu)))
    writer = Writer(tmp_path, CheckpointConfig())
    writer.save(1, state(1), FACTS)
    writer.close()
    assert chosen == [("checkpoint_0", 3)]
