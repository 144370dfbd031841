"""Loss and bits per byte of a checkpoint, and text out of it, also from the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from training.cli import app
from training.config import training_config
from training.errors import TrainingError
from training.evaluate import evaluate, load_model, score
from training.generate import choose, generate, whole_characters
from training.stream import open_split
from training.token_bytes import find_tokenizer, token_bytes
from training.trainer import train

END = 1
CHARACTERS = {i: chr(ord("A") + i) if i < 26 else "xy" * (i - 24) for i in range(64)}  # entries of 1 to 78 bytes


@pytest.fixture
def corpus(shards: Path) -> Path:
    """The shards with a byte-level tokenizer.json beside them."""
    write_tokenizer(shards.parent / "tokenizer", "a" * 64)
    return shards


def write_tokenizer(folder: Path, hash: str) -> None:
    folder.mkdir()
    vocabulary = {text: i for i, text in CHARACTERS.items() if i != END}
    content = {
        "version": "1.0", "added_tokens": [
            {"id": END, "content": "<|end|>", "special": True, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False}
        ],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps({"gristmill": {"hash": hash}}))


def run_settings(corpus: Path, **changes: Any) -> dict[str, Any]:
    return {
        "model": {"layers": 2, "width": 32, "feed_forward": 64, "heads": 4, "kv_heads": 4, "context": 64},
        "data": {"shards": str(corpus), "batch": 8, "context": 32}, "output": str(corpus.parent / "run"), "steps": 60,
        "optimizer": {"learning_rate": 1e-2}, "schedule": {"warmup_steps": 5}, "threads": 1, "device": "cpu", **changes,
    }  # fmt: skip


@pytest.fixture
def trained(corpus: Path) -> Path:
    train(training_config(run_settings(corpus)))
    return corpus.parent / "run"


def test_token_bytes_count_characters_and_skip_special_tokens(corpus: Path) -> None:
    lengths = token_bytes(corpus.parent / "tokenizer", 70)
    assert lengths.tolist() == [0 if i == END else len(CHARACTERS[i]) for i in range(64)] + [0] * 6


def test_only_the_shards_own_tokenizer_is_taken(corpus: Path) -> None:
    assert find_tokenizer(corpus, "a" * 64) == corpus.parent / "tokenizer"
    assert find_tokenizer(corpus, "b" * 64) is None
    (corpus.parent / "tokenizer" / "tokenizer.json").write_text('{"model": {"type": "WordLevel"}}')
    with pytest.raises(TrainingError, match="is not a byte-level BPE tokenizer"):
        token_bytes(corpus.parent / "tokenizer", 64)


def test_bits_per_byte_is_nats_over_bytes(corpus: Path, trained: Path) -> None:
    result = evaluate(trained, corpus)
    split = open_split(corpus, "validation")
    tokens = np.empty(split.tokens, np.int64)
    split.read(0, tokens)
    lengths = token_bytes(corpus.parent / "tokenizer", 64)
    assert result.tokens == len(tokens) - 1
    assert result.bytes == lengths[tokens[1:]].sum()
    assert result.bits_per_byte == pytest.approx(result.nats / math.log(2) / result.bytes)
    # The loss by hand: windows of 32, each token predicted from those before it in its window.
    model, _ = load_model(trained, "cpu")
    nats = 0.0
    with torch.no_grad():
        for start in range(0, len(tokens) - 1, 32):
            window = torch.from_numpy(tokens[start : start + 33])[None]
            logs = model(window[:, :-1])[0].double().log_softmax(1)
            nats -= logs[torch.arange(logs.shape[0]), window[0, 1:]].sum().item()
    assert result.nats == pytest.approx(nats, rel=1e-6)
    assert set(result.sources) == {"web", "books"}
    for total in ("tokens", "bytes", "nats"):
        assert sum(getattr(s, total) for s in result.sources.values()) == pytest.approx(getattr(result, total))


def test_scores_do_not_depend_on_the_batch(corpus: Path, trained: Path) -> None:
    a, b = (evaluate(trained, corpus, batch=batch) for batch in (1, 16))
    assert a.nats == pytest.approx(b.nats, rel=1e-6) and a.tokens == b.tokens


def test_several_folders_are_scored_together_and_apart(
    corpus: Path, trained: Path, tmp_path: Path, make_shards: Callable[..., Path]
) -> None:
    other = make_shards(tmp_path / "other" / "shards", {"validation": [[("web", [5, 6, 7] * 30)] * 4]})
    both = evaluate(trained, corpus, other)
    assert list(both.sets) == [tmp_path.name, "other"]
    alone = [evaluate(trained, corpus), evaluate(trained, other)]
    assert [part.nats for part in both.sets.values()] == [one.nats for one in alone]
    assert both.nats == pytest.approx(sum(one.nats for one in alone)) and both.tokens == sum(o.tokens for o in alone)
    assert both.sources["web"].tokens == sum(one.sources["web"].tokens for one in alone)
    assert set(both.to_mapping()["sets"]) == set(both.sets) and not alone[0].sets


def test_an_untrained_model_knows_as_much_as_a_die(corpus: Path, trained: Path) -> None:
    model, _ = load_model(trained, "cpu")
    model.initialize(0)
    assert score(model, open_split(corpus, "validation"), 32, 8).loss == pytest.approx(math.log(64), abs=0.02)


def test_without_the_tokenizer_there_are_nats_and_no_bytes(shards: Path) -> None:
    train(training_config(run_settings(shards, steps=8)))
    result = evaluate(shards.parent / "run", shards)
    assert result.bytes is None and result.bits_per_byte is None and result.loss > 0


def test_shards_of_another_tokenizer_are_refused(
    corpus: Path, trained: Path, tmp_path: Path, make_shards: Callable[..., Path]
) -> None:
    other = make_shards(tmp_path / "o", {"train": [], "validation": [[("s", [5] * 9)]]}, tokenizer="b" * 64)
    with pytest.raises(
        TrainingError, match=r"was written with tokenizer bbbbbbbbbbbb, the checkpoint learned aaaaaaaaaaaa"
    ):
        evaluate(trained, other)
    with pytest.raises(TrainingError, match=r"the test split in .* has no tokens to score"):
        evaluate(trained, corpus, split="test")
    with pytest.raises(TrainingError, match="there is no checkpoint in"):
        evaluate(corpus, corpus)


def test_a_token_that_the_model_has_no_row_for_is_named(
    corpus: Path, trained: Path, tmp_path: Path, make_shards: Callable[..., Path]
) -> None:
    lying = make_shards(tmp_path / "l", {"validation": [[("s", [5] * 70_000 + [64] + [5] * 40)]]})
    with pytest.raises(TrainingError, match=r"l holds token 64, model\.vocabulary is 64: the shards are damaged"):
        evaluate(trained, lying)


def test_a_damaged_checkpoint_is_named_and_not_replaced_silently(corpus: Path, trained: Path) -> None:
    (trained / "checkpoints" / "step-0000060" / "__0_0.distcp").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"has 0 bytes instead of \d+; name another of .*checkpoints instead"):
        evaluate(trained, corpus)


def test_out_of_memory_says_what_to_lower(corpus: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("training.evaluate.score", fail)
    with pytest.raises(TrainingError, match=r"out of GPU memory: lower --batch or --context"):
        evaluate(trained, corpus)


def test_generation_with_the_cache_equals_generation_without(trained: Path) -> None:
    model, _ = load_model(trained, "cpu")
    prompt = [5, 6, 7, 8]
    cached = list(generate(model, prompt, 40, temperature=0))
    plain = list(prompt)
    for _ in range(40):
        plain.append(int(model(torch.tensor([plain]))[0, -1].argmax()))
    assert cached == plain[4:]


def test_generation_is_repeatable_and_keeps_to_its_limits(trained: Path) -> None:
    model, _ = load_model(trained, "cpu")
    draw = [list(generate(model, [5, 6], 30, temperature=1.0, seed=s)) for s in (1, 1, 2)]
    assert draw[0] == draw[1] != draw[2] and len(draw[0]) == 30
    assert len(list(generate(model, [5] * 60, 100))) == 4  # the context is full
    greedy = list(generate(model, [5, 6, 7], 20, temperature=0))
    assert list(generate(model, [5, 6, 7], 20, temperature=1.0, top_k=1)) == greedy
    assert list(generate(model, [5, 6, 7], 20, temperature=1.0, top_p=1e-9)) == greedy
    assert list(generate(model, [5, 6, 7], 20, temperature=0, end_token=greedy[3])) == greedy[: greedy.index(greedy[3])]
    for prompt, message in (([], "no tokens"), ([5] * 64, "shorten it"), ([64], "wrong tokenizer")):
        with pytest.raises(TrainingError, match=message):
            list(generate(model, prompt, 5))
    for settings in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(TrainingError, match="at most 1"):
            list(generate(model, [5], 5, **settings))  # type: ignore[arg-type]


def test_draws_follow_the_models_probabilities_within_the_limits() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0])
    generator = torch.Generator().manual_seed(0)

    def shares(temperature: float, top_k: int | None, top_p: float | None) -> np.ndarray:
        drawn = [choose(logits, temperature, top_k, top_p, generator) for _ in range(4000)]
        return np.bincount(drawn, minlength=5) / 4000

    def softmax(kept: int, temperature: float) -> np.ndarray:
        weights = np.exp(logits[:kept].numpy() / temperature)
        return np.pad(weights / weights.sum(), (0, 5 - kept))

    np.testing.assert_allclose(shares(1.0, None, None), softmax(5, 1.0), atol=0.03)
    np.testing.assert_allclose(shares(2.0, 3, None), softmax(3, 2.0), atol=0.03)
    # 0.636 and 0.234 reach 0.7 together
    np.testing.assert_allclose(shares(1.0, None, 0.7), softmax(2, 1.0), atol=0.03)


def test_text_appears_when_a_character_is_whole() -> None:
    def decode(tokens: list[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    text = "añ中😀 b"
    assert list(whole_characters(text.encode(), decode)) == list(text)
    assert list(whole_characters("中".encode()[:2], decode)) == ["\ufffd"]  # cut off at the end
    broken = list(whole_characters(b"\xff" * 12 + b"ab", decode))
    assert "".join(broken) == "\ufffd" * 12 + "ab" and len(broken) > 3  # never a character, and never waited for long


def test_characters_across_tokens_are_never_broken() -> None:
    text = "中文字符" * 5
    pieces = [text.encode()[i : i + 2] for i in range(0, 60, 2)]  # two bytes a token, three a character

    def decode(tokens: list[int]) -> str:
        return b"".join(pieces[t] for t in tokens).decode("utf-8", "replace")

    shown = list(whole_characters(range(30), decode))
    assert "".join(shown) == text and len(shown) == 20


def test_the_command_line_trains_evaluates_generates_and_exports(corpus: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(run_settings(corpus, steps=500)))
    run = str(corpus.parent / "run")
    result = runner.invoke(app, ["train", str(path), "--set", "steps=40", "--set", "optimizer.learning_rate=1e-2"])
    assert result.exit_code == 0, result.output
    assert "step 40/40" in result.stderr and "bits/byte" in result.stderr
    result = runner.invoke(app, ["evaluate", run, str(corpus), "--json"])
    assert result.exit_code == 0 and json.loads(result.stdout)["bits_per_byte"] > 0
    result = runner.invoke(app, ["evaluate", run, str(corpus)])
    assert result.exit_code == 0 and result.stdout.startswith("all: loss ") and "\nsource web: loss " in result.stdout
    result = runner.invoke(app, ["generate", run, "--prompt", "FGH", "--tokens", "5", "--temperature", "0"])
    assert result.exit_code == 0 and result.stdout.startswith("FGH") and len(result.stdout.strip()) > 3
    result = runner.invoke(app, ["export", run, str(tmp_path / "hf")])
    assert result.exit_code == 0, result.output
    assert {p.name for p in (tmp_path / "hf").iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }  # fmt: skip
    result = runner.invoke(app, ["train", str(path), "--keys"])
    assert result.exit_code == 0 and "optimizer.weight_decay (0.1)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--set", "optimizer.lr=1"], 2, "optimizer.lr: unknown key"),
        (["--set", "steps"], 2, "--set steps: expected KEY=VALUE"),
        (["--set", "data.shards=/nowhere"], 1, "there is no shards.json in /nowhere"),
        (["--set", "model.vocabulary=63"], 1, "model.vocabulary: 63 is smaller than the 64 entries of the shards"),
        (["--set", "data.batch=9999"], 1, "data.batch: 9999 samples of 32 tokens are more than the"),
        (["--set", "device=cuda"], 1, "device: cuda is demanded, but"),
    ],
)
def test_errors_are_one_line_with_an_exit_code(
    corpus: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    if "device=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(run_settings(corpus)))
    result = CliRunner().invoke(app, ["train", str(path), *arguments])
    assert result.exit_code == code
    assert message in result.stderr and result.stderr.count("\n") == 1


def test_errors_of_looking_at_a_model_are_one_line_too(
    corpus: Path, trained: Path, tmp_path: Path, make_shards: Callable[..., Path]
) -> None:
    other = make_shards(tmp_path / "o", {"train": [], "validation": [[("s", [5] * 9)]]}, tokenizer="b" * 64)
    run, shards = str(trained), str(corpus)
    for arguments, message in (
        (["evaluate", run, str(other)], "was written with tokenizer bbbbbbbbbbbb, the checkpoint learned aaaaaaaaaaaa"),
        (["evaluate", run, shards, "--split", "tset"], "the tset split in"),
        (["evaluate", run, shards, "--device", "gpu"], "device: gpu is none of auto, cpu, cuda"),
        (["evaluate", run, shards, "--context", "65"], "context: 65 is longer than model.context = 64; lower it"),
        (["evaluate", shards, shards], "there is no checkpoint in"),
        (["generate", run, "--prompt", "F", "--top-k", "0"], "top-k 0"),
        (["generate", run, "--prompt", "F" * 64], "the prompt has 64 tokens, model.context is 64: shorten it"),
        (["generate", run, "--tokenizer", str(tmp_path)], "name the tokenizer's folder with --tokenizer"),
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1, (arguments, result.output)
        assert message in result.stderr and result.stderr.count("\n") == 1
