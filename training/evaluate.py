"""Loss and bits per byte of a model on held-out shards, over all and by source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.checkpoint import DamagedCheckpoint, inspect, load
from training.config import model_config
from training.data import in_order
from training.device import choose_device, choose_dtype, explained_memory_errors
from training.documents import Packing
from training.errors import TrainingError
from training.model import Decoder, empty_model
from training.ranks import ALONE, Ranks
from training.stream import Split, check_range, check_tokens, open_split, unused_name
from training.token_bytes import find_tokenizer, token_bytes


@dataclass
class Score:
    """Sums over predicted tokens; the two figures follow from them."""

    tokens: int = 0
    bytes: int | None = None  # of the predicted tokens' text; None where the tokenizer is not at hand
    nats: float = 0.0
    sources: dict[str, Score] = field(default_factory=dict)
    sets: dict[str, Score] = field(default_factory=dict)  # where several were scored

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats a token; nan of nothing."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits_per_byte(self) -> float | None:
        """Bits a byte of text: nats / (ln 2 · bytes), end tokens' loss included; None without bytes."""
        return self.nats / (math.log(2) * self.bytes) if self.bytes else None

    def to_mapping(self) -> dict[str, Any]:
        """The score as JSON."""
        result: dict[str, Any] = {"loss": self.loss, "bits_per_byte": self.bits_per_byte, "tokens": self.tokens}
        if self.sources:
            result["sources"] = {name: score.to_mapping() for name, score in sorted(self.sources.items())}
        if self.sets:
            result["sets"] = {name: score.to_mapping() for name, score in self.sets.items()}
        return result


def total(scores: Sequence[Score]) -> Score:
    """The sums of several scores, sources of one name together."""
    names = {name for one in scores for name in one.sources}
    known = all(one.bytes is not None for one in scores)
    return Score(
        sum(one.tokens for one in scores), sum(one.bytes or 0 for one in scores) if known else None,
        math.fsum(one.nats for one in scores),
        {name: total([one.sources[name] for one in scores if name in one.sources]) for name in sorted(names)},
    )  # fmt: skip


@torch.no_grad()
def score(
    model: Decoder,
    split: Split,
    context: int,
    batch: int,
    most_tokens: int | None = None,
    lengths: np.ndarray | None = None,
    mask_documents: bool = False,
    ranks: Ranks = ALONE,
) -> Score:
    """Scores every token of a split but the first, in windows of ``context``; up to ``most_tokens``.

    ``lengths`` are bytes by token, int64 [vocabulary]. Sums are taken in float64 in a fixed order. Several ranks take
    ``batch`` windows each at a time and get the sums over all; one for which none is left computes a window all the
    same, uncounted, because the others may need its part of the weights.
    """
    names: list[str] = []
    nats, tokens, text = (np.zeros(0, kind) for kind in (np.float64, np.int64, np.int64))
    device = model.head.weight.device
    was_training = model.training
    model.eval()
    for start, sample in in_order(split, context, batch * ranks.world, most_tokens):
        first = min(ranks.rank * batch, len(sample) - 1)
        counted = ranks.rank * batch < len(sample)
        sample, start = sample[first : first + batch], start + first * context
        check_range(sample, model.config.vocabulary or 0, str(split.folder))
        x = torch.from_numpy(sample).to(device)
        inputs, targets = x[:, :-1], x[:, 1:]
        documents = None
        if mask_documents:
            ids = split.documents(start, start + inputs.numel()).reshape(inputs.shape)
            documents = Packing.of(torch.from_numpy(ids)).to(device)
        losses = model(inputs, targets, documents, reduction="none").double().cpu().numpy().ravel()
        if not counted:
            continue
        source = split.sources(start + 1, start + 1 + losses.size, names)
        grow = len(names) - len(nats)
        nats, tokens, text = (np.pad(a, (0, grow)) for a in (nats, tokens, text))
        nats += np.bincount(source, losses, len(names))
        tokens += np.bincount(source, minlength=len(names))
        if lengths is not None:
            text += np.bincount(source, lengths[sample[:, 1:].ravel()], len(names)).astype(np.int64)
    model.train(was_training)
    known = lengths is not None
    by_source = {
        name: Score(int(tokens[i]), int(text[i]) if known else None, float(nats[i])) for i, name in enumerate(names)
    }
    mine = Score(int(tokens.sum()), int(text.sum()) if known else None, math.fsum(nats), by_source)
    return total(ranks.gather(mine)) if ranks.world > 1 else mine


def load_model(checkpoint: Path | str, device: str = "auto", dtype: str = "auto") -> tuple[Decoder, dict[str, Any]]:
    """A model with a checkpoint's weights, ready to evaluate or generate, and the checkpoint's facts.

    ``checkpoint`` may be a checkpoint's folder or a run's, of which the newest is taken.
    """
    folder = resolve(Path(checkpoint))
    try:
        facts = inspect(folder)
    except DamagedCheckpoint as error:
        raise TrainingError(f"{error}; name another of {folder.parent} instead") from None
    where = choose_device(device)
    model = empty_model(model_config(facts["config"]["model"]))
    load(folder, {f"master.{name}": parameter.data for name, parameter in model.named_parameters()})
    for parameter in model.parameters():
        parameter.data = parameter.data.to(where, choose_dtype(dtype, where))
    return model.to(where).eval(), facts


def resolve(path: Path) -> Path:
    """A checkpoint's folder, given it or its run's folder; raises TrainingError when there is none."""
    if (path / "checkpoint.json").is_file():
        return path
    for folder in (path / "checkpoints", path):
        steps = sorted((p for p in folder.glob("step-*") if (p / "checkpoint.json").is_file()), key=lambda p: p.name)
        if steps:
            return steps[-1]
    raise TrainingError(f"there is no checkpoint in {path}; give a run's folder or one of its checkpoints/step-NNNNNNN")


@explained_memory_errors("lower --batch or --context, or take --device cpu")
def evaluate(
    checkpoint: Path | str,
    *shards: Path | str,
    split: str = "validation",
    most_tokens: int | None = None,
    batch: int = 8,
    context: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> Score:
    """Scores a checkpoint on a split of folders of shards; ``context`` defaults to the one it was trained with.

    Raises TrainingError for shards of another tokenizer than the checkpoint's, a split without tokens, or a context
    longer than the model's.
    """
    model, facts = load_model(checkpoint, device, dtype)
    vocabulary = model.config.vocabulary or 0
    opened: dict[str, Split] = {}
    for folder in shards:
        one = open_split(folder, split)
        if one.tokenizer != facts["tokenizer"]:
            raise TrainingError(
                f"{folder} was written with tokenizer {one.tokenizer[:12]}, the checkpoint learned "
                f"{facts['tokenizer'][:12]}; tokenize the documents with the checkpoint's tokenizer"
            )
        if one.tokens < 2:
            raise TrainingError(f"the {split} split in {folder} has no tokens to score; try another with --split")
        check_tokens([one], vocabulary)
        opened[unused_name(Path(folder), opened)] = one
    tokenizer = next((found for folder in shards if (found := find_tokenizer(Path(folder), facts["tokenizer"]))), None)
    lengths = token_bytes(tokenizer, vocabulary) if tokenizer else None
    data = facts["config"]["data"]
    length = context or data["context"] or model.config.context
    if length > model.config.context:
        raise TrainingError(f"context: {length} is longer than model.context = {model.config.context}; lower it")
    scores = {
        name: score(model, one, length, batch, most_tokens, lengths, data["mask_documents"])
        for name, one in opened.items()
    }
    result = total(list(scores.values()))
    return replace(result, sets=scores) if len(scores) > 1 else result
