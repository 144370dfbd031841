"""Whole runs on several ranks: the loss curve of one process, any change of ranks on the way, one word at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_shards import counting_documents, write_shards
from processes import free_port, on_ranks

from training import checkpoint, trainer
from training.config import training_config, with_overrides
from training.errors import TrainingError
from training.evaluate import evaluate

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"layers": 2, "width": 30, "feed_forward": 50, "heads": 3, "kv_heads": 1, "context": 32}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    splits = {
        "train": [counting_documents(rng, 400, 67, "web")],
        "validation": [counting_documents(rng, 25, 67, "web")],
    }
    return write_shards(tmp_path_factory.mktemp("corpus") / "shards", splits, vocabulary=67)


def settings(corpus: Path, output: Path, **changes: Any) -> dict[str, Any]:
    """Twenty steps in parts of uneven size, the batch growing from 4 to 12, every gradient clipped."""
    mapping = {
        "model": MODEL, "data": {"shards": str(corpus), "batch": 12, "micro_batch": 2}, "output": str(output),
        "steps": 20, "ramp": {"start": 4, "increment": 4, "tokens": 1600},
        "optimizer": {"learning_rate": 3e-3, "clip": 0.2, "eps": 1e-6}, "schedule": {"warmup_steps": 3},
        "validation": {"every": 10, "tokens": 500}, "checkpoint": {"every": 5, "keep": 9}, "threads": 1,
        "device": "cpu",
    }  # fmt: skip
    return with_overrides(mapping, changes)


def work(mapping: dict[str, Any], stop: tuple[int, int] | None = None) -> tuple[int, bool, str]:
    """A run on this rank: steps, whether it finished, what it said; at ``stop`` = (rank, step) it gets SIGTERM."""
    step = trainer.train_step

    def interrupted(run: trainer.Run, batch: Any) -> dict[str, Any]:
        if (run.ranks.rank, run.step + 1) == stop:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(run, batch)

    said: list[str] = []
    trainer.train_step = interrupted
    try:
        summary = trainer.train(training_config(mapping), lambda event, facts: said.append(f"{event} {facts}"))
        return summary.steps, summary.finished, "\n".join(said)
    except TrainingError as error:
        return -1, False, f"rank {error.rank}: {error}"
    except SystemExit as error:
        return -1, False, f"exit {error.code}"
    finally:
        trainer.train_step = step


def rows(output: Path) -> Rows:
    """The metrics without times and memory, which differ between runs."""
    out = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "tokens_per_s", "mfu", "memory_bytes", "parts")
    return [{k: v for k, v in row.items() if k not in timed} for row in out]


def files(output: Path, step: int) -> dict[str, bytes]:
    """The tensors of a checkpoint, as written."""
    return {p.name: p.read_bytes() for p in (output / "checkpoints" / f"step-{step:07d}").glob("*.distcp")}


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    output = tmp_path_factory.mktemp("alone")
    work(settings(corpus, output))
    return rows(output)


def assert_equal(found: Rows, expected: Rows) -> None:
    assert len(found) == len(expected) == 23  # 20 steps, 3 validations, each once
    for a, b in zip(found, expected, strict=True):
        assert a.keys() == b.keys() and a["step"] == b["step"] and a.get("tokens") == b.get("tokens")
        for key in ("loss", "gradient_norm", "learning_rate", "validation_loss"):
            assert key not in b or a[key] == pytest.approx(b[key], rel=1e-5), (b["step"], key)


@pytest.mark.parametrize(
    ("kind", "world", "changes"),
    [
        ("zero1", 2, {}),
        ("zero1", 4, {"recompute": 2}),
        ("fully_shard", 2, {"recompute": 2}),
        ("fully_shard", 4, {}),
        ("zero1", 2, {"data.micro_batch": 5, "data.mask_documents": False}),
    ],
)
def test_the_loss_curve_is_that_of_one_process(
    corpus: Path, alone: Rows, tmp_path: Path, kind: str, world: int, changes: dict[str, Any]
) -> None:
    results = on_ranks(world, work, settings(corpus, tmp_path, **{"parallel.kind": kind, **changes}))
    assert all((steps, finished) == (20, True) for steps, finished, _ in results)
    assert_equal(rows(tmp_path), alone)
    assert [bool(said) for _, _, said in results] == [True] + [False] * (world - 1)  # only rank 0 speaks
    assert max(row["gradient_norm"] for row in alone if "loss" in row) > 0.2  # the clip did something
    assert alone[-2]["loss"] < alone[1]["loss"] - 0.1


def test_a_run_goes_on_with_any_number_of_ranks_and_either_layout(corpus: Path, alone: Rows, tmp_path: Path) -> None:
    legs = [(2, "zero1", (1, 4)), (4, "zero1", (3, 8)), (1, "zero1", (0, 11)), (2, "fully_shard", (0, 14)),
            (4, "fully_shard", None)]  # fmt: skip
    for world, kind, stop in legs:
        mapping = settings(corpus, tmp_path, **{"parallel.kind": kind})
        results = on_ranks(world, work, mapping, stop)
        assert {(steps, finished) for steps, finished, _ in results} == {(stop[1] if stop else 20, stop is None)}
    assert_equal(rows(tmp_path), alone)
    assert evaluate(tmp_path, corpus, most_tokens=500, device="cpu").loss == pytest.approx(alone[-1]["validation_loss"])


@pytest.mark.parametrize("kind", ["zero1", "fully_shard"])
def test_the_same_ranks_go_on_bit_for_bit(corpus: Path, tmp_path: Path, kind: str) -> None:
    whole, stopped = (settings(corpus, tmp_path / name, **{"parallel.kind": kind}) for name in ("whole", "stopped"))
    on_ranks(2, work, whole)
    assert [r[0] for r in on_ranks(2, work, stopped, (1, 7))] == [7, 7]
    on_ranks(2, work, stopped)
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    assert files(tmp_path / "stopped", 20) == files(tmp_path / "whole", 20) and len(files(tmp_path / "whole", 20)) == 2


def test_a_damaged_file_of_another_rank_costs_the_interval(corpus: Path, alone: Rows, tmp_path: Path) -> None:
    on_ranks(2, work, settings(corpus, tmp_path), (0, 13))
    path = tmp_path / "checkpoints" / "step-0000013" / "__1_0.distcp"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = on_ranks(2, work, settings(corpus, tmp_path))[0][2]
    assert f"{path} does not match its checksum; falling back to the checkpoint before it" in said
    assert "'resumed': '" in said and "step-0000010'" in said
    assert_equal(rows(tmp_path), alone)


def test_a_batch_that_the_processes_do_not_divide_is_refused_once(corpus: Path, tmp_path: Path) -> None:
    said = sorted(text for _, _, text in on_ranks(3, work, settings(corpus, tmp_path)))
    assert said[:2] == ["exit 1", "exit 1"]
    assert "ramp.start and ramp.increment: a batch of 4 samples cannot be divided over 3 processes" in said[2]
    assert "take a multiple of 3, or 2 processes" in said[2]


def test_a_gpu_that_is_demanded_and_not_there_is_missed_once(corpus: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    said = sorted(text for _, _, text in on_ranks(2, work, settings(corpus, tmp_path, device="cuda")))
    assert said[0] == "exit 1" and "device: cuda is demanded, but no CUDA device is visible" in said[1]


def test_what_one_rank_cannot_do_ends_all_with_its_word(corpus: Path, tmp_path: Path) -> None:
    said = on_ranks(3, work_with_a_full_memory, settings(corpus, tmp_path, **{"ramp": {}}))
    assert sorted(said)[:2] == ["exit 1", "exit 1"]
    assert "rank 1: out of memory: lower data.micro_batch (each part has 2 × 32 tokens now)" in said[1]
    assert "set recompute: 1" in said[1]


def work_with_a_full_memory(mapping: dict[str, Any]) -> str:
    step = trainer.train_step

    def full(run: trainer.Run, batch: Any) -> dict[str, Any]:
        if run.ranks.rank == 1 and run.step == 3:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        return step(run, batch)

    trainer.train_step = full
    return work(mapping)[2]


def torchrun(mapping: dict[str, Any], path: Path, world: int) -> subprocess.Popen[str]:
    path.write_text(json.dumps(mapping))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(world), "--master-port",
        str(free_port()), "-m", "training.cli", "train", str(path),
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def process_of(parent: int, rank: int) -> int:
    """The process that torchrun started as a rank."""
    for entry in Path("/proc").iterdir():
        try:
            its_parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if its_parent == parent and f"\0RANK={rank}\0" in "\0" + (entry / "environ").read_text():
                return int(entry.name)
        except (OSError, ValueError, IndexError):
            continue  # no process, or one that has just ended
    raise AssertionError(f"no rank {rank}")


def wait_for(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while not what():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes of torchrun in /proc")
def test_under_torchrun_a_signal_saves_and_a_killed_rank_ends_all_with_one_line(corpus: Path, tmp_path: Path) -> None:
    mapping = settings(corpus, tmp_path / "run", steps=1_000_000, ramp={}, **{"validation.every": None})
    metrics = tmp_path / "run" / "metrics.jsonl"

    first = torchrun(mapping, tmp_path / "training.yaml", 2)
    wait_for(lambda: metrics.exists() and metrics.read_text().count("\n") > 5, first)
    os.kill(process_of(first.pid, 1), signal.SIGTERM)
    _, errors = first.communicate(timeout=60)
    assert first.returncode == 0, errors
    found = checkpoint.newest(tmp_path / "run" / "checkpoints", pytest.fail)
    assert found is not None and found[1]["step"] == rows(tmp_path / "run")[-1]["step"] and found[1]["ranks"] == 2
    assert errors.count("the same command goes on from") == 1

    second = torchrun(mapping, tmp_path / "training.yaml", 2)
    wait_for(lambda: rows(tmp_path / "run")[-1]["step"] > found[1]["step"] + 12, second)
    os.kill(process_of(second.pid, 1), signal.SIGKILL)
    _, errors = second.communicate(timeout=60)
    assert second.returncode != 0
    said = [line for line in errors.splitlines() if "error:" in line and "lost its connection to another rank" in line]
    assert len(said) == 1
    assert f"{ROOT}/training" not in errors  # no traceback but torchrun's own
    last = rows(tmp_path / "run")[-1]["step"]
    left = checkpoint.newest(tmp_path / "run" / "checkpoints", pytest.fail)
    assert left is not None and left[1]["step"] >= last - 2 * 5  # the one that was being written is lost too
