"""A training step beside Hugging Face's LLaMA of the same shape, from the same weights, on the same batches.

    python -m benchmarks.train_step --json

Both train in one process, a step of the one after a step of the other, so that a busy machine slows both. The peer is
`LlamaForCausalLM` with attention through `scaled_dot_product_attention`, torch's fused AdamW and `clip_grad_norm_`: the
settings, the schedule and the documents' bounds are ours. Its way to keep attention inside documents is a mask of
context² booleans. The losses of every step are compared. Where there is a GPU, larger models train there in bfloat16
(the peer under autocast), and the share of the GPU's peak is stated too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.generated.shards import VOCABULARY, write_shards
from benchmarks.harness import against, finish, machine, row
from training.config import TrainingConfig, training_config
from training.data import Loader
from training.documents import Packing
from training.huggingface import to_llama, to_llama_config
from training.model import empty_model
from training.schedule import learning_rate
from training.stream import open_split
from training.trainer import train

SKIPPED = 2  # steps in which memory is first touched
TARGETS = {"slowest ratio": 1.0}


@dataclass(frozen=True)
class Case:
    """A model and a batch."""

    name: str
    preset: str
    context: int
    batch: int
    vocabulary: int
    masked: bool = False
    tolerance: float = 1e-4  # relative, of the losses


ON_CPU = (
    Case("2m, 8 × 256 tokens", "2m", 256, 8, 8192),
    Case("10m, 4 × 512 tokens", "10m", 512, 4, 8192),
    Case("2m, 1 × 2048 tokens, inside documents", "2m", 2048, 1, 8192, True),
)
ON_GPU = (  # sized for 80 GB with both models in it: the float32 logits alone take 1.7 GB a sample, twice in backward
    Case("100m, 4 × 4096 tokens", "100m", 4096, 4, VOCABULARY, False, 1e-2),
    Case("300m, 2 × 4096 tokens", "300m", 4096, 2, VOCABULARY, False, 1e-2),
    Case("300m, 2 × 4096 tokens, inside documents", "300m", 4096, 2, VOCABULARY, True, 1e-2),
)


def main() -> int:
    """Runs the benchmark; 1 if a check is false."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="print the result as JSON, in the last line")
    arguments = parser.parse_args()
    results, ratios, checks = [], {}, {}
    tokens = 0
    for case in ON_GPU if torch.cuda.is_available() else ON_CPU:
        with tempfile.TemporaryDirectory(prefix="train-step-") as folder:
            rows, peer = measure(case, Path(folder), arguments.steps, arguments.threads)
        ours = [r["seconds"] for r in rows][SKIPPED:]
        theirs = peer.seconds[SKIPPED:]
        per_step = case.batch * case.context
        tokens += per_step * arguments.steps
        for system, seconds in (("gristmill", ours), ("transformers", theirs)):
            results.append(row(system, case.name, "tokens_per_s", per_step / statistics.median(seconds), "tokens/s"))
        for part in rows[-1]["parts"]:
            share = sum(r["parts"][part] for r in rows[SKIPPED:]) / sum(ours)
            results.append(row("gristmill", f"{case.name}: {part}", "share", share, "of the step"))
        if rows[-1]["mfu"] is not None:
            mfu = statistics.median(r["mfu"] for r in rows[SKIPPED:])
            results.append(row("gristmill", case.name, "mfu", mfu, "of the dense bf16 peak"))
        ratios[case.name] = round(statistics.median(np.array(theirs) / np.array(ours)), 3)
        losses = np.array([r["loss"] for r in rows])
        checks[f"losses are equal: {case.name}"] = bool(np.allclose(losses, peer.losses, rtol=case.tolerance))
    report = {
        "name": "train_step",
        "machine": machine() | {"torch": torch.__version__, "threads": arguments.threads, "device": _device()},
        "input": {"documents": 0, "bytes": 4 * tokens, "tokens": tokens},
        "results": results,
        "ratios": {f"transformers, {name}": ratio for name, ratio in ratios.items()},
        "checks": checks,
        "targets": against(TARGETS, {"slowest ratio": min(ratios.values())}),
    }
    return finish(report, arguments.json)


def measure(case: Case, folder: Path, steps: int, threads: int) -> tuple[list[dict[str, Any]], Peer]:
    """Trains both on generated shards: our rows of metrics, and the peer with its seconds and losses."""
    write_shards(folder / "shards", 2 * steps * case.batch * case.context, vocabulary=case.vocabulary)
    config = training_config({
        "model": {"preset": case.preset, "vocabulary": case.vocabulary}, "output": str(folder / "run"), "steps": steps,
        "data": {"shards": str(folder / "shards"), "batch": case.batch, "context": case.context,
                 "mask_documents": case.masked},
        "schedule": {"warmup_steps": 2}, "checkpoint": {"every": steps}, "validation": {"every": None},
        "threads": threads,
    })  # fmt: skip
    peer = Peer(config)
    rows: list[dict[str, Any]] = []

    def watch(event: str, facts: Mapping[str, Any]) -> None:
        if event == "step":
            rows.append(dict(facts))
            peer.step()

    train(config, watch)
    return rows, peer


class Peer:
    """transformers' LLaMA trained as our config says."""

    def __init__(self, config: TrainingConfig):
        import transformers

        self.config, self.device = config, _device()
        settings = transformers.LlamaConfig(**to_llama_config(config.model), attn_implementation="sdpa")
        self.model = transformers.LlamaForCausalLM(settings)
        self.model.load_state_dict(to_llama(empty_model(config.model).initialize(config.seed)))
        self.model.to(self.device)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        norms = [p for p in self.model.parameters() if p.ndim == 1]
        o = config.optimizer
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": o.weight_decay}, {"params": norms, "weight_decay": 0.0}],
            lr=o.learning_rate, betas=(o.beta1, o.beta2), eps=o.eps, fused=True,
        )  # fmt: skip
        entry = config.data.shards[0]
        split = open_split(entry.path)
        self.loader = Loader([split], [1.0], config.context, config.data.seed, config.model.vocabulary or 0)
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self) -> None:
        """One optimizer step, timed."""
        config, number = self.config, len(self.losses)
        cursor, count = number * config.data.batch, config.data.batch
        began = time.perf_counter()
        tokens = torch.from_numpy(self.loader.batch(cursor, count)).to(self.device)
        options: dict[str, Any] = {}
        if config.data.mask_documents:
            ids = torch.from_numpy(self.loader.documents(cursor, count))
            options["position_ids"] = Packing.of(ids).positions.to(self.device)
            ids = ids.to(self.device)
            options["attention_mask"] = (ids[:, :, None] == ids[:, None, :]).tril()[:, None]
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, number)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            targets = tokens[:, 1:].contiguous()
            loss = self.model(tokens[:, :-1], labels=targets, shift_labels=targets, use_cache=False, **options).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip or float("inf"))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.losses.append(loss.item())
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - began)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    sys.exit(main())
