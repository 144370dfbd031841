"""The decoder against transformers' LLaMA, and its masks and cache against itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from training.cache import KeyValueCache
from training.config import ModelConfig, model_config
from training.errors import TrainingError
from training.huggingface import from_llama, from_llama_config, load_llama, save_llama, to_llama, to_llama_config
from training.model import Decoder

SHAPES = {
    "mha": {"layers": 2, "width": 48, "feed_forward": 96, "heads": 4, "kv_heads": 4, "vocabulary": 101, "context": 64},
    "gqa": {"layers": 3, "width": 64, "feed_forward": 100, "heads": 8, "kv_heads": 2, "vocabulary": 77, "context": 64},
}


def build(shape: str, **changes: Any) -> Decoder:
    model = Decoder(model_config({**SHAPES[shape], "init_std": 0.1, **changes})).initialize(1)
    with torch.no_grad():  # norms other than one, so that the tests see them
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    return model.eval()


def tokens(model: Decoder, batch: int = 2, length: int = 40, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(model.config.vocabulary or 0, (batch, length), generator=generator)


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_gradients_agree_with_transformers(shape: str) -> None:
    transformers = pytest.importorskip("transformers")
    model = build(shape)
    peer = transformers.LlamaForCausalLM(transformers.LlamaConfig(**to_llama_config(model.config)))
    peer.load_state_dict(to_llama(model))
    x = tokens(model)
    torch.testing.assert_close(model(x), peer(x).logits, rtol=1e-5, atol=1e-5)
    model(x[:, :-1], x[:, 1:]).backward()
    peer(x, labels=x).loss.backward()
    theirs = {name: p.grad for name, p in peer.named_parameters()}
    for packed in model.parameters():
        packed.data = packed.grad  # so that to_llama names the gradients
    for name, gradient in to_llama(model).items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-4, atol=1e-6)


def test_a_model_goes_to_transformers_and_back(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = build("gqa")
    save_llama(model, tmp_path / "ours")
    peer = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "ours", dtype=torch.float32)
    x = tokens(model)
    torch.testing.assert_close(model(x), peer(x).logits, rtol=1e-5, atol=1e-5)
    peer.save_pretrained(tmp_path / "theirs")
    again = load_llama(tmp_path / "theirs")
    assert torch.equal(again(x), model(x))
    assert again.config.kv_heads == 2 and again.config.rope_theta == 10_000


def test_large_models_go_into_several_files_in_the_type_asked_for(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = build("gqa")
    save_llama(model, tmp_path, torch.bfloat16, begin_token=3, end_token=1, most_bytes=40_000)
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(files) > 2 and files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert sum((tmp_path / name).stat().st_size < 41_000 for name in files) == len(files)
    peer = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert (peer.config.bos_token_id, peer.config.eos_token_id) == (3, 1)
    rounded = Decoder(model.config)
    rounded.load_state_dict(
        {name: value.bfloat16().float() for name, value in model.state_dict().items()}, strict=False
    )
    x = tokens(model)
    torch.testing.assert_close(rounded(x), peer(x).logits, rtol=1e-5, atol=1e-5)
    assert torch.equal(load_llama(tmp_path)(x), rounded(x))


def test_weights_that_do_not_fit_are_refused() -> None:
    model = build("mha")
    weights = to_llama(model)
    with pytest.raises(TrainingError, match=r"no lm_head\.weight: their embedding and head are tied"):
        from_llama(model, {k: v for k, v in weights.items() if k != "lm_head.weight"})
    with pytest.raises(TrainingError, match=r"unknown \['x'\]"):
        from_llama(model, {**weights, "x": weights["lm_head.weight"]})
    with pytest.raises(TrainingError, match=r"lm_head\.weight has shape \[3, 48\], the model needs \[101, 48\]"):
        from_llama(model, {**weights, "lm_head.weight": weights["lm_head.weight"][:3]})
    with pytest.raises(TrainingError, match="attention_bias is True"):
        from_llama_config({**to_llama_config(model.config), "attention_bias": True})


def test_initial_weights_have_the_references_deviation_and_the_same_values_every_time() -> None:
    config = model_config({**SHAPES["mha"], "width": 256})
    first, second = (Decoder(config).initialize(7) for _ in "ab")
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        if "norm" in name:
            assert torch.equal(a, torch.ones_like(a))
        else:
            assert a.std().item() == pytest.approx(0.006, rel=0.05) and abs(a.mean().item()) < 2e-4
    assert not torch.equal(first.head.weight, Decoder(config).initialize(8).head.weight)
    assert not torch.equal(first.head.weight, first.embedding.weight)  # untied


def test_nothing_sees_what_follows_it() -> None:
    model = build("gqa")
    x = tokens(model)
    y = x.clone()
    y[:, 25:] = (y[:, 25:] + 1) % 77
    torch.testing.assert_close(model(x)[:, :25], model(y)[:, :25])
    assert not torch.allclose(model(x)[:, 25:], model(y)[:, 25:])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cache_gives_what_the_whole_sequence_gives(shape: str) -> None:
    model = build(shape)
    x = tokens(model)
    whole = model(x)
    cache = KeyValueCache(model.config, model.head.weight, 2, 40)
    parts = [model(x[:, a:b], cache=cache) for a, b in ((0, 11), (11, 12), (12, 30), (30, 31), (31, 40))]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-5, atol=1e-5)


def test_recomputing_changes_memory_and_nothing_else() -> None:
    plain = build("gqa")
    saving = Decoder(plain.config, recompute=True)
    saving.load_state_dict(plain.state_dict())
    x = tokens(plain)
    for model in (plain, saving):
        model(x[:, :-1], x[:, 1:]).backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)  # type: ignore[arg-type]


def test_loss_by_token_averages_to_the_loss() -> None:
    model = build("mha")
    x = tokens(model)
    by_token = model(x[:, :-1], x[:, 1:], reduction="none")
    assert by_token.shape == (2, 39)
    torch.testing.assert_close(by_token.mean(), model(x[:, :-1], x[:, 1:]))


def test_a_sequence_longer_than_the_context_is_refused() -> None:
    model = build("mha")
    with pytest.raises(ValueError, match=r"65 tokens are more than model\.context = 64"):
        model(tokens(model, 1, 65))


def test_a_model_needs_a_vocabulary() -> None:
    with pytest.raises(ValueError, match=r"model\.vocabulary"):
        Decoder(ModelConfig(layers=1, width=8, feed_forward=8, heads=1, kv_heads=1))
