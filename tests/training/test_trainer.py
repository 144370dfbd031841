"""Whole runs of a tiny model: it learns, resumes bit for bit, survives signals and damage, and refuses bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import checkpoint, trainer
from training.config import TrainingConfig, training_config, with_overrides
from training.errors import ConfigError, TrainingError
from training.step import read_batch
from training.trainer import train

ROOT = Path(__file__).resolve().parents[2]
TINY = {"layers": 2, "width": 32, "feed_forward": 64, "heads": 4, "kv_heads": 2, "context": 64}


_FIFTH = (
    r"step 16: non-finite gradient .*blocks 0 to 1\); .* skipped, the 5th in a row: steps 12 to 16, samples 88 to 127 "
    r"of the run's order, learning rate 0\.01\. Lower"
)


def settings(shards: Path, output: Path, **changes: Any) -> dict[str, Any]:
    mapping = {
        "model": TINY, "data": {"shards": str(shards), "batch": 8, "context": 32}, "output": str(output), "steps": 30,
        "optimizer": {"learning_rate": 1e-2}, "schedule": {"warmup_steps": 3},
        "validation": {"every": 10}, "checkpoint": {"every": 10, "keep": 9}, "threads": 1, "device": "cpu",
    }  # fmt: skip
    return with_overrides(mapping, changes)


def config(shards: Path, output: Path, **changes: Any) -> TrainingConfig:
    return training_config(settings(shards, output, **changes))


def rows(output: Path) -> list[dict[str, Any]]:
    """The metrics without times and memory, which differ between runs."""
    out = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    differing = {"seconds", "tokens_per_s", "parts", "mfu", "memory_bytes"}
    return [{k: v for k, v in row.items() if k not in differing} for row in out]


def weights(output: Path, step: int) -> dict[str, bytes]:
    """Every file of a checkpoint but the index, in which the paths of the run stand."""
    folder = output / "checkpoints" / f"step-{step:07d}"
    return {path.name: path.read_bytes() for path in folder.glob("*.distcp")}


def stop_at(step: int) -> Callable[[str, Mapping[str, Any]], None]:
    """A watcher that sends this process SIGTERM once a step is reached."""

    def watch(event: str, facts: Mapping[str, Any]) -> None:
        if event == "step" and facts["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return watch


def test_the_loss_falls_and_the_run_leaves_what_it_promises(shards: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    summary = train(config(shards, output, steps=80))
    assert summary.finished and summary.steps == 80 and summary.tokens == 80 * 8 * 32
    assert summary.first_loss == pytest.approx(np.log(64), abs=0.05)  # it starts by knowing nothing
    assert summary.last_loss < 1.6
    assert summary.validation is not None and summary.validation.loss < 1.8
    metrics = rows(output)
    steps = [row for row in metrics if "loss" in row]
    assert [row["step"] for row in steps] == list(range(1, 81))
    assert steps[-1]["tokens"] == summary.tokens
    assert set(steps[0]) == {"step", "tokens", "loss", "learning_rate", "gradient_norm"}
    assert steps[2]["learning_rate"] == 1e-2 and steps[-1]["learning_rate"] == pytest.approx(1e-3)
    validations = [row for row in metrics if "validation_loss" in row]
    assert [row["step"] for row in validations] == list(range(0, 81, 10))
    assert set(validations[0]["sources"]) == {"web", "books"}
    assert training_config(__import__("yaml").safe_load((output / "config.yaml").read_text())).model.vocabulary == 64
    assert summary.checkpoint == output / "checkpoints" / "step-0000080" and summary.checkpoint.is_dir()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(shards: Path, tmp_path: Path, dtype: str) -> None:
    changes = {"dtype": dtype, "data.micro_batch": 3, "ramp.start": 4, "ramp.increment": 2, "ramp.tokens": 1500}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(config(shards, whole, **changes))
    first = train(config(shards, stopped, **changes), stop_at(14))
    assert not first.finished and first.steps == 14
    second = train(config(shards, stopped, **changes), stop_at(23))
    assert second.steps == 23
    assert train(config(shards, stopped, **changes)).finished
    assert rows(stopped) == rows(whole)
    assert weights(stopped, 30) == weights(whole, 30)


def test_a_killed_run_repeats_what_it_lost_and_metrics_have_no_doubles(shards: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(config(shards, whole))

    def kill(event: str, facts: Mapping[str, Any]) -> None:
        if event == "step" and facts["step"] == 27:
            raise MemoryError  # nothing is saved on the way out

    with pytest.raises(TrainingError):
        train(config(shards, killed), kill)
    with open(killed / "metrics.jsonl", "a") as file:
        file.write('{"step": 28, "lo')  # the row that was being written
    train(config(shards, killed))
    assert rows(killed) == rows(whole)
    assert weights(killed, 30) == weights(whole, 30)


def test_a_finished_run_has_nothing_left_to_do(shards: Path, tmp_path: Path) -> None:
    train(config(shards, tmp_path / "run"))
    before = rows(tmp_path / "run")
    again = train(config(shards, tmp_path / "run"))
    assert again.finished and again.steps == 30 and rows(tmp_path / "run") == before


def test_accumulation_and_threads_do_not_change_what_is_learned(shards: Path, tmp_path: Path) -> None:
    losses = []
    different = (
        {},
        {"data.micro_batch": 2},
        {"data.micro_batch": 3},
        {"threads": 2},
        {"recompute": 1},
        {"recompute": 2},
    )
    for i, changes in enumerate(different):
        train(config(shards, tmp_path / str(i), steps=8, **changes))
        losses.append([row["loss"] for row in rows(tmp_path / str(i)) if "loss" in row])
    torch.set_num_threads(1)
    for other in losses[1:]:
        np.testing.assert_allclose(other, losses[0], rtol=2e-4)
    assert losses[4] == losses[5] == losses[0]


def test_bfloat16_learns_like_float32(shards: Path, tmp_path: Path) -> None:
    final = [train(config(shards, tmp_path / d, dtype=d, steps=60)).last_loss for d in ("float32", "bfloat16")]
    assert final[1] == pytest.approx(final[0], rel=0.03)


def test_masked_documents_train(shards: Path, tmp_path: Path) -> None:
    assert train(config(shards, tmp_path / "run", **{"data.mask_documents": True}, steps=80)).last_loss < 1.8


def test_a_damaged_newest_checkpoint_costs_only_its_interval(shards: Path, tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    train(config(shards, whole))
    train(config(shards, damaged), stop_at(25))
    path = damaged / "checkpoints" / "step-0000025" / "__0_0.distcp"
    path.write_bytes(path.read_bytes()[:-100])
    said: list[str] = []
    summary = train(config(shards, damaged), lambda event, facts: said.append(f"{event} {facts}"))
    assert any("warning" in line and "step-0000025" in line for line in said)
    assert any("start" in line and "step-0000020" in line for line in said)
    assert summary.finished and rows(damaged) == rows(whole) and weights(damaged, 30) == weights(whole, 30)


def test_sigterm_saves_and_exits_0(shards: Path, tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(json.dumps(settings(shards, tmp_path / "run", steps=1_000_000)))
    command = [sys.executable, "-m", "training.cli", "train", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") > 5):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    found = checkpoint.newest(tmp_path / "run" / "checkpoints", pytest.fail)
    assert found is not None and found[1]["step"] == rows(tmp_path / "run")[-1]["step"]
    assert f"stopped at step {found[1]['step']}; the same command goes on from" in errors


def test_a_changed_setting_is_named_and_may_be_allowed(shards: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(shards, output), stop_at(5))
    changed = config(shards, output, **{"optimizer.learning_rate": 2e-2})
    with pytest.raises(
        ConfigError, match=r"optimizer\.learning_rate: 0\.02, but the checkpoint .*step-0000005 was .*0\.01"
    ):
        train(changed)
    with pytest.raises(ConfigError, match=r"model\.layers: 3, but the checkpoint"):
        train(config(shards, output, **{"model.layers": 3}))
    free = config(shards, output, **{"checkpoint.every": 7, "validation.every": None, "data.micro_batch": 4})
    assert train(free, stop_at(8)).steps == 8
    assert train(changed, allow_changes=["optimizer.learning_rate"]).finished


def test_a_run_may_be_lengthened_as_long_as_its_past_stays_what_it_was(shards: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(shards, output), stop_at(20))  # the rate first falls at step 24 of 30
    with pytest.raises(ConfigError, match=r"steps: 22, but the checkpoint .*step-0000020 .* 30 \(steps up to 20 were"):
        train(config(shards, output, steps=22))  # it would have fallen at step 18
    with pytest.raises(ConfigError, match=r"steps: 10, but .*the run would end before"):
        train(config(shards, output, steps=10))
    with pytest.raises(ConfigError, match=r"schedule\.kind: \"cosine\", but"):
        train(config(shards, output, **{"schedule.kind": "cosine"}))
    assert train(config(shards, output, steps=60, **{"schedule.kind": "wsd"}), stop_at(25)).steps == 25
    longer = train(config(shards, output, steps=60, **{"schedule.milestones": [0.9, 0.95]}))
    assert longer.finished and longer.steps == 60
    rates = [row["learning_rate"] for row in rows(output) if "loss" in row]
    assert len(rates) == 60 and rates[2:54] == [1e-2] * 52 and rates[-1] == pytest.approx(1e-3)


def test_a_batch_that_is_changed_on_the_way_reads_on_where_it_was(shards: Path, tmp_path: Path) -> None:
    output, allowed = tmp_path / "run", ["data.batch"]
    train(config(shards, output), stop_at(10))
    larger = config(shards, output, **{"data.batch": 12})
    with pytest.raises(ConfigError, match=r"data\.batch: 12, but the checkpoint"):
        train(larger)
    assert train(larger, stop_at(15), allowed).steps == 15
    assert train(larger, stop_at(20)).steps == 20  # the change is in the checkpoint now
    tokens = [row["tokens"] for row in rows(output) if "loss" in row]
    assert tokens == [32 * (8 * min(step, 10) + 12 * max(step - 10, 0)) for step in range(1, 21)]
    found = checkpoint.newest(output / "checkpoints", pytest.fail)
    assert found is not None and found[1]["cursor"] == 8 * 10 + 12 * 10


def test_changed_shards_under_a_checkpoint_are_named(
    shards: Path, tmp_path: Path, make_shards: Callable[..., Path]
) -> None:
    output = tmp_path / "run"
    train(config(shards, output), stop_at(5))
    documents = [("web", [5, 6, 7] * 200)] * 9
    other = make_shards(tmp_path / "other", {"train": [documents]})
    with pytest.raises(TrainingError, match=r"data\.shards: the shards or their weights are not those"):
        train(config(other, output))
    foreign = make_shards(tmp_path / "foreign", {"train": [documents]}, tokenizer="f" * 64)
    with pytest.raises(TrainingError, match=r"data\.shards: tokenizer ffffffffffff, but the checkpoint"):
        train(config(foreign, output))
    moved = shards.rename(tmp_path / "moved")  # the same shards elsewhere are the same shards
    assert train(config(moved, output)).finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "cuda"}, r"device: cuda is demanded, but .*; set device: cpu"),
        ({"model.vocabulary": 32}, r"model\.vocabulary: 32 is smaller than the 64 entries of the shards"),
        ({"data.batch": 100_000}, r"data\.batch: 100000 samples of 32 tokens are more than the \d+ in the shards"),
        ({"data.context": 60_000, "model.context": 60_000}, r"data\.context: .* too few for one sample"),
        ({"data.shards": "/nowhere"}, r"there is no shards\.json in /nowhere"),
    ],
)
def test_bad_input_says_what_and_what_to_do(shards: Path, tmp_path: Path, changes: dict, message: str) -> None:
    if "device" in changes and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(TrainingError, match=message):
        train(config(shards, tmp_path / "run", **changes))
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_out_of_memory_says_what_to_lower(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.distributed.DistBackendError("NCCL error: unhandled cuda error; Cuda failure 2 'out of memory'"),
    ):

        def fail(*arguments: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(trainer, "train_step", fail)
        with pytest.raises(
            TrainingError,
            match=r"out of .*memory: lower data\.micro_batch \(each part has 8 × 32 tokens now\), set recompute: 1",
        ):
            train(config(shards, tmp_path / "run"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_copies_from_page_locked_memory(shards: Path, tmp_path: Path) -> None:
    run = trainer.start(config(shards, tmp_path, device="cuda", **{"data.mask_documents": True}), lambda *_: None)
    for tokens, packing in read_batch(run, 0):
        assert packing is not None and tokens.is_pinned()
        assert all(t.is_pinned() for t in (packing.positions, packing.bounds, packing.gather, packing.scatter))


def test_non_finite_gradients_are_skipped_and_a_run_of_them_ends(shards: Path, tmp_path: Path) -> None:
    class Poison(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return gradient * float("nan")

    steps = {6, 12, 13, 14, 15, 16}

    def spoil(run: trainer.Run) -> None:
        plain = run.forward

        def forward(*arguments: Any) -> torch.Tensor:
            loss = plain(*arguments)
            return Poison.apply(loss) if run.step + 1 in steps else loss

        run.forward = forward

    begin = trainer.start
    said: list[str] = []

    def watch(event: str, facts: Mapping[str, Any]) -> None:
        if event == "warning":
            said.append(facts["message"])

    def start(*arguments: Any) -> trainer.Run:
        run = begin(*arguments)
        spoil(run)
        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "start", start)
        with pytest.raises(TrainingError, match=_FIFTH):
            train(config(shards, tmp_path / "run"), watch)
    assert len(said) == 5
    assert said[0] == (
        "step 6: non-finite gradient (embedding.weight, blocks.0.attention_norm.weight, blocks.0.attention.qkv.weight "
        "…: 15 of 15 parameters, embedding, head, norm, blocks 0 to 1); the update was skipped"
    )
    by_step = {row["step"]: row for row in rows(tmp_path / "run") if "loss" in row}
    assert by_step[6]["gradient_norm"] is None and by_step[7]["gradient_norm"] is not None
    assert by_step[11]["loss"] < by_step[1]["loss"]


def test_every_step_says_where_its_time_went(shards: Path, tmp_path: Path) -> None:
    changes = {"data.micro_batch": 4, "metrics.peak_tflops": 0.5, "data.mask_documents": True}
    changes |= {"metrics.tensorboard": True}
    train(config(shards, tmp_path / "run", **changes, steps=12))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    steps = [row for row in map(json.loads, lines) if "loss" in row]
    for row in steps:
        assert set(row["parts"]) == {"data", "forward", "backward", "optimizer", "other"}
        assert all(seconds >= 0 for seconds in row["parts"].values())
        assert row["seconds"] == pytest.approx(sum(row["parts"].values()))
        assert row["tokens_per_s"] == pytest.approx(8 * 32 / row["seconds"])
        assert row["memory_bytes"] > 1e7
    flops = 6 * (2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64) + 64 * 32) + 12 * 2 * 32 * 32  # a token
    assert steps[-1]["mfu"] == pytest.approx(steps[-1]["tokens_per_s"] * flops / 0.5e12)
    assert any((tmp_path / "run" / "tensorboard").iterdir())


def test_several_validation_sets_are_told_apart(shards: Path, tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    other = make_shards(tmp_path / "other", {"train": [], "validation": [[("code", [5, 6, 7, 8] * 50)] * 3]})
    sets = [{"path": str(shards), "name": "mixed"}, str(other)]
    train(config(shards, tmp_path / "run", **{"validation.shards": sets}, steps=10))
    last = rows(tmp_path / "run")[-1]
    assert set(last["sets"]) == {"mixed", "other"} and set(last["sources"]) == {"web", "books", "code"}
    assert last["sources"]["code"]["validation_loss"] == last["sets"]["other"]["validation_loss"]
    with pytest.raises(ConfigError, match=r"validation\.shards: two sets are called a"):
        config(shards, tmp_path / "run", **{"validation.shards": [{"path": "x", "name": "a"}] * 2})


def test_a_mixture_of_folders_trains(shards: Path, tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    other = make_shards(tmp_path / "other", {"train": [[("code", [5, 6, 7, 8] * 50)] * 20]})
    mixture = [{"path": str(shards), "weight": 0.7}, {"path": str(other), "weight": 0.3}]
    summary = train(config(shards, tmp_path / "run", **{"data.shards": mixture}, steps=60))
    assert summary.last_loss < 2.2


@pytest.mark.long
def test_a_compiled_step_learns_the_same(shards: Path, tmp_path: Path) -> None:
    final = [train(config(shards, tmp_path / k, kernels=k)).last_loss for k in ("reference", "compile")]
    assert final[1] == pytest.approx(final[0], rel=1e-3)
