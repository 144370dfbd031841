"""Checkpoints are whole or absent, checked before use, and hold nothing that could run code."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
import torch

from training import checkpoint
from training.config import CheckpointConfig
from training.errors import TrainingError

FACTS = {"config": {"a": 1}, "cursor": 12}


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    flat = torch.randn(100, generator=generator)
    return {"master.x": flat[10:50].view(5, 8), "first.y": flat[50:60], "random.cpu": torch.get_rng_state()}


def empty() -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(t) for name, t in tensors().items()}


def no_warning(message: str) -> None:
    raise AssertionError(message)


def test_tensors_come_back_bit_for_bit(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path / "c", 7, tensors(), FACTS)
    assert folder.name == "step-0000007"
    found = checkpoint.newest(tmp_path / "c", no_warning)
    assert found is not None and found[0] == folder
    assert (found[1]["step"], found[1]["cursor"], found[1]["config"]) == (7, 12, {"a": 1})
    target = empty()
    checkpoint.load(folder, target)
    assert all(torch.equal(target[name], t) for name, t in tensors().items())
    part = {"first.y": torch.zeros(10)}
    checkpoint.load(folder, part)
    assert torch.equal(part["first.y"], tensors()["first.y"])
    assert sum(f.stat().st_size for f in folder.iterdir()) < 20_000  # views were saved, not what they are views of


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "index", "metadata", "no index"])
def test_a_damaged_newest_falls_back_to_the_one_before_and_says_so(tmp_path: Path, damage: str) -> None:
    checkpoints = tmp_path / "c"
    checkpoint.save(checkpoints, 1, tensors(1), FACTS)
    folder = checkpoint.save(checkpoints, 2, tensors(2), FACTS)
    data = folder / "__0_0.distcp"
    content = bytearray(data.read_bytes())
    if damage == "truncate":
        data.write_bytes(content[:-1])
    elif damage == "flip":
        content[len(content) // 2] ^= 4
        data.write_bytes(content)
    elif damage == "remove":
        data.unlink()
    elif damage == "index":
        (folder / "checkpoint.json").write_text("{")
    elif damage == "no index":
        (folder / "checkpoint.json").unlink()
    else:
        (folder / ".metadata").write_bytes(b"")
    said: list[str] = []
    found = checkpoint.newest(checkpoints, said.append)
    assert found is not None and found[1]["step"] == 1
    assert len(said) == 1 and "step-0000002" in said[0] and "falling back to the checkpoint before it" in said[0]


def test_when_all_are_damaged_the_run_does_not_start_over_silently(tmp_path: Path) -> None:
    (checkpoint.save(tmp_path, 1, tensors(), FACTS) / ".metadata").unlink()
    with pytest.raises(TrainingError, match=r"none of the 1 checkpoints in .* is whole"):
        checkpoint.newest(tmp_path, lambda message: None)


def test_a_crash_while_saving_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, 1, tensors(), FACTS)

    def crash(path: Path) -> dict:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_measure", crash)  # the tensors are on the disk, the index is not
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save(tmp_path, 2, tensors(), FACTS)
    assert [f.name for f in checkpoint.found(tmp_path)] == ["step-0000001"]
    assert checkpoint.save(tmp_path, 2, tensors(), FACTS).is_dir()  # over what the crash left behind


def test_a_full_disk_is_explained_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, 1, tensors(), FACTS)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        TrainingError, match=r"step 2 could not be written .*no space left.*whole checkpoint is step-0000001"
    ):
        checkpoint.save(tmp_path, 2, tensors(), FACTS)
    assert [p.name for p in tmp_path.iterdir()] == ["step-0000001"]


def test_the_policy_keeps_the_newest_and_the_milestones(tmp_path: Path) -> None:
    for step in range(1, 10):
        checkpoint.save(tmp_path, step, tensors(), FACTS)
        checkpoint.prune(tmp_path, CheckpointConfig(keep=2, keep_every=4), step)
    assert [int(f.name[5:]) for f in checkpoint.found(tmp_path)] == [9, 8, 4]


def test_what_a_run_fell_back_behind_does_not_push_out_what_it_saves(tmp_path: Path) -> None:
    for step in (1, 9, 2, 3):  # 9 was damaged, the run went on from 1
        checkpoint.save(tmp_path, step, tensors(), FACTS)
        if step != 9:
            checkpoint.prune(tmp_path, CheckpointConfig(keep=1), step)
    assert [int(f.name[5:]) for f in checkpoint.found(tmp_path)] == [9, 3]


def test_an_index_that_would_run_code_is_refused(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 1, tensors(), FACTS)

    class Payload:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    (folder / ".metadata").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(checkpoint.DamagedCheckpoint, match=r"posix\.mkdir|nt\.mkdir"):
        checkpoint.load(folder, empty())
    assert not (tmp_path / "owned").exists()


def test_another_shape_is_refused(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 1, tensors(), FACTS)
    with pytest.raises(checkpoint.DamagedCheckpoint, match="does not fit the model"):
        checkpoint.load(folder, {"master.x": torch.zeros(5, 9)})
    with pytest.raises(checkpoint.DamagedCheckpoint, match="does not fit the model"):
        checkpoint.load(folder, {"master.z": torch.zeros(5)})


def test_random_numbers_go_on_where_they_stopped(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 1, checkpoint.random_state(rank=1), FACTS)
    first = torch.rand(4)
    checkpoint.restore_random_state(folder, rank=1)
    assert torch.equal(torch.rand(4), first)
    state = torch.get_rng_state()
    checkpoint.restore_random_state(folder, rank=2)  # a rank that was not there keeps what it has
    assert torch.equal(torch.get_rng_state(), state)
